"""Rows of `settings`: single named values that belong to the installation and not to a process."""

from __future__ import annotations

from typing import Any

import msgspec

from numdesk.storage.database.pool import Tx


async def read(tx: Tx, *, name: str) -> Any:
    """Return a setting's value as JSON gives it, or None."""
    text = await tx.fetchval("select value from settings where name = $1", name)
    return msgspec.json.decode(text) if isinstance(text, str) else None


async def write(tx: Tx, *, name: str, value: object) -> None:
    """Set a setting."""
    await tx.execute(
        "insert into settings (name, value) values ($1, $2) on conflict (name) do update set "
        "value = excluded.value",
        name,
        msgspec.json.encode(value).decode(),
    )


async def add_number(tx: Tx, *, name: str, amount: float) -> float:
    """Add to a setting that is a number (0 when there is none yet) and returns the sum."""
    total = await tx.fetchval(
        """insert into settings (name, value) values ($1, to_jsonb($2::float8))
           on conflict (name) do update set value = to_jsonb((settings.value #>> '{}')::float8 + $2)
           returning (value #>> '{}')::float8""",
        name,
        amount,
    )
    assert isinstance(total, float)
    return total
