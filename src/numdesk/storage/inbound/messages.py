"""Messages that arrived: the batched taking, and segments that wait for each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from numdesk.storage.database.old_rows import GIVEN, WANTED, Old, by_columns
from numdesk.storage.stock.rest import STOCK_RULES

if TYPE_CHECKING:
    from numdesk.domain.recognition.recogniser import Recognition
    from numdesk.ports.inbound import MessageReceived
    from numdesk.storage.database.pool import Tx


@dataclass(frozen=True, slots=True)
class Arrival:
    """A whole message with the code that was found in it and the service that it was recognised as
    of.

    `first_at` is when its first segment came, None when it came whole.
    """

    provider: str
    provider_message_id: str
    to: int
    sender: str
    text: str
    code: str | None
    provider_ref: str | None
    first_at: datetime | None = None
    recognition: Recognition | None = None


class TakenStatus(StrEnum):
    """The status of a message, in the words of the SQL commands."""

    TAKEN = "taken"
    #: Repeated by the provider.
    SEEN = "seen"
    #: For an order that has ended.
    LATE = "late"
    #: For a number without an order.
    ORPHAN = "orphan"
    #: Of another service than the order is for, and kept from the customer.
    WITHHELD = "withheld"
    #: For a rented number: the rental's command takes it.
    RENTED = "rented"
    #: A segment whose siblings are missing; a word of the use case, not of SQL.
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Taken:
    """The result of taking a message."""

    status: TakenStatus
    message_id: int | None
    order_id: int | None
    customer_id: int | None


@dataclass(frozen=True, slots=True)
class Segments:
    """The segments of one long message that have arrived, in order."""

    provider: str
    to: int
    sender: str
    reference: int
    total: int
    texts: tuple[str, ...]
    first_id: str
    first_at: datetime


async def receive(
    tx: Tx, arrivals: Sequence[Arrival], *, now: datetime, withhold: bool
) -> list[Taken]:
    """Take every message but those for rented numbers (status "rented"), in one command.

    See `receive_messages_v3`.

    With `withhold`, one of another service than its order is for is kept from the customer (status
    "withheld").
    """
    rows = await tx.fetch(
        """select status, message_id, order_id, customer_id
             from receive_messages_v3($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
               order by idx""",
        now,
        withhold,
        STOCK_RULES.cooldown,
        *_columns(arrivals),
    )
    return [
        Taken(TakenStatus(row["status"]), row["message_id"], row["order_id"], row["customer_id"])
        for row in rows
    ]


async def receive_unrented(
    tx: Tx, arrivals: Sequence[Arrival], *, now: datetime, withhold: bool
) -> list[Taken]:
    """Take every message for orders, rented numbers or not; see `receive_order_messages_v1`."""
    rows = await tx.fetch(
        """select status, message_id, order_id, customer_id
             from receive_order_messages_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
               order by idx""",
        now,
        withhold,
        STOCK_RULES.cooldown,
        *_columns(arrivals),
    )
    return [
        Taken(TakenStatus(row["status"]), row["message_id"], row["order_id"], row["customer_id"])
        for row in rows
    ]


def _columns(arrivals: Sequence[Arrival]) -> tuple[list[object], ...]:
    """Return messages as the columns of a command."""
    told = [a.recognition for a in arrivals]
    return (
        [a.provider for a in arrivals],
        [a.provider_message_id for a in arrivals],
        [a.to for a in arrivals],
        [a.sender for a in arrivals],
        [a.text for a in arrivals],
        [a.code for a in arrivals],
        [a.provider_ref for a in arrivals],
        [one and one.service_id for one in told],
        [one and one.told_by for one in told],
        [one and "{" + ",".join(map(str, one.fits)) + "}" for one in told],
    )


async def take_orphans(tx: Tx, *, provider: str, msisdn: int, since: datetime) -> list[Arrival]:
    """Take back messages that came for a number after a time when no order had it yet, to be
    received once more."""
    rows = await tx.fetch(
        """delete from messages m where provider = $1 and msisdn = $2 and received_at > $3
             and (order_id is null or late) and term_id is null and not exists (select
               from foreign_messages f where f.message_id = m.id)
             returning id, provider, provider_message_id, msisdn, sender, text, otp_code""",
        provider,
        msisdn,
        since,
    )
    return [
        Arrival(row[1], row[2], row[3], row[4], row[5], row[6], None)
        for row in sorted(rows, key=lambda row: row[0])
    ]


async def keep_part(tx: Tx, event: MessageReceived, *, now: datetime) -> bool:
    """Keep a segment; False when the provider told us of it before."""
    assert event.part is not None, "only a segment is kept"
    tag = await tx.execute(
        """insert into message_parts (provider, msisdn, sender, reference, total, position,
            provider_message_id, text, received_at)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing""",
        event.provider,
        event.to,
        event.sender,
        event.part.reference,
        event.part.total,
        event.part.position,
        event.provider_message_id,
        event.text,
        now,
    )
    return tag == "INSERT 0 1"


async def lock_parts(tx: Tx, event: MessageReceived) -> Segments | None:
    """Return the waiting segments of the message that `event` belongs to, locked against other
    segments of it; None when none wait.

    The lock is by the message's identity, because two last segments may arrive at the same time.
    """
    assert event.part is not None, "only a segment has siblings"
    part = event.part
    await tx.execute(
        "select pg_advisory_xact_lock(hashtextextended($1, 0))",
        f"{event.provider}/{event.to}/{event.sender}/{part.reference}/{part.total}",
    )
    rows = await tx.fetch(
        """select distinct on (position) text, provider_message_id, received_at from message_parts
             where provider = $1 and msisdn = $2 and sender = $3 and reference = $4 and total = $5
               and not joined
             order by position, received_at""",
        event.provider,
        event.to,
        event.sender,
        part.reference,
        part.total,
    )
    if not rows:
        return None
    texts, first_at = tuple(row[0] for row in rows), min(row[2] for row in rows)
    return Segments(
        event.provider,
        event.to,
        event.sender,
        part.reference,
        part.total,
        texts,
        rows[0][1],
        first_at,
    )


async def overdue_parts(
    tx: Tx, *, before: datetime, without: Sequence[str], limit: int
) -> list[tuple[str, Segments]]:
    """Return messages whose first segment has waited since `before`, with what there is of them,
    each by a name; leave some out."""
    rows = await tx.fetch(
        """select concat_ws('/', p.provider, p.msisdn, p.sender, p.reference, p.total),
                  p.provider, p.msisdn, p.sender, p.reference, p.total, array_agg(p.text
                    order by p.position),
                  (array_agg(p.provider_message_id order by p.position))[1], min(p.received_at)
             from (select distinct on (provider, msisdn, sender, reference, total, position) *
               from message_parts where not joined
                     order by provider, msisdn, sender, reference, total, position, received_at) p
             group by p.provider, p.msisdn, p.sender, p.reference, p.total
             having min(p.received_at) < $1 and concat_ws('/', p.provider, p.msisdn, p.sender,
               p.reference, p.total) <> all($3)
             order by min(p.received_at) limit $2""",
        before,
        limit,
        without,
    )
    return [
        (row[0], Segments(row[1], row[2], row[3], row[4], row[5], tuple(row[6]), row[7], row[8]))
        for row in rows
    ]


async def mark_joined(tx: Tx, segments: Segments) -> bool:
    """Mark the segments as joined; False when somebody else has done so."""
    tag = await tx.execute(
        """update message_parts set joined = true
             where provider = $1 and msisdn = $2 and sender = $3 and reference = $4 and total = $5
               and not joined""",
        segments.provider,
        segments.to,
        segments.sender,
        segments.reference,
        segments.total,
    )
    return tag != "UPDATE 0"


async def is_known(tx: Tx, msisdn: int) -> bool:
    """Return whether this is one of our numbers, or was ever rented through us."""
    return bool(
        await tx.fetchval(
            "select exists (select from numbers where msisdn = $1) or exists (select from orders "
            "where msisdn = $1)",
            msisdn,
        )
    )


OLD_MESSAGES = Old(
    f"""select m.id::text from (select id from messages where {WANTED} order by id limit $2) front
          join messages m on m.id = front.id
          where m.received_at < $1 order by m.id for update of m skip locked""",
    (f"delete from messages where {GIVEN}",),
)
#: Segments that were joined.
OLD_PARTS = by_columns(
    "message_parts",
    "joined and received_at < $1 order by received_at",
    key="provider, provider_message_id",
    same="o.provider = k ->> 0 and o.provider_message_id = k ->> 1",
)
