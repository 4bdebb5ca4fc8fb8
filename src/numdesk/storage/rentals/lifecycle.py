"""Rentals as rows: reading and the single moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, LiteralString

from numdesk.domain.errors import Unavailable
from numdesk.domain.pages import Page
from numdesk.domain.rentals.lifecycle import (
    Rental,
    RentalEvent,
    RentalState,
    RentedService,
    RentType,
    length,
)
from numdesk.domain.rentals.quotes import Quote
from numdesk.storage.stock.rest import STOCK_RULES

if TYPE_CHECKING:
    from asyncpg import Record

    from numdesk.storage.database.pool import Tx


#: The clocks of two machines that serve one desk may differ by so much.
CLOCKS_DIFFER_MAX = timedelta(minutes=1)
#: Parameter $1 is always the moment.
_ROWS: LiteralString = """
    select r.id, r.term_id, r.number_id, r.country_id, r.service_ids, r.units_total, r.messages,
      r.public_id, r.customer_id,
           case when r.state = 0 and r.expires_at <= $1 then 1
             else r.state end state, r.msisdn, c.name country, s.codes, s.names, s.used,
           r.rent_type, r.units, r.price, r.currency, r.starts_at, r.expires_at, r.rented_at,
           coalesce(r.ended_at, case when r.expires_at <= $1
             then r.expires_at end) ended_at, rental_number_available_v1(r, $1) available
      from rentals r join rental_countries c on c.country_id = r.country_id
      cross join lateral (
        select array_agg(v.code order by u.n) codes, array_agg(v.name order by u.n) names,
               array_agg(v.id = any(r.used_ids) order by u.n) used
          from unnest(r.service_ids) with ordinality u(id, n) join services v on v.id = u.id) s"""


@dataclass(frozen=True, slots=True)
class Held:
    """A rental with the ids that its moves need."""

    id: int
    term_id: int
    number_id: int
    country_id: int
    service_ids: tuple[int, ...]
    units_total: int
    messages: int
    rental: Rental


async def read(tx: Tx, *, customer_id: int, public_id: str, now: datetime) -> Held | None:
    """Return a customer's rental, or None."""
    row = await tx.fetchrow(
        _ROWS + " where r.public_id = $2 and r.customer_id = $3", now, public_id, customer_id
    )
    return _held(row) if row else None


async def lock(tx: Tx, *, customer_id: int, public_id: str, now: datetime) -> Held | None:
    """Return a customer's rental with its row locked until the transaction ends, or None."""
    await tx.execute(
        "select from rentals where public_id = $1 and customer_id = $2 for update",
        public_id,
        customer_id,
    )
    return await read(tx, customer_id=customer_id, public_id=public_id, now=now)


async def listing(
    tx: Tx,
    *,
    customer_id: int | None,
    states: frozenset[RentalState],
    now: datetime,
    limit: int,
    offset: int,
) -> Page[Rental]:
    """Return a page of the rentals in these states (of all customers when None is named), the
    newest term first."""
    whose: LiteralString = "r.customer_id = $2" if customer_id is not None else "$2::int is null"
    chosen: LiteralString = (
        f" {whose} and case when r.state = 0 and r.expires_at <= $1 then 1 else r.state end"
        " = any($3)"
    )
    wanted = (now, customer_id, [int(state) for state in states])
    total = await tx.fetchval("select count(*) from rentals r where" + chosen, *wanted)
    # The page first, then what is to be said of each: not of all that stand before it.
    page = (
        "select r.id from rentals r where" + chosen + " order by r.term_id desc limit $4 offset $5"
    )
    rows = await tx.fetch(
        _ROWS + " where r.id in (" + page + ") order by r.term_id desc", *wanted, limit, offset
    )
    return Page(tuple(_held(row).rental for row in rows), total)


async def extend(tx: Tx, held: Held, *, units: int) -> datetime:
    """Let the running term last longer and returns until when it does now."""
    more = length(held.rental.rent_type, units)
    await tx.execute(
        "update rental_terms set ends_at = ends_at + $2 where id = $1", held.term_id, more
    )
    return await tx.fetchval(
        "update rentals set expires_at = expires_at + $2, units_total = units_total + $3 where id "
        "= $1 returning expires_at",
        held.id,
        more,
        units,
    )


