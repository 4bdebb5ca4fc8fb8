"""Orders once they exist: read, wait for a message, list, ask for one more message."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from numdesk.domain.customers.callers import Caller
from numdesk.domain.errors import NotFound
from numdesk.domain.orders import lifecycle as domain
from numdesk.domain.orders.lifecycle import Order, State
from numdesk.domain.orders.refusals import SupplierFailed
from numdesk.ports.errors import ProviderError
from numdesk.runtime import Batch, ProcessState, Runtime
from numdesk.storage.database.pool import Tx
from numdesk.storage.orders import lifecycle as rows
from numdesk.usecases.desk.provider_calls import CUSTOMER_WAITS_S, answered
from numdesk.usecases.orders import changes

#: The states that a customer sees: an order that no supplier has filled (yet) is not one of theirs.
VISIBLE = frozenset(State) - {State.PENDING, State.FAILED}
READ_BATCH_MAX = 256
#: Orders that a process remembers between reads; each is a kilobyte.
REMEMBERED_MAX = 5_000
#: A customer who buys a number every 120 ms has so many orders open; all of them are listed at
#: once.
ACTIVE_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Resent:
    """The order, and whether its supplier will deliver one more message."""

    order: Order
    resent: bool


async def read(rt: Runtime, caller: Caller, order_id: int) -> Order:
    """Return the customer's order. Raises NotFound.

    Readers that wait together are answered by one query.
    """
    order = await _READS.submit(rt, (caller.customer_id, order_id))
    if order is None or order.state not in VISIBLE:
        raise NotFound(what="order")
    return order


_READ = ProcessState[dict[int, Order]](lambda _: {})


async def _read_many(rt: Runtime, wanted: list[tuple[int, int]]) -> list[Order | None]:
    """Return the order for each (customer id, order id).

    Those that have not changed since they were last read are not read again.
    """
    known = _READ.of(rt)
    order_ids = [order_id for _, order_id in wanted]
    heads = await rt.repeat("orders.read_heads", lambda tx: rows.read_heads(tx, order_ids))
    changed = [
        (head[0], head[1])
        for head in heads
        if not _is_current(known.get(head[1]), head[2], head[3])
    ]
    if changed:
        if len(known) > REMEMBERED_MAX:
            known.clear()
            changed = [(head[0], head[1]) for head in heads]
        for order in await rt.repeat("orders.read", lambda tx: rows.read_many(tx, changed)):
            if order is not None:
                known[order.id] = order
    theirs = {head[1]: head[0] for head in heads}
    return [
        known.get(order_id) if theirs.get(order_id) == customer_id else None
        for customer_id, order_id in wanted
    ]


_READS = Batch(_read_many, batch_max=READ_BATCH_MAX)


def _is_current(order: Order | None, revision: int, number_free: bool) -> bool:
    return order is not None and order.revision == revision and order.number_free == number_free


async def wait(rt: Runtime, caller: Caller, order_id: int, *, seconds: float) -> Order:
    """Return the order at its first change, or as it is after `seconds`. Raises NotFound.

    An order that does not wait for a message is answered at once: what the client wants to hear has
    happened, perhaps between two calls.
    """
    changed = changes.expect(rt, order_id, seconds=seconds)
    try:
        order = await read(rt, caller, order_id)
        if order.state not in (State.ACTIVE, State.RESENT):
            return order
        del order  # thousands may wait: nobody keeps what will be read again
        await changed
    finally:
        changes.give_up(rt, order_id, changed)
    return await read(rt, caller, order_id)


async def listing(
    rt: Runtime, caller: Caller, *, states: frozenset[State] | None, limit: int, offset: int
) -> list[Order]:
    """Return a page of the customer's orders, newest first.

    `states` None means all that a customer sees.
    """
    return await rt.repeat(
        "orders.listing",
        lambda tx: rows.listing(
            tx,
            customer_id=caller.customer_id,
            states=(states or VISIBLE) & VISIBLE,
            limit=limit,
            offset=offset,
        ),
    )


async def active(rt: Runtime, caller: Caller) -> Iterator[Order]:
    """Return the customer's orders that are not at their end, newest first (at most ACTIVE_MAX),
    each made when it is asked for."""
    return await rt.repeat(
        "orders.active",
        lambda tx: rows.open_orders(tx, customer_id=caller.customer_id, limit=ACTIVE_MAX),
    )


async def resend(rt: Runtime, caller: Caller, order_id: int) -> Resent:
    """Ask for one more message. Raises NotFound, StateForbids, SupplierFailed.

    Our own numbers simply go on listening, so they always can.
    """

    async def check(tx: Tx) -> Order:
        order = await _locked(tx, caller, order_id)
        domain.check_resend(order, now=rt.clock.now())
        return order

    order = await rt.repeat("orders.resend.check", check)
    if order.provider_ref is not None:
        try:
            accepted = await answered(
                rt.suppliers[order.provider].resend(order.provider_ref), within_s=CUSTOMER_WAITS_S
            )
        except ProviderError as error:
            raise SupplierFailed(
                attempts=[(order.offer_id, order.provider, error.cause.value)]
            ) from error
        if not accepted:
            return Resent(order, resent=False)

    async def work(tx: Tx) -> Order:
        await check(tx)
        await rows.mark_resent(tx, order_id, resend_at=rt.clock.now() + domain.RESEND_COOLDOWN)
        return await _locked(tx, caller, order_id)

    return Resent(await rt.run("orders.resend", work), resent=True)


async def _locked(tx: Tx, caller: Caller, order_id: int) -> Order:
    """Return the customer's order with its row locked. Raises NotFound."""
    order = await rows.lock(tx, customer_id=caller.customer_id, order_id=order_id)
    if order is None or order.state not in VISIBLE:
        raise NotFound(what="order")
    return order
