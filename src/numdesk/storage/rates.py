"""Exchange rates as rows."""

from __future__ import annotations

from numdesk.domain.fx import Rate
from numdesk.storage.database.pool import Tx


async def read(tx: Tx, *, pair: str) -> Rate | None:
    """Return the rate of a pair, whatever its age."""
    row = await tx.fetchrow("select pair, rate, as_of from fx_rates where pair = $1", pair)
    return Rate(row["pair"], row["rate"], row["as_of"]) if row else None


async def every(tx: Tx) -> list[Rate]:
    """Return all rates by pair."""
    return [
        Rate(*row) for row in await tx.fetch("select pair, rate, as_of from fx_rates order by pair")
    ]


async def write(tx: Tx, *, rate: Rate) -> None:
    """Set the rate of a pair."""
    await tx.execute(
        """insert into fx_rates (pair, rate, as_of) values ($1, $2, $3)
           on conflict (pair) do update set rate = excluded.rate, as_of = excluded.as_of""",
        rate.pair,
        rate.value,
        rate.as_of,
    )


async def remove(tx: Tx, *, pair: str) -> None:
    """Take the rate of a pair away."""
    await tx.execute("delete from fx_rates where pair = $1", pair)
