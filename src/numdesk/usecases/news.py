"""Who waits for an order to change, and how word gets round: at once here, by NOTIFY elsewhere, by looking when all else fails."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from numdesk.runtime import Runtime
from numdesk.storage import news as rows
from numdesk.storage import orders as order_rows
from numdesk.usecases import deliveries

#: Looking for changes that nobody told us of (the teller was killed between commit and word) asks for so many orders at once.
LOOK_BATCH = 5_000


@dataclass(slots=True)
class _Waiters:
    """Futures by order id, and the revision that each awaited order had when it was last looked at."""

    by_order: dict[int, list[asyncio.Future[None]]] = field(default_factory=dict)
    revisions: dict[int, int] = field(default_factory=dict)
    untold: set[int] = field(default_factory=set)
    telling: asyncio.Task[None] | None = None


def _waiters(rt: Runtime) -> _Waiters:
    waiters = rt.local.get("news")
    if waiters is None:
        waiters = rt.local["news"] = _Waiters()
    return waiters


def expect(rt: Runtime, order_id: int) -> asyncio.Future[None]:
    """Returns a future that is done when the order changes after this call."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    _waiters(rt).by_order.setdefault(order_id, []).append(future)
    return future


def give_up(rt: Runtime, order_id: int, future: asyncio.Future[None]) -> None:
    """Forgets a future of `expect`."""
    waiters = _waiters(rt)
    waiting = waiters.by_order.get(order_id)
    if waiting is not None and future in waiting:
        waiting.remove(future)
        if not waiting:
            del waiters.by_order[order_id]
            waiters.revisions.pop(order_id, None)


def ring(future: asyncio.Future[None]) -> None:
    """Wakes one waiter."""
    if not future.done():
        future.set_result(None)


def wake(rt: Runtime, order_ids: Iterable[int]) -> None:
    """Wakes everybody in this process who waits for one of the orders."""
    waiters = _waiters(rt)
    if not waiters.by_order:
        return
    for order_id in order_ids:
        for future in waiters.by_order.pop(order_id, ()):
            ring(future)
        waiters.revisions.pop(order_id, None)


async def tell(rt: Runtime, order_ids: Sequence[int]) -> None:
    """Says that the orders have changed: here at once, to the other processes soon. Called after the commit, never inside it:
    NOTIFY in a money transaction would take a lock of the whole database at commit."""
    wake(rt, order_ids)
    deliveries.wake(rt)
    if rt.alone:
        return
    waiters = _waiters(rt)
    waiters.untold.update(order_ids)
    if waiters.telling is None:
        waiters.telling = asyncio.create_task(_tell_others(rt, waiters))


async def _tell_others(rt: Runtime, waiters: _Waiters) -> None:
    """Sends what has gathered, and what gathers meanwhile."""
    try:
        while waiters.untold:
            batch = sorted(waiters.untold)
            waiters.untold.clear()
            await rt.repeat("news.tell", lambda tx, ids=batch: rows.notify(tx, ids))
    finally:
        waiters.telling = None


async def listen(rt: Runtime) -> None:
    """Hears from the other processes until cancelled; `look` covers what is said while the line is down."""
    await rt.database.listen(rows.CHANNEL, lambda note: wake(rt, rows.parse_note(note)))


async def look(rt: Runtime) -> None:
    """Wakes whoever waits for an order that changed without word of it."""
    waiters = _waiters(rt)
    awaited = list(waiters.by_order)
    for start in range(0, len(awaited), LOOK_BATCH):
        chunk = awaited[start : start + LOOK_BATCH]
        current = await rt.repeat("news.look", lambda tx, ids=chunk: order_rows.revisions(tx, ids))
        changed = [order_id for order_id, revision in current.items() if waiters.revisions.setdefault(order_id, revision) != revision]
        wake(rt, changed)
