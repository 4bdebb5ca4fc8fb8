"""Messages as staff see them: those of another service than they came for, and any one by its id."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from numdesk.domain.errors import NotFound
from numdesk.storage import recognition as rows
from numdesk.storage.recognition import KeptMessage

if TYPE_CHECKING:
    from numdesk.runtime import Runtime

__all__ = ["KeptMessage", "count_withheld", "foreign", "read"]

#: The longest page.
PAGE_MAX = 1000
ID_MAX = 2**63 - 1


async def foreign(rt: Runtime, *, limit: int, before: int | None = None) -> list[KeptMessage]:
    """Returns messages of another service than they came for, newest first, from below an id."""
    return await rt.repeat("messages.foreign", lambda tx: rows.foreign_messages(tx, limit=min(limit, PAGE_MAX), before=before))


async def read(rt: Runtime, message_id: int) -> KeptMessage:
    """Returns a message; refuses with NotFound."""
    known = 0 < message_id <= ID_MAX
    found = await rt.repeat("messages.read", lambda tx: rows.message(tx, message_id=message_id)) if known else None
    if found is None:
        raise NotFound(what=f"message {message_id}")
    return found


async def count_withheld(rt: Runtime, *, hours: int) -> int:
    """Counts the messages that were withheld in the last so many hours."""
    since = rt.clock.now() - timedelta(hours=hours)
    return await rt.repeat("messages.count_withheld", lambda tx: rows.count_withheld(tx, since=since))
