"""Customers' accounts: open one, set its state and its options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from numdesk.domain.customers.callers import OPTIONS, CustomerState
from numdesk.domain.errors import InvalidInput, NotFound
from numdesk.domain.ledger.chart import adjustment
from numdesk.runtime import Runtime
from numdesk.storage.customers import callers as rows
from numdesk.storage.database.pool import Tx
from numdesk.storage.ledger import accounts, journals
from numdesk.usecases.customers.keys import KeyRules, insert_key, new_key


@dataclass(frozen=True, slots=True)
class NewCustomer:
    """A customer that was just registered.

    Token and secret (where requests are signed) are shown once and never again.
    """

    customer_id: int
    token: str = field(repr=False)
    wallet_id: int
    secret: str | None = field(default=None, repr=False)


async def register(  # noqa: PLR0913 - what a registration form asks
    rt: Runtime,
    *,
    name: str,
    dialect: str,
    currency: str,
    signed: bool = False,
    credit: int = 0,
    state: CustomerState = CustomerState.ACTIVE,
    contact: Mapping[str, str] | None = None,
) -> NewCustomer:
    """Add a customer with one wallet, one key of all scopes, and `credit` minor units in the
    wallet.

    `signed` gives the key a secret for signing requests, and the customer an account for bonus;
    `contact` is kept for staff.
    """
    key = new_key(rt, signed=signed)

    async def work(tx: Tx) -> NewCustomer:
        now = rt.clock.now()
        customer_id = await rows.insert_customer(
            tx, name=name, state=state, contact=contact or {}, now=now
        )
        wallet_id = await accounts.open_wallet(tx, customer_id=customer_id, currency=currency)
        await insert_key(
            rt,
            tx,
            customer_id=customer_id,
            dialect=dialect,
            currency=currency,
            key=key,
            rules=KeyRules(),
        )
        if credit:
            await journals.apply(
                tx,
                adjustment(
                    customer_id=customer_id,
                    currency=currency,
                    units=credit,
                    ref=f"opening:{customer_id}",
                ),
                now=now,
            )
        return NewCustomer(customer_id, key.token, wallet_id, key.secret)

    return await rt.run("customers.register", work)


async def set_state(rt: Runtime, customer_id: int, state: CustomerState) -> None:
    """Approve (ACTIVE), restrict, block or park a customer. Raises NotFound."""
    if not await rt.run("customers.set_state", lambda tx: rows.set_state(tx, customer_id, state)):
        raise NotFound(what=f"customer {customer_id}")


async def set_option(rt: Runtime, customer_id: int, *, name: str, value: str | None) -> None:
    """Set what staff wishes for one customer (see OPTIONS), None takes it away.

    Raises InvalidInput or NotFound.
    """
    allowed = OPTIONS.get(name)
    if allowed is None:
        raise InvalidInput(field="option", reason=f"must be one of {', '.join(OPTIONS)}")
    kept: str | int | None = value
    if isinstance(allowed, range) and value is not None:
        if not (value.isascii() and value.isdigit() and len(value) < 12 and int(value) in allowed):
            raise InvalidInput(
                field=name,
                reason=f"must be a whole number from {allowed.start} to {allowed.stop - 1}",
            )
        kept = int(value)
    elif isinstance(allowed, tuple) and value not in (None, *allowed):
        raise InvalidInput(field=name, reason=f"must be one of {', '.join(allowed)}")
    if not await rt.run(
        "customers.set_option", lambda tx: rows.set_option(tx, customer_id, name=name, value=kept)
    ):
        raise NotFound(what=f"customer {customer_id}")
