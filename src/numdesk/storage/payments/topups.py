"""Top-ups and their payments, as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from numdesk.domain.payments.gateway_payments import Payment
from numdesk.domain.payments.topups import Decision, Doubt, Line, Policy, Share, TopUp, TopUpState

if TYPE_CHECKING:
    from asyncpg import Record

    from numdesk.storage.database.pool import Tx

_facts = msgspec.json.Decoder(Payment)
_policy = msgspec.json.Decoder(Policy)


@dataclass(frozen=True, slots=True)
class Booked:
    """A payment as it is known and booked: `owed` of its share was taken back and the wallet did not have it, `seq` counts its journals."""

    id: int
    line: Line
    share: Share
    owed: int
    seq: int
    doubt: Doubt | None
    topup_id: int
    heard_at: datetime


@dataclass(frozen=True, slots=True)
class Round:
    """One round of questions to one gateway: what is due at `now` is next due after its next delay.

    A top-up is asked about until `kept` after its invoice's end.
    """

    provider: str
    now: datetime
    delays: Sequence[timedelta]
    kept: timedelta


async def insert_topup(
    tx: Tx, topup: TopUp, *, opening_until: datetime, next_poll_at: datetime
) -> int:
    """Writes down that somebody wants to pay, and returns the id; the given topup's is not looked at."""
    return await tx.fetchval(
        """insert into topups (public_id, customer_id, dialect, provider, currency, amount, final_amount, discount_bp, state, created_at,
                               policy, opening_until, next_poll_at)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::text::jsonb, $12, $13) returning id""",
        topup.public_id,
        topup.customer_id,
        topup.dialect,
        topup.provider,
        topup.currency,
        topup.amount,
        topup.final_amount,
        topup.discount_bp,
        int(topup.state),
        topup.created_at,
        msgspec.json.encode(topup.policy).decode(),
        opening_until,
        next_poll_at,
    )


async def open_of(
    tx: Tx, *, customer_id: int, now: datetime, lifetime: timedelta
) -> list[datetime]:
    """Returns when each of a customer's top-ups ends that has seen no money yet, the next one first; no other is added meanwhile."""
    await tx.execute("select from customers where id = $1 for no key update", customer_id)
    rows = await tx.fetch(
        """select coalesce(expires_at, created_at + $4) ends_at from topups
             where customer_id = $1 and state = any($2::smallint[]) and coalesce(expires_at, created_at + $4) > $3 order by 1""",
        customer_id,
        [int(TopUpState.CREATED), int(TopUpState.AWAITING)],
        now,
        lifetime,
    )
    return [row["ends_at"] for row in rows]


async def begin_opening(tx: Tx, topup_id: int, *, wall: datetime, until: datetime) -> bool | None:
    """Takes the right to ask the gateway for the invoice; None while somebody else has it, or when nothing is to be asked any more.

    True says that somebody asked before and never heard, or never told, how that ended.
    """
    return await tx.fetchval(
        """update topups t set opening_until = $3 from (select id, opening_until from topups where id = $1 for update) o
             where t.id = o.id and t.invoice_id is null and t.state = 0 and (o.opening_until is null or o.opening_until <= $2)
             returning o.opening_until is not null""",
        topup_id,
        wall,
        until,
    )


async def end_opening(tx: Tx, topup_id: int, *, unsure_since: datetime | None) -> None:
    """Gives that right back; with a time when it is not known whether the gateway has made an invoice."""
    await tx.execute(
        "update topups set opening_until = $2 where id = $1 and invoice_id is null",
        topup_id,
        unsure_since,
    )


async def fail_unopened(tx: Tx, topup_id: int) -> bool:
    """Ends a top-up that never got an invoice; False when it has one by now, or has ended."""
    return (
        await tx.fetchval(
            "update topups set state = $2, next_poll_at = null where id = $1 and invoice_id is null and state = 0 returning true",
            topup_id,
            int(TopUpState.FAILED),
        )
        is True
    )


async def set_invoice(
    tx: Tx, topup_id: int, *, invoice_id: str, payment_url: str, expires_at: datetime
) -> bool:
    """Keeps the invoice that the gateway made; False when the top-up has one."""
    return (
        await tx.fetchval(
            """update topups set invoice_id = $2, payment_url = $3, expires_at = $4, opening_until = null,
                                 state = case state when 0 then 1 else state end
                 where id = $1 and invoice_id is null returning true""",
            topup_id,
            invoice_id,
            payment_url,
            expires_at,
        )
        is True
    )


async def read(tx: Tx, topup_id: int) -> TopUp | None:
    """Returns a top-up by its own number."""
    return _optional(await tx.fetchrow("select * from topups where id = $1", topup_id))


