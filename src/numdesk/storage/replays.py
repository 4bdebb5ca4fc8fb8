"""Signatures of requests, each with the key that it came with first."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numdesk.domain.customers import Caller
    from numdesk.storage.pool import Tx


async def bind(tx: Tx, caller: Caller, *, signature: bytes, key: str, now: datetime) -> str:
    """Binds a signature to a key unless it is bound already, and returns the key that it is bound to."""
    return await tx.fetchval(
        """insert into replays as r (customer_id, signature, key, seen_at) values ($1, $2, $3, $4)
           on conflict (customer_id, signature) do update set key = r.key returning key""",
        caller.customer_id,
        signature,
        key,
        now,
    )


async def forget(tx: Tx, *, before: datetime, limit: int) -> int:
    """Deletes signatures that were first seen before a time; returns how many."""
    tag = await tx.execute(
        """delete from replays where (customer_id, signature) in (
             select customer_id, signature from replays where seen_at < $1 order by seen_at limit $2 for update skip locked)""",
        before,
        limit,
    )
    return int(tag.rpartition(" ")[2])
