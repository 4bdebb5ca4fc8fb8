"""What moved a customer's money, journal by journal, and the notes that go with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from numdesk.domain.pages import Page

if TYPE_CHECKING:
    from asyncpg import Record

    from numdesk.storage.pool import Tx


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One journal as its customer sees it, in minor units: what they gained, and what they had in all before and after."""

    id: int
    type: str
    amount: int
    balance_before: int
    balance_after: int
    description: str
    metadata: Mapping[str, Any]
    at: datetime


async def describe(tx: Tx, journal_id: int, *, type: str, description: str, metadata: Mapping[str, Any]) -> None:  # noqa: A002
    """Keeps what a customer's history says of a journal; written with the journal, in its transaction."""
    document = msgspec.json.encode({"type": type, "description": description, "metadata": metadata}).decode()
    await tx.execute(
        "insert into journal_details (journal_id, document) values ($1, $2::text::jsonb) on conflict do nothing", journal_id, document
    )


async def history(tx: Tx, *, accounts: Sequence[int], limit: int, offset: int, ascending: bool) -> Page[HistoryLine]:
    """Returns a page of the journals that moved these accounts of one customer; what they had is the accounts' sum."""
    rows = await tx.fetch(
        """with mine as (
             select t.journal_id, sum(e.amount)::bigint amount, max(e.id) last_id
               from entries e join transfers t on t.id = e.transfer_id where e.account_id = any($1::bigint[]) group by t.journal_id),
           page as (
             select *, count(*) over () total from mine
               order by case when $4 then journal_id end, case when not $4 then journal_id end desc limit $2 offset $3)
           select p.journal_id, p.amount, p.total, j.reason, j.note, j.at, d.document::text,
                  (select sum(coalesce((select e.balance_after from entries e where e.account_id = a.id and e.id <= p.last_id
                                          order by e.id desc limit 1), 0))::bigint
                     from unnest($1::bigint[]) a(id)) as after
             from page p join journals j on j.id = p.journal_id left join journal_details d on d.journal_id = p.journal_id
             order by case when $4 then p.journal_id end, case when not $4 then p.journal_id end desc""",
        accounts,
        limit,
        offset,
        ascending,
    )
    total = rows[0]["total"] if rows else await _total(tx, accounts) if offset else 0
    return Page(tuple(_line(row) for row in rows), total)


async def _total(tx: Tx, accounts: Sequence[int]) -> int:
    return await tx.fetchval(
        """select count(distinct t.journal_id) from entries e join transfers t on t.id = e.transfer_id
             where e.account_id = any($1::bigint[])""",
        accounts,
    )


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
