"""Deletes what nobody needs any longer, from each table that only grows and is neither money nor orders.

Texts of SMS leave `messages` after ninety days. Their copies in orders (`otp_message`, `otp_code`) and in the documents of events that
were never to be delivered stay: how long customers may read them is still to be decided. `routing_decisions` stays whole: it has one
row per ranking, not per order, and no time that would tell an unused row from one that is about to be used.
"""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Protocol

from numdesk.storage import idempotency
from numdesk.storage import retention as rows

if TYPE_CHECKING:
    from numdesk.runtime import Runtime
    from numdesk.storage.pool import Tx

#: Idempotency keys live at least a week in the vendors' papers; the eighth day is for clocks that differ.
KEYS_KEPT = timedelta(days=8)
#: Ended deliveries with their attempts and events: as long as a customer may want to know why a webhook did not come.
DELIVERIES_KEPT = timedelta(days=90)
MESSAGES_KEPT = timedelta(days=90)
#: Segments of a message that was put together; a supplier repeats one for a day at most.
PARTS_KEPT = timedelta(days=7)
#: The abuse guard looks at a day.
HOURS_KEPT = timedelta(days=40)
#: Windows last a minute; the rest is for clocks that differ.
COUNTS_KEPT = timedelta(hours=1)
#: Rows deleted by one transaction, so that none of them holds locks for long.
BATCH = 1000


class Forget(Protocol):
    """Deletes one batch of a table and returns its size."""

    def __call__(self, tx: Tx, /, *, before: datetime, limit: int) -> Awaitable[int]:
        """Delete up to `limit` rows older than `before`."""
        ...


async def forget_keys(rt: Runtime) -> int:
    """Deletes recorded idempotency keys that are too old to be replayed; returns how many."""
    return await _sweep(rt, "idempotency.forget", idempotency.forget_old, before=rt.clock.now() - KEYS_KEPT)


async def forget_deliveries(rt: Runtime) -> int:
    """Deletes deliveries that ended long ago, with their attempts and events; returns how many."""
    return await _sweep(rt, "webhooks.forget", rows.forget_deliveries, before=rt.clock.now() - DELIVERIES_KEPT)


async def forget_messages(rt: Runtime) -> int:
    """Deletes old messages; returns how many."""
    return await _sweep(rt, "messages.forget", rows.forget_messages, before=rt.clock.now() - MESSAGES_KEPT)


async def forget_parts(rt: Runtime) -> int:
    """Deletes segments that were joined long ago; returns how many."""
    return await _sweep(rt, "messages.forget_parts", rows.forget_parts, before=rt.clock.now() - PARTS_KEPT)


async def forget_uses(rt: Runtime) -> int:
    """Deletes uses of numbers whose time is over; returns how many."""
    return await _sweep(rt, "stock.forget_uses", rows.forget_uses, before=rt.clock.now())


async def forget_hours(rt: Runtime) -> int:
    """Deletes how orders ended in hours long past; returns how many."""
    return await _sweep(rt, "customers.forget_hours", rows.forget_hours, before=rt.clock.now() - HOURS_KEPT)


async def forget_counts(rt: Runtime) -> int:
    """Deletes rate counts of windows long past, by real time as they were counted; returns how many."""
    return await _sweep(rt, "limits.forget", rows.forget_counts, before=rt.clock.wall() - COUNTS_KEPT)


async def _sweep(rt: Runtime, name: str, forget: Forget, *, before: datetime) -> int:
    """Deletes batch after batch, each in a transaction of its own, until one finds nothing; a row that must stay shortens its batch."""
    work = partial(forget, before=before, limit=BATCH)
    total = 0
    while count := await rt.run(name, work):
        total += count
    return total
