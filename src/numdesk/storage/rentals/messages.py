"""Messages of rented numbers: whose they are, taking them, and reading those of a customer's own
terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from numdesk.domain.pages import Page
from numdesk.domain.rentals.lifecycle import RentalMessage
from numdesk.storage.inbound.messages import Arrival, Taken, TakenStatus
from numdesk.storage.stock.rest import STOCK_RULES

if TYPE_CHECKING:
    from numdesk.storage.database.pool import Tx


@dataclass(frozen=True, slots=True)
class Listener:
    """A running rental, locked: what a message for its number needs to know.

    `services` are (id, code, name); its term began at `starts_at`.
    """

    id: int
    msisdn: int
    services: tuple[tuple[int, str, str], ...]
    starts_at: datetime


async def lock_listeners(tx: Tx, msisdns: Sequence[int], *, now: datetime) -> dict[int, Listener]:
    """Return the running rentals of some numbers, by number, locked in the order of their ids."""
    locked = await tx.fetch(
        """select r.id, r.msisdn, r.service_ids, r.starts_at from numbers n join rentals r
            on r.id = n.rental_id
             where n.msisdn = any($1::bigint[]) and r.state = 0 and r.expires_at > $2 order by r.id
               for update of r""",
        list(msisdns),
        now,
    )
    known = await tx.fetch(
        "select id, code, name from services where id = any($1::int[])",
        sorted({service for row in locked for service in row["service_ids"]}),
    )
    names = {row["id"]: (row["id"], row["code"], row["name"]) for row in known}
    return {
        row["msisdn"]: Listener(
            row["id"],
            row["msisdn"],
            tuple(names[one] for one in row["service_ids"]),
            row["starts_at"],
        )
        for row in locked
    }


@dataclass(frozen=True, slots=True)
class Heard:
    """A message for a running rental: `service_id` is the rented service that it is of, None when
    that cannot be told; a foreign one is of a service that the number is not rented for."""

    arrival: Arrival
    listener: Listener
    service_id: int | None
    is_foreign: bool


async def receive(tx: Tx, heard: Sequence[Heard], *, now: datetime, withhold: bool) -> list[Taken]:
    """Take messages, each with its rental (locked); see `receive_rental_messages_v2`.

    With `withhold`, foreign ones are withheld.
    """
    told = [one.arrival.recognition for one in heard]
    rows = await tx.fetch(
        """select status, message_id, customer_id
             from receive_rental_messages_v2($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
               order by idx""",
        now,
        withhold,
        STOCK_RULES.cooldown,
        [one.arrival.provider for one in heard],
        [one.arrival.provider_message_id for one in heard],
        [one.arrival.sender for one in heard],
        [one.arrival.text for one in heard],
        [one.arrival.code for one in heard],
        [one.listener.id for one in heard],
        [one.service_id for one in heard],
        [one and one.service_id for one in told],
        [
            known and known.told_by if one.is_foreign else None
            for one, known in zip(heard, told, strict=True)
        ],
    )
    return [
        Taken(TakenStatus(row["status"]), row["message_id"], None, row["customer_id"])
        for row in rows
    ]


async def messages(
    tx: Tx, *, customer_id: int, rental_id: int, limit: int, offset: int, ascending: bool
) -> Page[RentalMessage]:
    """Return a page of messages in a customer's terms of a rental, newest first unless
    `ascending`."""
    rows = await tx.fetch(
        """select m.id, m.sender, m.text, m.received_at, count(*) over () total
             from rental_terms t join messages m on m.term_id = t.id
             where t.rental_id = $1 and t.customer_id = $2
             order by case when $5 then m.id end, case when not $5 then m.id end desc
               limit $3 offset $4""",
        rental_id,
        customer_id,
        limit,
        offset,
        ascending,
    )
    total = rows[0]["total"] if rows else 0
    if not rows and offset:
        total = await tx.fetchval(
            "select count(*) from rental_terms t join messages m on m.term_id = t.id where "
            "t.rental_id = $1 and t.customer_id = $2",
            rental_id,
            customer_id,
        )
    return Page(tuple(RentalMessage(row[0], row[1], row[2], row[3]) for row in rows), total)
