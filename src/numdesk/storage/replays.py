"""Signatures of requests, each with the key that it came with first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from numdesk.storage.pool import Tx


class Binding(NamedTuple):
    """A signature of a customer's, and the key that it came with now."""

    customer_id: int
    signature: bytes
    key: str


async def bind(tx: Tx, bindings: Sequence[Binding], *, now: datetime) -> dict[tuple[int, bytes], str]:
    """Binds each signature to its key unless it is bound already, and returns the keys that they are bound to; each signature once."""
    rows = await tx.fetch(
        """insert into replays as r (customer_id, signature, key, seen_at)
             select c, s, k, $4 from unnest($1::int[], $2::bytea[], $3::text[]) u(c, s, k) order by c, s
           on conflict (customer_id, signature) do update set key = r.key returning customer_id, signature, key""",
        [one.customer_id for one in bindings],
        [one.signature for one in bindings],
        [one.key for one in bindings],
        now,
    )
    return {(row[0], bytes(row[1])): row[2] for row in rows}


async def forget(tx: Tx, *, before: datetime, limit: int) -> int:
    """Deletes signatures that were first seen before a time; returns how many."""
    tag = await tx.execute(
        """delete from replays where (customer_id, signature) in (
             select customer_id, signature from replays where seen_at < $1 order by seen_at limit $2 for update skip locked)""",
        before,
        limit,
    )
    return int(tag.rpartition(" ")[2])
