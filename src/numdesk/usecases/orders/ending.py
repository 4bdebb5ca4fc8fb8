"""End orders: cancel, finish, expire; return their numbers to the shelf or to the supplier."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from numdesk.domain.customers.abuse_guard import CANCELS_PER_DAY_MAX, cancels_today
from numdesk.domain.customers.callers import Caller
from numdesk.domain.errors import StateForbids
from numdesk.domain.fx import Rate
from numdesk.domain.money import Money
from numdesk.domain.orders import lifecycle as domain
from numdesk.domain.orders.lifecycle import Event, Order, State
from numdesk.domain.orders.refusals import CancelCapReached, SupplierFailed
from numdesk.ports.errors import ProviderError
from numdesk.ports.suppliers import Outcome
from numdesk.runtime import Runtime
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
from numdesk.usecases.orders.lifecycle import _locked

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
