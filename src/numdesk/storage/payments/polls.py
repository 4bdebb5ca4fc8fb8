"""Top-ups to ask a gateway about, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numdesk.storage.database.pool import Tx


@dataclass(frozen=True, slots=True)
class Round:
    """One round of questions to one gateway: top-ups due at `now` are next due after their next
    delay.

    A top-up is asked about until `kept` after its invoice's end.
    """

    provider: str
    now: datetime
    delays: Sequence[timedelta]
    kept: timedelta


async def due_to_poll(
    tx: Tx, *, polling: Round, limit: int, without: Sequence[int], only: Sequence[int] | None
) -> list[int]:
    """Return a gateway's top-ups that are to be asked about now, locked, leaving some out, or only
    of those named.

    Customers take turns, so that the thousands of one do not stand before the few of another.
    """
    rows = await tx.fetch(
        """select d.id from topups d where d.next_poll_at <= $1 and d.id = any(array(
             select r.id from (
               select c.id, c.next_poll_at, row_number() over (partition by c.customer_id
                 order by c.next_poll_at, c.id) turn
                 from topups c where c.provider = $3 and c.next_poll_at <= $1
                   and c.id <> all($4::bigint[])
                   and ($5::bigint[] is null or c.id = any($5))) r
               order by r.turn, r.next_poll_at, r.id limit $2))
           for update skip locked""",
        polling.now,
        limit,
        polling.provider,
        without,
        only,
    )
    return sorted(row["id"] for row in rows)


async def put_off(tx: Tx, topup_ids: Sequence[int], *, polling: Round) -> Sequence[int]:
    """Put each of these top-ups off by its next delay, and return them."""
    await tx.execute(
        """update topups t set polls = t.polls + 1,
             next_poll_at = case when coalesce(t.expires_at, t.created_at) + $3 > $1
                                 then $1 + ($2::interval[])[least(t.polls + 2,
                                   array_length($2::interval[], 1))] end
             where t.id = any($4)""",
        polling.now,
        list(polling.delays),
        polling.kept,
        topup_ids,
    )
    return topup_ids
