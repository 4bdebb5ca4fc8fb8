"""Paying for top-ups in the sandbox: the hand of a payer at a make-believe gateway."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated

from msgspec import Meta

from numdesk.domain.errors import InvalidInput, NotFound
from numdesk.ports.simulation import FakeGateway, UnknownInvoice, UnknownMoney
from numdesk.runtime import Runtime
from numdesk.sandbox.wire import Strict
from numdesk.usecases.payments import topups

#: Where the make-believe gateways are mounted, each under its slug.
GATEWAYS = "/sandbox/gateways"
#: Nobody has more of any money.
PAID_MAX = 10**12
#: Copies of one callback that a call may ask for.
TIMES_MAX = 2_000


class Paid(Strict, frozen=True):
    """POST /topups/{invoice_id}/pay. `amount` in whole units of `currency` (the invoice's if none is named); all that is due if none."""

    amount: Decimal | None = None
    currency: Annotated[str, Meta(min_length=2, max_length=20)] | None = None
    times: Annotated[int, Meta(ge=1, le=TIMES_MAX)] = 1


async def pay(rt: Runtime, gateways: Mapping[str, FakeGateway], invoice: str, paid: Paid) -> int:
    """Lets the gateway of a top-up see money, and returns how many of its callbacks were answered.

    Refuses with NotFound or InvalidInput.
    """
    topup, _ = await topups.read(rt, invoice)
    gateway = gateways.get(topup.provider)
    if gateway is None:
        raise InvalidInput(field="invoice", reason="is of a gateway that is not make-believe")
    if paid.amount is not None and not (paid.amount.is_finite() and 0 < paid.amount <= PAID_MAX):
        raise InvalidInput(field="amount", reason=f"must be above zero, and {PAID_MAX} at most")
    try:
        return await gateway.pay(
            topup.public_id, amount=paid.amount, currency=paid.currency, times=paid.times
        )
    except UnknownMoney as error:
        raise InvalidInput(
            field="currency", reason=f"must be one that {topup.provider} has a rate for"
        ) from error
    except UnknownInvoice as error:
        raise NotFound(what=f"invoice {invoice} at {topup.provider}") from error


async def show(rt: Runtime, invoice: str) -> dict[str, object]:
    """Returns how a top-up stands, in minor units."""
    topup, _ = await topups.read(rt, invoice)
    return {
        "invoice_id": topup.public_id,
        "status": topup.state.name.lower(),
        "credited": topup.credited,
        "currency": topup.currency,
    }
