"""Orders as rows: reading them, and the single moves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, LiteralString

from numdesk.domain.orders.lifecycle import Event, Order, State
from numdesk.storage.database.old_rows import GIVEN, WANTED, Old

if TYPE_CHECKING:
    from asyncpg import Record

    from numdesk.storage.database.pool import Tx
from numdesk.storage.stock.rest import STOCK_RULES

#: In the order of the fields of `Order`.
_COLUMNS: LiteralString = """
    id, customer_id, dialect, state, offer_id, catalogue_id, country_id, service_id, operator_id,
    operator_name, provider, provider_ref, msisdn, currency, price, cost, created_at, expires_at,
    otp_code, otp_message, sms_revision, first_sms_at,
    resend_at, ended_at, failed_reason, reactivatable, number_free, revision"""


_STATES = tuple(State)


@dataclass(frozen=True, slots=True)
class Ended:
    """An order that ended; `refunded` when nothing had been earned."""

    order_id: int
    customer_id: int
    state: State
    refunded: bool


async def read_many(tx: Tx, wanted: Sequence[tuple[int, int]]) -> list[Order | None]:
    """Return the order for each (customer id, order id), None where the customer has no such
    order."""
    rows = await tx.fetch(
        "select " + _COLUMNS + " from read_orders_v1($1, $2)",
        [pair[0] for pair in wanted],
        [pair[1] for pair in wanted],
    )
    found = {row[0]: _order(row) for row in rows}
    return [
        order
        if (order := found.get(pair[1])) is not None and order.customer_id == pair[0]
        else None
        for pair in wanted
    ]


async def read_heads(tx: Tx, order_ids: Sequence[int]) -> Sequence[Record]:
    """Return (customer id, order id, revision, `number_free`) of each order that there is."""
    return await tx.fetch(
        "select customer_id, id, revision, number_free from read_order_heads_v1($1)", order_ids
    )


async def lock_any(tx: Tx, order_id: int) -> Order | None:
    """Return an order, whoever it belongs to, with its row locked, or None."""
    await tx.execute("select from orders where id = $1 for update", order_id)
    return await read_any(tx, order_id)


async def read_any(tx: Tx, order_id: int) -> Order | None:
    """Return an order whoever it belongs to, or None."""
    row = await tx.fetchrow("select " + _COLUMNS + " from order_facts where id = $1", order_id)
    return _order(row) if row else None


async def revisions(tx: Tx, order_ids: Sequence[int]) -> dict[int, int]:
    """Return the revision of each order."""
    rows = await tx.fetch("select id, revision from orders where id = any($1)", list(order_ids))
    return {row[0]: row[1] for row in rows}


async def lock(tx: Tx, *, customer_id: int, order_id: int) -> Order | None:
    """Return the customer's order with its row locked until the transaction ends, or None."""
    locked = await tx.fetchval(
        "select id from orders where id = $1 and customer_id = $2 for update", order_id, customer_id
    )
    if locked is None:
        return None
    return await read_any(tx, order_id)


async def listing(
    tx: Tx, *, customer_id: int, states: frozenset[State], limit: int, offset: int
) -> list[Order]:
    """Return a page of the customer's orders in these states, newest first."""
    rows = await tx.fetch(
        "select " + _COLUMNS + " from order_facts where customer_id = $1 and state = any($2)"
        " order by id desc limit $3 offset $4",
        customer_id,
        [int(state) for state in states],
        limit,
        offset,
    )
    return [_order(row) for row in rows]


async def open_orders(tx: Tx, *, customer_id: int, limit: int) -> Iterator[Order]:
    """Return the customer's orders that wait for a message, newest first, each made when it is
    asked for: there may be thousands."""
    rows = await tx.fetch(
        "select "
        + _COLUMNS
        + " from order_facts where customer_id = $1 and state < 4 and state in (1, 2, 3)"
        " order by id desc limit $2",
        customer_id,
        limit,
    )
    return map(_order, rows)


async def end(tx: Tx, event: Event, order_ids: Sequence[int], *, now: datetime) -> list[Ended]:
    """End the orders for which the event is a legal move; see `end_orders_v2`."""
    rows = await tx.fetch(
        "select order_id, customer_id, state, unearned from end_orders_v2($1, $2, $3, $4, $5)",
        now,
        event.value,
        STOCK_RULES.cooldown,
        STOCK_RULES.quarantine,
        list(order_ids),
    )
    return [Ended(row[0], row[1], _STATES[row[2]], row[3]) for row in rows]


async def due_to_expire(
    tx: Tx, *, now: datetime, limit: int, without: Sequence[int], only: Sequence[int] | None
) -> list[int]:
    """Return up to `limit` orders whose time has passed, locked."""
    rows = await tx.fetch(
        """select id from orders where state in (1, 2, 3) and expires_at <= $1
            and id <> all($3::int[])
              and ($4::int[] is null or id = any($4)) order by expires_at limit $2
                for update skip locked""",
        now,
        limit,
        without,
        only,
    )
    return [row[0] for row in rows]


async def mark_resent(tx: Tx, order_id: int, *, resend_at: datetime) -> None:
    """Put an order back to waiting for one more message.

    Another may be asked for at `resend_at`.
    """
    await tx.execute(
        "update orders set state = 3, resend_at = $2, revision = revision + 1 where id = $1",
        order_id,
        resend_at,
    )


async def due_to_return(
    tx: Tx, *, now: datetime, limit: int, without: Sequence[int], only: Sequence[int] | None
) -> list[int]:
    """Return up to `limit` numbers whose quarantine is over, locked."""
    rows = await tx.fetch(
        """select id from numbers where state = 2 and free_at <= $1 and id <> all($3::bigint[])
              and ($4::bigint[] is null or id = any($4)) order by free_at limit $2
                for update skip locked""",
        now,
        limit,
        without,
        only,
    )
    return [row[0] for row in rows]


async def return_numbers(tx: Tx, number_ids: Sequence[int]) -> Sequence[int]:
    """Put numbers back on sale and returns them."""
    await tx.execute("update numbers set state = 0, free_at = null where id = any($1)", number_ids)
    return number_ids


def _order(row: Record) -> Order:
    """Turn a row of _COLUMNS into an Order."""
    values = list(row)
    values[3] = _STATES[values[3]]
    return Order(*values)


#: Text and code of ended orders. The higher revision makes other processes read the order again.
OLD_TEXTS = Old(
    f"""select id::text from orders where {WANTED} and otp_message is not null and ended_at < $1
          order by ended_at limit $2 for update skip locked""",
    (
        (
            f"update orders set otp_message = null, otp_code = null, revision = revision + 1 where "
            f"{GIVEN}"
        ),
    ),
)
