"""Read rentals and their messages."""

from __future__ import annotations

from numdesk.domain.customers.callers import Caller
from numdesk.domain.errors import (
    NotFound,
)
from numdesk.domain.pages import Page
from numdesk.domain.rentals.lifecycle import (
    Rental,
    RentalMessage,
    RentalState,
)
from numdesk.runtime import Runtime
from numdesk.storage.database.pool import Tx
from numdesk.storage.rentals import charges
from numdesk.storage.rentals import lifecycle as rows
from numdesk.storage.rentals import messages as rental_messages
from numdesk.storage.rentals.charges import Split
from numdesk.storage.rentals.lifecycle import Held

ACTIVE_ONLY = frozenset({RentalState.ACTIVE})


async def active(
    rt: Runtime,
    caller: Caller,
    *,
    page: int,
    limit: int,
    states: frozenset[RentalState] = ACTIVE_ONLY,
) -> Page[Rental]:
    """Return a page (from 1) of the customer's rentals in these states, the newest term first."""
    return await rt.repeat(
        "rentals.listing",
        lambda tx: rows.listing(
            tx,
            customer_id=caller.customer_id,
            states=states,
            now=rt.clock.now(),
            limit=limit,
            offset=(page - 1) * limit,
        ),
    )


async def read(rt: Runtime, caller: Caller, rental_id: str) -> Rental:
    """Return the customer's rental. Raises NotFound."""
    return (await read_held(rt, caller, rental_id)).rental


async def messages(  # noqa: PLR0913 - whose, which page, which way
    rt: Runtime, caller: Caller, rental_id: str, *, page: int, limit: int, ascending: bool = False
) -> Page[RentalMessage]:
    """Return a page (from 1) of messages in the customer's terms of a rental, newest first unless
    `ascending`. Raises NotFound."""
    held = await read_held(rt, caller, rental_id)
    return await rt.repeat(
        "rentals.messages",
        lambda tx: rental_messages.messages(
            tx,
            customer_id=caller.customer_id,
            rental_id=held.id,
            limit=limit,
            offset=(page - 1) * limit,
            ascending=ascending,
        ),
    )


async def listing(
    rt: Runtime, *, states: frozenset[RentalState], limit: int, offset: int
) -> Page[Rental]:
    """Return a page of everybody's rentals in these states, for staff, the newest term first."""
    now = rt.clock.now()
    return await rt.repeat(
        "rentals.listing",
        lambda tx: rows.listing(
            tx, customer_id=None, states=states, now=now, limit=limit, offset=offset
        ),
    )


async def read_held(rt: Runtime, caller: Caller, rental_id: str) -> Held:
    now = rt.clock.now()
    held = await rt.repeat(
        "rentals.read",
        lambda tx: rows.read(tx, customer_id=caller.customer_id, public_id=rental_id, now=now),
    )
    if held is None:
        raise NotFound(what="rental")
    return held


async def lock_held(rt: Runtime, tx: Tx, caller: Caller, rental_id: str) -> tuple[Held, Split]:
    """Return the customer's rental and their spendable money, all rows locked. Raises NotFound."""
    held = await rows.lock(
        tx, customer_id=caller.customer_id, public_id=rental_id, now=rt.clock.now()
    )
    if held is None:
        raise NotFound(what="rental")
    return held, await charges.lock_purse(tx, wallet_id=caller.wallet_id, bonus_id=caller.bonus_id)
