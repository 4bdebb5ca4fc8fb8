"""Deletes what nobody needs any longer."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from numdesk.storage import idempotency

if TYPE_CHECKING:
    from numdesk.runtime import Runtime

#: Idempotency keys live at least a week in the vendors' papers; the eighth day is for clocks that differ.
KEYS_KEPT = timedelta(days=8)
#: Rows deleted by one transaction, so that none of them holds locks for long.
BATCH = 1000


async def forget_keys(rt: Runtime) -> int:
    """Deletes recorded idempotency keys that are too old to be replayed; returns how many."""
    total = 0
    while True:
        before = rt.clock.now() - KEYS_KEPT
        count = await rt.run("idempotency.forget", lambda tx, before=before: idempotency.forget_old(tx, before=before, limit=BATCH))
        total += count
        if count < BATCH:
            return total
