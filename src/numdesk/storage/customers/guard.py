"""Endings of orders that the guard against abuse counts by the hour, and its bans, as rows."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from numdesk.domain.customers.abuse_guard import Hour, Verdict
from numdesk.storage.database.old_rows import by_columns

if TYPE_CHECKING:
    from numdesk.storage.database.pool import Tx


async def count_cancel(tx: Tx, customer_id: int, *, now: datetime) -> None:
    """Count something that the customer cancelled before a message came, as `count_endings_v1` does
    for orders."""
    await tx.execute(
        """insert into customer_hours as h (customer_id, hour, canceled)
            values ($1, date_trunc('hour', $2::timestamptz, 'UTC'), 1)
             on conflict (customer_id, hour) do update set canceled = h.canceled + 1""",
        customer_id,
        now,
    )


async def hours(tx: Tx, customer_id: int, *, now: datetime) -> list[Hour]:
    """Return how the customer's orders ended in each hour of the last day."""
    rows = await tx.fetch(
        "select hour, received, canceled, expired from customer_hours where customer_id = $1 and "
        "hour > $2 order by hour",
        customer_id,
        now - timedelta(hours=25),
    )
    return [Hour(row[0], row[1], row[2], row[3]) for row in rows]


async def set_guard(tx: Tx, customer_id: int, verdict: Verdict) -> None:
    """Close ordering for the customer, unless it is closed for longer already."""
    await tx.execute(
        "update customers set guard_until = $2, guard_tier = $3 where id = $1 and (guard_until is "
        "null or guard_until < $2)",
        customer_id,
        verdict.until,
        verdict.tier,
    )


#: How customers' orders ended in an hour.
OLD_HOURS = by_columns(
    "customer_hours",
    "hour < $1 order by hour",
    key="customer_id, hour",
    same="o.customer_id = (k ->> 0)::int and o.hour = (k ->> 1)::timestamptz",
)
