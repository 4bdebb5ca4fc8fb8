"""Payments at gateways as rows: their facts and their bookings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from numdesk.domain.payments.gateway_payments import Payment
from numdesk.domain.payments.topups import Decision, Doubt, Line, Share, TopUp

if TYPE_CHECKING:
    from asyncpg import Record

    from numdesk.storage.database.pool import Tx


_facts = msgspec.json.Decoder(Payment)


@dataclass(frozen=True, slots=True)
class Booked:
    """A payment as it is known and booked: `owed` of its share was taken back and the wallet did
    not have it, `seq` counts its journals."""

    id: int
    line: Line
    share: Share
    owed: int
    seq: int
    doubt: Doubt | None
    topup_id: int
    heard_at: datetime


async def payments_of(tx: Tx, topup_ids: Sequence[int]) -> list[Booked]:
    """Return the payments of top-ups, oldest first."""
    rows = await tx.fetch(
        """select id, topup_id, facts::text, seen_at, heard_at, credit, received, fee, suspense,
            owed, seq, doubt, decision, worth
             from topup_payments where topup_id = any($1::bigint[]) order by id""",
        topup_ids,
    )
    return [_booked(row) for row in rows]


async def open_payment(
    tx: Tx, *, topup: TopUp, payment: Payment, seen_at: datetime | None, now: datetime
) -> Booked | None:
    """Keep a payment that is new to us, with nothing booked.

    None when its id belongs to another top-up.
    """
    row = await tx.fetchrow(
        """insert into topup_payments (topup_id, provider, payment_id, facts, changed_at, seen_at,
            heard_at)
           values ($1, $2, $3, $4::text::jsonb, $5, $6, $7) on conflict
             on constraint topup_payment_once do nothing
           returning id, topup_id, facts::text, seen_at, heard_at, credit, received, fee, suspense,
             owed, seq, doubt, decision, worth""",
        topup.id,
        topup.provider,
        payment.payment_id,
        msgspec.json.encode(payment).decode(),
        payment.changed_at,
        seen_at,
        now,
    )
    return None if row is None else _booked(row)


async def write_payment(tx: Tx, booked: Booked, *, now: datetime) -> None:
    """Write the facts and the booking of a payment."""
    line, share = booked.line, booked.share
    await tx.execute(
        """update topup_payments set facts = $2::text::jsonb, changed_at = $3, seen_at = $4,
            heard_at = $5, credit = $6, received = $7,
             fee = $8, suspense = $9, owed = $10, seq = $11, doubt = $12, decision = $13,
               worth = $14 where id = $1""",
        booked.id,
        msgspec.json.encode(line.payment).decode(),
        line.payment.changed_at,
        line.seen_at,
        now,
        share.credit,
        share.received,
        share.fee,
        share.suspense,
        booked.owed,
        booked.seq,
        booked.doubt,
        line.decision,
        line.worth,
    )


async def booked_in_ledger(tx: Tx, *, topup_ids: Sequence[int]) -> dict[int, int]:
    """Return by payment what the ledger's journals have credited (less clawbacks) to the wallet and
    as claims."""
    rows = await tx.fetch(
        """select p.id, coalesce(sum(e.amount), 0)::bigint units
             from topup_payments p cross join lateral generate_series(1, p.seq) n
             left join journals j on j.reason in ('topup.credit', 'topup.clawback')
               and j.ref = concat_ws(':', p.provider, p.payment_id, n)
             left join transfers t on t.journal_id = j.id left join entries e
               on e.transfer_id = t.id
               and e.account_id in (select a.id from accounts a
                 where a.kind in ('wallet', 'receivable'))
             where p.topup_id = any($1::bigint[]) group by p.id""",
        topup_ids,
    )
    return {row["id"]: row["units"] for row in rows}


def _booked(row: Record) -> Booked:
    line = Line(
        _facts.decode(row["facts"]),
        row["seen_at"],
        Decision(row["decision"]) if row["decision"] else None,
        row["worth"],
    )
    return Booked(
        row["id"],
        line,
        Share(row["credit"], row["received"], row["fee"], row["suspense"]),
        row["owed"],
        row["seq"],
        Doubt(row["doubt"]) if row["doubt"] else None,
        row["topup_id"],
        row["heard_at"],
    )
