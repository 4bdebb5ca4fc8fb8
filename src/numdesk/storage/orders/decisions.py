"""Routing decisions as rows."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from numdesk.storage.database.old_rows import by_id

if TYPE_CHECKING:
    from numdesk.storage.database.pool import Tx


async def keep_decision(tx: Tx, *, digest: bytes, document: str, now: datetime) -> int:
    """Return the id of a routing decision, adding it when it is new, and note that it is in use."""
    return await tx.fetchval(
        """insert into routing_decisions (digest, document, used_at)
            values ($1, $2::text::jsonb, $3)
           on conflict (digest) do update set used_at = greatest(routing_decisions.used_at,
             excluded.used_at) returning id""",
        digest,
        document,
        now,
    )


async def decision(tx: Tx, *, order_id: int) -> dict[str, object] | None:
    """Return the routing decision that was kept with an order, or None."""
    text = await tx.fetchval(
        "select d.document from orders o join routing_decisions d on d.id = o.decision_id where "
        "o.id = $1",
        order_id,
    )
    return msgspec.json.decode(text) if isinstance(text, str) else None


#: Routing decisions, by when they were last made; orders of that time lose their explanation.
OLD_DECISIONS = by_id("routing_decisions", "used_at < $1 order by used_at")
