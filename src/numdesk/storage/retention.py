"""Forget old rows by the commands that their areas give.

Settings hold how far a table was looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from numdesk.storage.database.old_rows import Old
from numdesk.storage.desk import settings

if TYPE_CHECKING:
    from numdesk.storage.database.pool import Tx


async def due(
    tx: Tx,
    *,
    old: Old,
    before: datetime,
    limit: int,
    without: Sequence[str],
    only: Sequence[str] | None,
) -> list[str]:
    """Return the keys of up to `limit` rows from before a time, except `without`, or only of
    `only`."""
    seen = [] if old.mark is None else [int(await settings.read(tx, name=old.mark) or 0)]
    return [row[0] for row in await tx.fetch(old.due, before, limit, without, only, *seen)]


async def forget(tx: Tx, keys: Sequence[str], *, old: Old) -> Sequence[str]:
    """Forget these rows and return their keys."""
    for command in old.forget:
        await tx.execute(command, keys)
    return keys


async def passed(tx: Tx, keys: Sequence[str], *, old: Old) -> None:
    """Move the mark of a table that has one behind the rows that were looked at."""
    if old.mark is not None:
        await settings.write(tx, name=old.mark, value=max(map(int, keys)))