async def read_many(tx: Tx, topup_ids: Sequence[int]) -> dict[int, TopUp]:
    """Returns top-ups by their own numbers."""
    rows = await tx.fetch("select * from topups where id = any($1::bigint[])", topup_ids)
    return {row["id"]: _topup(row) for row in rows}


async def read_public(tx: Tx, public_id: str) -> TopUp | None:
    """Returns a top-up by the id that customers and gateways know."""
    return _optional(await tx.fetchrow("select * from topups where public_id = $1", public_id))


async def lock(tx: Tx, topup_id: int) -> TopUp | None:
    """Returns a top-up whose money may be moved until the transaction ends. Locked before any account."""
    return _optional(await tx.fetchrow("select * from topups where id = $1 for update", topup_id))


async def listed(
    tx: Tx,
    *,
    states: Sequence[TopUpState] | None,
    doubtful: bool,
    customer_id: int | None,
    limit: int,
    offset: int = 0,
) -> list[TopUp]:
    """Returns top-ups, newest first; with `doubtful` only those of which a payment waits for a person."""
    rows = await tx.fetch(
        """select * from topups t where ($1::smallint[] is null or t.state = any($1)) and ($2::int is null or t.customer_id = $2)
             and (not $3 or exists (select from topup_payments p where p.topup_id = t.id and p.doubt is not null))
           order by t.id desc limit $4 offset $5""",
        None if states is None else [int(state) for state in states],
        customer_id,
        doubtful,
        limit,
        offset,
    )
    return [_topup(row) for row in rows]


async def payments_of(tx: Tx, topup_ids: Sequence[int]) -> list[Booked]:
    """Returns what is known of the payments of top-ups, oldest first."""
    rows = await tx.fetch(
        """select id, topup_id, facts::text, seen_at, heard_at, credit, received, fee, suspense, owed, seq, doubt, decision, worth
             from topup_payments where topup_id = any($1::bigint[]) order by id""",
        topup_ids,
    )
    return [_booked(row) for row in rows]


