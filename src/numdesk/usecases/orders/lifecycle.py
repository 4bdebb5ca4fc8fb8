"""Orders once they exist: read, wait for, cancel, finish, ask for one more message, expire."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from numdesk.domain.customers.abuse_guard import CANCELS_PER_DAY_MAX, cancels_today
from numdesk.domain.customers.callers import Caller
from numdesk.domain.errors import NotFound, StateForbids
from numdesk.domain.fx import Rate
from numdesk.domain.money import Money
from numdesk.domain.orders import lifecycle as domain
from numdesk.domain.orders.lifecycle import Event, Order, State
from numdesk.domain.orders.refusals import CancelCapReached, SupplierFailed
from numdesk.ports.errors import ProviderError
from numdesk.ports.suppliers import Outcome
from numdesk.runtime import Batch, Runtime
from numdesk.storage.customers import guard as guard_rows
from numdesk.storage.database.pool import Tx
from numdesk.storage.ledger import accounts
from numdesk.storage.orders import lifecycle as rows
from numdesk.storage.orders.lifecycle import Ended
from numdesk.usecases import rates
from numdesk.usecases.customers import guard
from numdesk.usecases.desk.provider_calls import CUSTOMER_WAITS_S, answered
from numdesk.usecases.jobs.sweeps import Sweep, sweep
from numdesk.usecases.orders import changes

#: The states that a customer sees: an order that no supplier has filled (yet) is not one of theirs.
VISIBLE = frozenset(State) - {State.PENDING, State.FAILED}
READ_BATCH_MAX = 256
#: Orders that a process remembers between reads; each is a kilobyte.
REMEMBERED_MAX = 5_000
#: A customer who buys a number every 120 ms has so many orders open; all of them are listed at
#: once.
ACTIVE_MAX = 10_000
EXPIRE_BATCH = 2_000
QUARANTINE_BATCH = 5_000
SECONDS_PER_DAY = 86_400

_OUTCOMES = {
    State.COMPLETED: Outcome.COMPLETED,
    State.CANCELED: Outcome.CANCELED,
    State.EXPIRED: Outcome.EXPIRED,
}


@dataclass(frozen=True, slots=True)
class Canceled:
    """The outcome of a cancel: the order, the refund, the spendable amount of the wallet, and the
    rate when one was asked for."""

    order: Order
    refund: Money
    balance: Money
    rate: Rate | None


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


async def _read_many(rt: Runtime, wanted: list[tuple[int, int]]) -> list[Order | None]:
    """Return the order for each (customer id, order id).

    Those that have not changed since they were last read are not read again.
    """
    known: dict[int, Order] = rt.local.setdefault("orders.read", {})
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


async def cancel(rt: Runtime, caller: Caller, order_id: int, *, show: str | None) -> Canceled:
    """End an order that had no message and gives the money back.

    The supplier is told first: when it refuses, the order stays as it is. A message that commits
    before us wins. Raises NotFound, StateForbids, CancelTooEarly, CancelCapReached, SupplierFailed,
    RateUnavailable.
    """
    rate = await rates.current(rt, show) if show else None
    order = await rt.repeat(
        "orders.cancel.check", lambda tx: _cancellable(rt, tx, caller, order_id)
    )
    if order.provider_ref is not None:
        try:
            await answered(
                rt.suppliers[order.provider].release(order.provider_ref, Outcome.CANCELED),
                within_s=CUSTOMER_WAITS_S,
            )
        except ProviderError as error:
            raise SupplierFailed(
                attempts=[(order.offer_id, order.provider, error.cause.value)]
            ) from error

    async def work(tx: Tx) -> Canceled:
        before = await _cancellable(rt, tx, caller, order_id)
        ended = await rows.end(tx, Event.CANCEL, [order_id], now=rt.clock.now())
        if not ended:
            raise StateForbids(state=before.state.name.lower())
        after = await _locked(tx, caller, order_id)
        balance = await accounts.available(tx, caller.wallet_id)
        return Canceled(
            after, Money(after.price, after.currency), Money(balance, after.currency), rate
        )

    canceled = await rt.run("orders.cancel", work)
    await changes.tell(rt, [order_id])
    await guard.review(rt, [caller.customer_id])
    return canceled


async def finish(rt: Runtime, caller: Caller, order_id: int) -> Order:
    """Complete an order that had a message and free its number at once.

    Raises NotFound or StateForbids.
    """

    async def work(tx: Tx) -> Order:
        order = await _locked(tx, caller, order_id)
        domain.check_finish(order, now=rt.clock.now())
        if not await rows.end(tx, Event.FINISH, [order_id], now=rt.clock.now()):
            raise StateForbids(state=order.state.name.lower())
        return await _locked(tx, caller, order_id)

    order = await rt.run("orders.finish", work)
    await changes.tell(rt, [order_id])
    with suppress(
        ProviderError
    ):  # at once, so that the number can be had again; the job sees to it otherwise
        await answered(release_at_supplier(rt, {"order": order_id}), within_s=CUSTOMER_WAITS_S)
    return order


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


async def expire_due(rt: Runtime) -> int:
    """End all orders whose time has passed; return how many."""
    now = rt.clock.now()
    work = Sweep(
        "orders.expire",
        EXPIRE_BATCH,
        partial(rows.due_to_expire, now=now),
        partial(_expire, now),
        int,
    )
    ended = await sweep(rt, work)
    if ended:
        await changes.tell(rt, [item.order_id for item in ended])
        await guard.review(rt, [item.customer_id for item in ended if item.refunded])
    return len(ended)


async def release_quarantined(rt: Runtime) -> int:
    """Put numbers whose quarantine is over back on sale; return how many."""
    due = partial(rows.due_to_return, now=rt.clock.now())
    return len(
        await sweep(
            rt, Sweep("stock.release_quarantined", QUARANTINE_BATCH, due, rows.return_numbers, int)
        )
    )


async def _expire(now: datetime, tx: Tx, order_ids: list[int]) -> list[Ended]:
    return await rows.end(tx, Event.EXPIRE, order_ids, now=now)


async def release_at_supplier(rt: Runtime, payload: Mapping[str, Any]) -> None:
    """Tell a supplier how the use of its number ended (job `orders.release`).

    Raises ProviderError to be tried again.
    """
    if "ref" in payload:  # a number that no order of ours has
        await answered(rt.suppliers[payload["provider"]].release(payload["ref"], Outcome.CANCELED))
        return
    found = await rt.repeat("orders.release", lambda tx: rows.read_any(tx, int(payload["order"])))
    if found is not None and found.provider_ref is not None and found.state in _OUTCOMES:
        await answered(
            rt.suppliers[found.provider].release(found.provider_ref, _OUTCOMES[found.state])
        )


async def _cancellable(rt: Runtime, tx: Tx, caller: Caller, order_id: int) -> Order:
    """Return the order, locked, when it may be cancelled now."""
    order = await _locked(tx, caller, order_id)
    now = rt.clock.now()
    domain.check_cancel(order, now=now)
    if rt.settings.rate_limits:
        hours: Iterable[Any] = await guard_rows.hours(tx, caller.customer_id, now=now)
        if cancels_today(hours, now=now) >= CANCELS_PER_DAY_MAX:
            raise CancelCapReached(
                retry_after_s=SECONDS_PER_DAY - (now.hour * 60 + now.minute) * 60 - now.second
            )
    return order


async def _locked(tx: Tx, caller: Caller, order_id: int) -> Order:
    """Return the customer's order with its row locked. Raises NotFound."""
    order = await rows.lock(tx, customer_id=caller.customer_id, order_id=order_id)
    if order is None or order.state not in VISIBLE:
        raise NotFound(what="order")
    return order
