"""Facts about the database as a whole."""

from __future__ import annotations

from numdesk.storage.pool import Tx


async def is_empty(tx: Tx) -> bool:
    """Does the database hold no customer, no number and no offer?"""
    found = await tx.fetchval(
        """select not exists (select from customers) and not exists (select from numbers)
              and not exists (select from offers)"""
    )
    return bool(found)
