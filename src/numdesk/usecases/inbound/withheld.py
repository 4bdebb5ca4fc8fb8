"""Messages as staff see them: those of another service than they came for, any one by its id, and
releasing one that was withheld."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from numdesk.domain.errors import NotFound, StateForbids
from numdesk.storage import recognition as rows
from numdesk.storage.inbound import released
from numdesk.storage.recognition import KeptMessage
from numdesk.usecases.orders import changes
from numdesk.usecases.webhooks import deliveries

if TYPE_CHECKING:
    from numdesk.runtime import Runtime
    from numdesk.storage.database.pool import Tx

__all__ = ["KeptMessage", "count_withheld", "foreign", "read", "release"]

#: The longest page.
PAGE_MAX = 1000
ID_MAX = 2**63 - 1


async def foreign(rt: Runtime, *, limit: int, before: int | None = None) -> list[KeptMessage]:
    """Return messages of another service than they came for, newest first, from below an id."""
    return await rt.repeat(
        "messages.foreign",
        lambda tx: rows.foreign_messages(tx, limit=min(limit, PAGE_MAX), before=before),
    )


async def read(rt: Runtime, message_id: int) -> KeptMessage:
    """Return a message. Raises NotFound."""
    known = 0 < message_id <= ID_MAX
    found = (
        await rt.repeat("messages.read", lambda tx: rows.message(tx, message_id=message_id))
        if known
        else None
    )
    if found is None:
        raise NotFound(what=f"message {message_id}")
    return found


async def release(rt: Runtime, message_id: int) -> KeptMessage:
    """Give a withheld message to the customer it came for, which earns the order as usual.

    A repeat changes nothing.

    Raises NotFound, and with StateForbids when the order or the rental's term has ended, because
    its money is settled.
    """
    found = await read(rt, message_id)
    if not found.withheld:
        return found

    async def work(tx: Tx) -> bool:
        now = rt.clock.now()
        if found.rental is not None:
            return await released.release_to_rental(
                tx, message_id=message_id, rental=found.rental, now=now
            )
        assert found.order_id is not None, "a message is withheld from an order or from a rental"
        return await released.release_to_order(
            tx, message_id=message_id, order_id=found.order_id, now=now
        )

    if not await rt.run("messages.release", work):
        raise StateForbids(state="ended")
    if found.order_id is None:
        deliveries.wake(rt)
    else:
        await changes.tell(rt, [found.order_id])
    return await read(rt, message_id)


async def count_withheld(rt: Runtime, *, hours: int) -> int:
    """Count the messages that were withheld in the last so many hours."""
    since = rt.clock.now() - timedelta(hours=hours)
    return await rt.repeat(
        "messages.count_withheld", lambda tx: rows.count_withheld(tx, since=since)
    )
