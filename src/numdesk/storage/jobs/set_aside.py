"""Items that a sweep could not do and went on without."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numdesk.storage.database.pool import Tx

#: How much of an error is kept as the reason.
REASON_CHARS_MAX = 500


@dataclass(frozen=True, slots=True)
class Aside:
    """An item of a sweep, why it failed, how often, since when, and when it is tried again."""

    sweep: str
    item: str
    reason: str
    failures: int
    since: datetime
    again_at: datetime


async def of_sweep(tx: Tx, sweep: str) -> list[Aside]:
    """Return what one sweep has set aside."""
    rows = await tx.fetch(
        "select sweep, item, reason, failures, since, again_at from set_aside where sweep = $1 "
        "order by again_at, item",
        sweep,
    )
    return [Aside(*row) for row in rows]


async def listed(tx: Tx, *, limit: int) -> list[Aside]:
    """Return the items set aside by any sweep, the longest first."""
    rows = await tx.fetch(
        "select sweep, item, reason, failures, since, again_at from set_aside order by since, "
        "sweep, item limit $1",
        limit,
    )
    return [Aside(*row) for row in rows]


async def put(tx: Tx, *, sweep: str, item: str, reason: str, now: datetime) -> int:
    """Set an item aside, for a minute at first and each time twice as long, a day at most.

    Return how often it has failed.
    """
    return await tx.fetchval(
        """insert into set_aside as s (sweep, item, reason, since, again_at)
            values ($1, $2, $3, $4, $4::timestamptz + interval '1 minute')
           on conflict (sweep, item) do update
             set reason = excluded.reason, failures = s.failures + 1,
             again_at = $4::timestamptz + least(interval '1 minute' * 2 ^ least(s.failures, 20),
               interval '1 day')
           returning failures""",
        sweep,
        item,
        reason.replace("\0", "")[:REASON_CHARS_MAX],
        now,
    )


async def drop(tx: Tx, *, sweep: str, item: str) -> None:
    """Forget that an item was set aside."""
    await tx.execute("delete from set_aside where sweep = $1 and item = $2", sweep, item)
