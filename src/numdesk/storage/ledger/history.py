"""A customer's history, journal by journal, and the notes that go with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from numdesk.domain.pages import Page

if TYPE_CHECKING:
    from asyncpg import Record

    from numdesk.storage.database.pool import Tx


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One journal as its customer sees it, in minor units: their gain, and their total before and
    after."""

    id: int
    type: str
    amount: int
    balance_before: int
    balance_after: int
    description: str
    metadata: Mapping[str, Any]
    at: datetime


async def describe(
    tx: Tx,
    journal_id: int,
    *,
    type: str,  # noqa: A002
    description: str,
    metadata: Mapping[str, Any],
) -> None:
    """Keep what a customer's history says of a journal.

    Written with the journal, in its transaction.
    """
    document = msgspec.json.encode(
        {"type": type, "description": description, "metadata": metadata}
    ).decode()
    await tx.execute(
        "insert into journal_details (journal_id, document) values ($1, $2::text::jsonb) on "
        "conflict do nothing",
        journal_id,
        document,
    )


async def history(
    tx: Tx, *, accounts: Sequence[int], limit: int, offset: int, ascending: bool
) -> Page[HistoryLine]:
    """Return a page of the journals that moved these accounts of one customer, at most two.

    The total is the accounts' sum.
    """
    total = await tx.fetchval(
        "select coalesce(sum(lines), 0)::bigint from accounts where id = any($1::bigint[])",
        accounts,
    )
    # A page is reached by walking there from the nearer end.
    size = max(min(limit, total - offset), 0)
    from_oldest = ascending == (offset <= total // 2)
    skip = offset if from_oldest == ascending else max(total - offset - size, 0)
    rows = await tx.fetch(
        """select journal_id, amount, after, reason, note, at, document::text
             from account_lines_v1($1, $2, $3, $4, $5) order by last_id""",
        accounts[0],
        accounts[1] if len(accounts) > 1 else None,
        from_oldest,
        size,
        skip,
    )
    lines = [_line(row) for row in rows]
    return Page(tuple(lines if ascending else reversed(lines)), total)


#: How journals without a note of their own are called.
_TYPES: Mapping[str, tuple[str, str]] = {
    "order.earn": ("charge", "Number order"),
    "bonus.given": ("bonus", "Bonus"),
    "reversal": ("adjustment", "Reversal"),
}


def _line(row: Record) -> HistoryLine:
    word, description = _TYPES.get(row["reason"], ("adjustment", "Adjustment"))
    known = msgspec.json.decode(row["document"]) if row["document"] else {}
    return HistoryLine(
        row["journal_id"],
        known.get("type", word),
        row["amount"],
        row["after"] - row["amount"],
        row["after"],
        known.get("description", row["note"] or description),
        known.get("metadata", {}),
        row["at"],
    )