async def rerent(tx: Tx, held: Held, *, quote: Quote, now: datetime) -> Held | None:
    """Begin a new term of an ended rental and returns it as it is then.

    None when its customer cannot have the number again.

    Raises Unavailable while a term of the number ends much later than now: only a clock that was
    far ahead can have written that.
    """
    await tx.execute("select from numbers where id = $1 for update", held.number_id)
    row = await tx.fetchrow(
        """select rental_number_available_v1(r, $2),
                  greatest($2, (select max(t.ends_at) from rental_terms t
                    where t.number_id = r.number_id))
             from rentals r where r.id = $1""",
        held.id,
        now,
    )
    assert row is not None, "rentals are never deleted"
    if not row[0]:
        return None
    starts_at = row[1]
    if starts_at > now + CLOCKS_DIFFER_MAX:
        raise Unavailable
    expires_at = starts_at + length(held.rental.rent_type, quote.units)
    await tx.execute(
        "update numbers set state = 4, rental_id = $2, free_at = null where id = $1",
        held.number_id,
        held.id,
    )
    term_id = await tx.fetchval(
        """insert into rental_terms (rental_id, customer_id, number_id, starts_at, ends_at)
             values ($1, $2, $3, $4, $5) returning id""",
        held.id,
        held.rental.customer_id,
        held.number_id,
        starts_at,
        expires_at,
    )
    await tx.execute(
        """update rentals set state = 0, ended_at = null, term_id = $2, units = $3, price = $4,
            units_total = $3, used_ids = '{}',
                              messages = 0, starts_at = $5, expires_at = $6 where id = $1""",
        held.id,
        term_id,
        quote.units,
        quote.price,
        starts_at,
        expires_at,
    )
    rental = replace(
        held.rental,
        state=RentalState.ACTIVE,
        units=quote.units,
        price=quote.price,
        starts_at=starts_at,
        expires_at=expires_at,
    )
    return replace(held, term_id=term_id, rental=rental)


async def end(tx: Tx, event: RentalEvent, rental_ids: Sequence[int], *, now: datetime) -> list[int]:
    """End the rentals for which the event is a legal move and returns which.

    See `end_rentals_v1`.
    """
    rows = await tx.fetch(
        "select rental_id from end_rentals_v1($1, $2, $3, $4, $5)",
        now,
        event.value,
        STOCK_RULES.cooldown,
        STOCK_RULES.quarantine,
        list(rental_ids),
    )
    return [row[0] for row in rows]


async def due_to_expire(
    tx: Tx, *, now: datetime, limit: int, without: Sequence[int], only: Sequence[int] | None
) -> list[int]:
    """Return up to `limit` rentals whose time has passed, locked."""
    rows = await tx.fetch(
        """select id from rentals where state = 0 and expires_at <= $1 and id <> all($3::bigint[])
              and ($4::bigint[] is null or id = any($4)) order by expires_at limit $2
                for update skip locked""",
        *(now, limit, without, only),
    )
    return [row[0] for row in rows]


def _held(row: Record) -> Held:
    """Turn a row of _ROWS into a Held."""
    services = tuple(
        RentedService(*facts) for facts in zip(row["codes"], row["names"], row["used"], strict=True)
    )
    rental = Rental(
        row["public_id"],
        row["customer_id"],
        RentalState(row["state"]),
        row["msisdn"],
        row["country"],
        services,
        RentType(row["rent_type"]),
        row["units"],
        row["price"],
        row["currency"],
        row["starts_at"],
        row["expires_at"],
        row["rented_at"],
        row["ended_at"],
        row["available"],
    )
    ids = (
        row["id"],
        row["term_id"],
        row["number_id"],
        row["country_id"],
        tuple(row["service_ids"]),
    )
    return Held(*ids, row["units_total"], row["messages"], rental)
