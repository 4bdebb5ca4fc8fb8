"""Our own numbers: counting them, loading many, taking them off the shelf."""

from __future__ import annotations

from datetime import datetime

from numdesk.domain.catalogue import Stock
from numdesk.storage.pool import Tx


async def count_free(tx: Tx) -> dict[tuple[int, int | None], int]:
    """Counts the free numbers by country and by operator; both counts are read from partial indexes alone."""
    rows = await tx.fetch(
        """select country_id, null::int operator_id, count(*) n from numbers where state = 0 group by country_id
           union all
           select country_id, operator_id, count(*) from numbers where state = 0 and operator_id is not null
            group by country_id, operator_id""")
    return {(row["country_id"], row["operator_id"]): row["n"] for row in rows}


async def count_cooling(tx: Tx, *, now: datetime) -> dict[tuple[int, int | None, int], int]:
    """Counts the free numbers that may not be sold yet for a service, by country, operator and service."""
    rows = await tx.fetch(
        """select n.country_id, n.operator_id, u.service_id, count(*) n
             from number_uses u join numbers n on n.id = u.number_id and n.state = 0
            where u.until > $1 group by 1, 2, 3""", now)
    cooling: dict[tuple[int, int | None, int], int] = {}
    for row in rows:
        for operator_id in {row["operator_id"], None}:
            key = (row["country_id"], operator_id, row["service_id"])
            cooling[key] = cooling.get(key, 0) + row["n"]
    return cooling


async def count(tx: Tx, *, now: datetime) -> Stock:
    """Counts what is free and what is cooling down."""
    return Stock(await count_free(tx), await count_cooling(tx, now=now))
