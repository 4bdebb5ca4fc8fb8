"""Customers below their mark, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numdesk.storage.database.pool import Tx


async def look(
    tx: Tx, customer_ids: Sequence[int], *, dialect: str, currency: str, mark: int, now: datetime
) -> None:
    """Note who is below or above their mark now, and write an event for each who has just fallen
    below it."""
    await tx.execute(
        """with money as (
             select a.owner::int id, sum(a.balance)::bigint balance,
               sum(a.balance - a.held)::bigint available
               from accounts a where a.owner = any($1::bigint[]) and a.kind in ('wallet', 'bonus')
                 and a.currency = $3 group by a.owner),
           judged as (
             select m.*, coalesce((c.options->>'low_balance')::bigint, $4) mark from money m
               join customers c on c.id = m.id),
           crossed as (
             update customers c set told_low = not c.told_low from judged j
               where c.id = j.id and c.id = any($5::int[]) and c.told_low <> (j.available < j.mark)
               returning c.id, c.told_low, j.balance, j.available, j.mark)
           insert into events (customer_id, dialect, kind, document, at)
             select id, $2, 'balance.low', jsonb_build_object('v', 1, 'balance', balance,
               'available', available, 'threshold', mark), $6
               from crossed where told_low order by id""",
        customer_ids,
        dialect,
        currency,
        mark,
        customer_ids,
        now,
    )


async def signing_dialect(tx: Tx, customer_id: int, *, currency: str) -> str | None:
    """Return the dialect of the customer's newest key that signs and pays in this currency, None
    without one."""
    return await tx.fetchval(
        """select dialect from api_keys where customer_id = $1 and currency = $2
            and secret is not null and revoked_at is null
             order by id desc limit 1""",
        customer_id,
        currency,
    )
