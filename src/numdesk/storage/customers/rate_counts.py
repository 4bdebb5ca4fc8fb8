"""Counts of rate limits, exchanged between processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from numdesk.storage.database.old_rows import by_columns

if TYPE_CHECKING:
    from numdesk.storage.database.pool import Tx


async def exchange_counts(
    tx: Tx, counts: Sequence[tuple[int, str, int, int]], *, origin: str
) -> dict[tuple[int, str], int]:
    """Write this process's rate counts (subject, bucket, window start, n) and returns what the
    others counted in the same windows."""
    subjects, buckets, windows, totals = ([row[i] for row in counts] for i in range(4))
    await tx.execute(
        """insert into rate_counts as r (customer_id, bucket, origin, window_start, n)
             select c, b, $5, w, n from unnest($1::int[], $2::text[], $3::bigint[], $4::int[]) u(c,
               b, w, n)
           on conflict (customer_id, bucket, origin) do update
             set window_start = excluded.window_start, n = excluded.n""",
        subjects,
        buckets,
        windows,
        totals,
        origin,
    )
    rows = await tx.fetch(
        """select r.customer_id, r.bucket, sum(r.n)::int from rate_counts r
             join unnest($1::int[], $2::text[], $3::bigint[]) u(c, b, w) on r.customer_id = u.c
               and r.bucket = u.b and r.window_start = u.w
             where r.origin <> $4 group by 1, 2""",
        subjects,
        buckets,
        windows,
        origin,
    )
    return {(row[0], row[1]): row[2] for row in rows}


#: Rate counts. No index finds these: it would make each of the many updates dearer, and the table
#: is small when it is swept.
OLD_COUNTS = by_columns(
    "rate_counts",
    "window_start < extract(epoch from $1::timestamptz)",
    key="customer_id, bucket, origin",
    same="o.customer_id = (k ->> 0)::int and o.bucket = k ->> 1 and o.origin = k ->> 2",
)
