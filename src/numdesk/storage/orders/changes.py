"""Word of changed orders between processes, by NOTIFY outside any money transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numdesk.storage.database.pool import Tx

CHANNEL = "numdesk_orders"
#: A NOTIFY carries less than 8,000 bytes; ten digits and a comma for each order.
IDS_PER_NOTE = 700


async def notify(tx: Tx, order_ids: Sequence[int]) -> None:
    """Tell every listening process that the orders have changed."""
    notes = [
        ",".join(map(str, order_ids[start : start + IDS_PER_NOTE]))
        for start in range(0, len(order_ids), IDS_PER_NOTE)
    ]
    await tx.execute("select pg_notify($1, note) from unnest($2::text[]) note", CHANNEL, notes)


def parse_note(note: str) -> list[int]:
    """Return the order ids of a note."""
    return [int(text) for text in note.split(",") if text.isascii() and text.isdigit()]