async def open_payment(
    tx: Tx, *, topup: TopUp, payment: Payment, seen_at: datetime | None, now: datetime
) -> Booked | None:
    """Keeps a payment that is new to us, with nothing booked; None when its id belongs to another top-up."""
    row = await tx.fetchrow(
        """insert into topup_payments (topup_id, provider, payment_id, facts, changed_at, seen_at, heard_at)
           values ($1, $2, $3, $4::text::jsonb, $5, $6, $7) on conflict on constraint topup_payment_once do nothing
           returning id, topup_id, facts::text, seen_at, heard_at, credit, received, fee, suspense, owed, seq, doubt, decision, worth""",
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
    """Writes what is known and booked of a payment."""
    line, share = booked.line, booked.share
    await tx.execute(
        """update topup_payments set facts = $2::text::jsonb, changed_at = $3, seen_at = $4, heard_at = $5, credit = $6, received = $7,
             fee = $8, suspense = $9, owed = $10, seq = $11, doubt = $12, decision = $13, worth = $14 where id = $1""",
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


async def write_state(
    tx: Tx, topup: TopUp, *, state: TopUpState, credited: int, polled: tuple[bool, bool]
) -> None:
    """Writes where a top-up stands, and whether it was polled so far and is from now on. One that was not is polled at once."""
    await tx.execute(
        """update topups set state = $2, credited = $3,
             next_poll_at = case when $4 then null when $5 then created_at else next_poll_at end where id = $1""",
        topup.id,
        int(state),
        credited,
        not polled[1],
        not polled[0],
    )


async def due_to_poll(
    tx: Tx, *, polling: Round, limit: int, without: Sequence[int], only: Sequence[int] | None
) -> list[int]:
    """Returns a gateway's top-ups that are to be asked about now, locked, leaving some out, or only of those named.

    Customers take turns, so that the thousands of one do not stand before the few of another.
    """
    rows = await tx.fetch(
        """select d.id from topups d where d.next_poll_at <= $1 and d.id = any(array(
             select r.id from (
               select c.id, c.next_poll_at, row_number() over (partition by c.customer_id order by c.next_poll_at, c.id) turn
                 from topups c where c.provider = $3 and c.next_poll_at <= $1 and c.id <> all($4::bigint[])
                   and ($5::bigint[] is null or c.id = any($5))) r
               order by r.turn, r.next_poll_at, r.id limit $2))
           for update skip locked""",
        polling.now,
        limit,
        polling.provider,
        without,
        only,
    )
    return sorted(row["id"] for row in rows)


async def put_off(tx: Tx, topup_ids: Sequence[int], *, polling: Round) -> Sequence[int]:
    """Puts each of these top-ups off by its next delay, and returns them."""
    await tx.execute(
        """update topups t set polls = t.polls + 1,
             next_poll_at = case when coalesce(t.expires_at, t.created_at) + $3 > $1
                                 then $1 + ($2::interval[])[least(t.polls + 2, array_length($2::interval[], 1))] end
             where t.id = any($4)""",
        polling.now,
        list(polling.delays),
        polling.kept,
        topup_ids,
    )
    return topup_ids


async def of_gateway(tx: Tx, *, provider: str, topup_ids: Sequence[int]) -> list[int]:
    """Returns which of these top-ups are one gateway's."""
    rows = await tx.fetch(
        "select id from topups where provider = $1 and id = any($2)", provider, topup_ids
    )
    return [row["id"] for row in rows]


async def available(tx: Tx, *, customer_id: int, currency: str) -> int:
    """Returns what a wallet holds and nothing has reserved, and keeps it so until the transaction ends."""
    units = await tx.fetchval(
        "select balance - held from accounts where kind = 'wallet' and owner = $1 and label is null and currency = $2 for update",
        customer_id,
        currency,
    )
    assert isinstance(units, int), "whoever tops up has a wallet"
    return units


async def restrict(tx: Tx, customer_id: int) -> None:
    """Lets a customer who owes us read and end what they have, and spend nothing more."""
    await tx.execute("update customers set state = 2 where id = $1 and state = 1", customer_id)


async def append_event(
    tx: Tx, *, topup: TopUp, kind: str, document: Mapping[str, Any], now: datetime
) -> None:
    """Writes an event for the customer; a trigger makes deliveries of it."""
    await tx.execute(
        "insert into events (customer_id, dialect, kind, document, at) values ($1, $2, $3, $4::text::jsonb, $5)",
        topup.customer_id,
        topup.dialect,
        kind,
        msgspec.json.encode(document).decode(),
        now,
    )


async def by_reference(tx: Tx, *, provider: str, references: Sequence[str]) -> list[TopUp]:
    """Returns a gateway's top-ups by the references that it knows."""
    rows = await tx.fetch(
        "select * from topups where provider = $1 and public_id = any($2::text[])",
        provider,
        references,
    )
    return [_topup(row) for row in rows]


async def touched(
    tx: Tx, *, provider: str, payment_ids: Sequence[str], since: datetime, until: datetime
) -> list[TopUp]:
    """Returns the top-ups that have one of these payments, or one that was changed in a span of time."""
    rows = await tx.fetch(
        """select * from topups where id in (
             select p.topup_id from topup_payments p
               where p.provider = $1 and (p.payment_id = any($2::text[])
                 or (coalesce(p.changed_at, p.heard_at) >= $3 and coalesce(p.changed_at, p.heard_at) < $4)))
           order by id""",
        provider,
        payment_ids,
        since,
        until,
    )
    return [_topup(row) for row in rows]


async def booked_in_ledger(tx: Tx, *, topup_ids: Sequence[int]) -> dict[int, int]:
    """Returns by payment what the ledger's journals have credited (less what they took back) to the wallet and as claims."""
    rows = await tx.fetch(
        """select p.id, coalesce(sum(e.amount), 0)::bigint units
             from topup_payments p cross join lateral generate_series(1, p.seq) n
             left join journals j on j.reason in ('topup.credit', 'topup.clawback')
               and j.ref = concat_ws(':', p.provider, p.payment_id, n)
             left join transfers t on t.journal_id = j.id left join entries e on e.transfer_id = t.id
               and e.account_id in (select a.id from accounts a where a.kind in ('wallet', 'receivable'))
             where p.topup_id = any($1::bigint[]) group by p.id""",
        topup_ids,
    )
    return {row["id"]: row["units"] for row in rows}


def _optional(row: Record | None) -> TopUp | None:
    return None if row is None else _topup(row)


def _topup(row: Record) -> TopUp:
    return TopUp(
        id=row["id"],
        public_id=row["public_id"],
        customer_id=row["customer_id"],
        dialect=row["dialect"],
        provider=row["provider"],
        currency=row["currency"],
        amount=row["amount"],
        final_amount=row["final_amount"],
        discount_bp=row["discount_bp"],
        state=TopUpState(row["state"]),
        created_at=row["created_at"],
        invoice_id=row["invoice_id"],
        payment_url=row["payment_url"],
        expires_at=row["expires_at"],
        credited=row["credited"],
        policy=_policy.decode(row["policy"]),
    )


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
