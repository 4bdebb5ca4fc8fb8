"""Payments that wait for a person, as rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from numdesk.domain.payments.topups import Doubt

if TYPE_CHECKING:
    from numdesk.storage.database.pool import Tx


async def count(tx: Tx) -> Mapping[tuple[str, Doubt], int]:
    """Return how many payments wait for a person, by gateway and doubt."""
    rows = await tx.fetch(
        "select provider, doubt, count(*) n from topup_payments where doubt is not null group by "
        "provider, doubt order by 1, 2"
    )
    return {(row["provider"], Doubt(row["doubt"])): row["n"] for row in rows}
