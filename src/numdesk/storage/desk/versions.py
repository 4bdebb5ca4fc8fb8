"""Versions of what processes remember."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numdesk.storage.database.pool import Tx


async def versions(tx: Tx) -> dict[str, int]:
    """Return the counters that say whether what a process remembers has become old."""
    return {row[0]: row[1] for row in await tx.fetch("select name, n from versions")}
