"""Waiting for an order to change: notified at once here, by NOTIFY elsewhere, by polling when all
else fails."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from numdesk.runtime import ProcessState, Runtime
from numdesk.storage.orders import changes as rows
from numdesk.storage.orders import lifecycle as order_rows
from numdesk.usecases.webhooks import deliveries

#: Looking for changes that nobody told us of (the teller was killed between commit and word) asks
#: for so many orders at once.
LOOK_BATCH = 5_000
#: How finely waiters' times are told apart.
MOMENTS_PER_S = 10


@dataclass(slots=True)
class _Waiters:
    """Futures by order id, and the revision that each awaited order had when it was last looked at.

    Waiters whose time is up at about the same moment share one timer (`by_moment`): a timer each
    would be a tenth of their memory.
    """

    by_order: dict[int, list[asyncio.Future[None]]] = field(default_factory=dict)
    by_moment: dict[int, list[asyncio.Future[None]]] = field(default_factory=dict)
    is_closed: bool = False
    revisions: dict[int, int] = field(default_factory=dict)
    untold: set[int] = field(default_factory=set)
    telling: asyncio.Task[None] | None = None


_WAITERS = ProcessState(lambda _: _Waiters())


def _waiters(rt: Runtime) -> _Waiters:
    return _WAITERS.of(rt)


def expect(rt: Runtime, order_id: int, *, seconds: float) -> asyncio.Future[None]:
    """Return a future that is done when the order changes after this call, or after about
    `seconds`."""
    loop = asyncio.get_running_loop()
    waiters = _waiters(rt)
    future: asyncio.Future[None] = loop.create_future()
    if waiters.is_closed:
        ring(future)
        return future
    waiters.by_order.setdefault(order_id, []).append(future)
    moment = math.ceil((loop.time() + seconds) * MOMENTS_PER_S)
    together = waiters.by_moment.get(moment)
    if together is None:
        together = waiters.by_moment[moment] = []
        loop.call_at(moment / MOMENTS_PER_S, _ring_all, waiters, moment)
    together.append(future)
    return future


def close(rt: Runtime) -> None:
    """Let everybody go, now and from now on: the process is about to stop."""
    waiters = _waiters(rt)
    waiters.is_closed = True
    for moment in list(waiters.by_moment):
        _ring_all(waiters, moment)


def _ring_all(waiters: _Waiters, moment: int) -> None:
    """Wake those whose time is up at this moment."""
    for future in waiters.by_moment.pop(moment, ()):
        ring(future)


def give_up(rt: Runtime, order_id: int, future: asyncio.Future[None]) -> None:
    """Forget a future of `expect`."""
    waiters = _waiters(rt)
    waiting = waiters.by_order.get(order_id)
    if waiting is not None and future in waiting:
        waiting.remove(future)
        if not waiting:
            del waiters.by_order[order_id]
            waiters.revisions.pop(order_id, None)


def ring(future: asyncio.Future[None]) -> None:
    """Wake one waiter."""
    if not future.done():
        future.set_result(None)


def wake(rt: Runtime, order_ids: Iterable[int]) -> None:
    """Wake everybody in this process who waits for one of the orders."""
    waiters = _waiters(rt)
    if not waiters.by_order:
        return
    for order_id in order_ids:
        for future in waiters.by_order.pop(order_id, ()):
            ring(future)
        waiters.revisions.pop(order_id, None)


async def tell(rt: Runtime, order_ids: Sequence[int]) -> None:
    """Say that the orders have changed: here at once, to the other processes soon.

    Called after the commit, never inside it: NOTIFY in a money transaction would take a lock of the
    whole database at commit.
    """
    wake(rt, order_ids)
    deliveries.wake(rt)
    if rt.alone:
        return
    waiters = _waiters(rt)
    waiters.untold.update(order_ids)
    if waiters.telling is None:
        waiters.telling = asyncio.create_task(_tell_others(rt, waiters))


async def _tell_others(rt: Runtime, waiters: _Waiters) -> None:
    """Send what has gathered, and what gathers meanwhile."""
    try:
        while waiters.untold:
            batch = sorted(waiters.untold)
            waiters.untold.clear()
            await rt.repeat("news.tell", lambda tx, ids=batch: rows.notify(tx, ids))
    finally:
        waiters.telling = None


async def listen(rt: Runtime) -> None:
    """Hear from the other processes until cancelled.

    `look` covers notes sent while the line is down.
    """
    await rt.database.listen(rows.CHANNEL, lambda note: wake(rt, rows.parse_note(note)))


async def look(rt: Runtime) -> None:
    """Wake whoever waits for an order that changed without word of it."""
    waiters = _waiters(rt)
    awaited = list(waiters.by_order)
    for start in range(0, len(awaited), LOOK_BATCH):
        chunk = awaited[start : start + LOOK_BATCH]
        current = await rt.repeat("news.look", lambda tx, ids=chunk: order_rows.revisions(tx, ids))
        changed = [
            order_id
            for order_id, revision in current.items()
            if waiters.revisions.setdefault(order_id, revision) != revision
        ]
        wake(rt, changed)
