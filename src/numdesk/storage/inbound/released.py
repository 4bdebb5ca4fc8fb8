"""Withheld messages that staff release: given to the order or rental that they came for, as if
nothing had withheld them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from numdesk.storage.stock.rest import STOCK_RULES

if TYPE_CHECKING:
    from numdesk.storage.database.pool import Tx


async def release_to_order(tx: Tx, *, message_id: int, order_id: int, now: datetime) -> bool:
    """Give a withheld message to its order, which earns by it when it is the first.

    False when the order has ended.

    A message that was released before is left as it is.
    """
    order = await tx.fetchrow(
        "select state, expires_at, wallet_id from orders where id = $1 for update", order_id
    )
    if not await _is_withheld(tx, message_id):
        return True
    if order is None or order["state"] not in (1, 2, 3) or order["expires_at"] <= now:
        return False
    await tx.execute("select from accounts where id = $1 for update", order["wallet_id"])
    await tx.execute("delete from foreign_messages where message_id = $1", message_id)
    await tx.execute(
        """update orders o set state = 2, otp_code = coalesce(m.otp_code, o.otp_code),
            otp_message = m.text,
                  sms_revision = o.sms_revision + 1, first_sms_at = coalesce(o.first_sms_at, $3),
                    revision = o.revision + 1
             from messages m where o.id = $1 and m.id = $2""",
        order_id,
        message_id,
        now,
    )
    await tx.execute(
        """insert into events (customer_id, dialect, kind, order_id, document, at)
             select o.customer_id, o.dialect, 'order.received', o.id, order_document_v1(o), $2
               from orders o where o.id = $1""",
        order_id,
        now,
    )
    if order["state"] == 1:
        await tx.execute(
            "select earn_orders_v1($1, array[$2::int]), count_endings_v1($1, 'received', "
            "array[$2::int])",
            now,
            order_id,
        )
    return True


async def release_to_rental(tx: Tx, *, message_id: int, rental: str, now: datetime) -> bool:
    """Give a withheld message to its rental; False when the term that it came in has ended.

    Of which of several rented services it is, is not known: the number is not sold as fresh for any
    of them. A message that was released before is left as it is.
    """
    found = await tx.fetchrow(
        """select r.id, r.state = 0 and r.expires_at > $3 and r.starts_at <= m.received_at runs
             from rentals r join messages m on m.id = $2 where r.public_id = $1 for update of r""",
        rental,
        message_id,
        now,
    )
    if not await _is_withheld(tx, message_id):
        return True
    if found is None or not found["runs"]:
        return False
    await tx.execute("delete from foreign_messages where message_id = $1", message_id)
    await tx.execute(
        "update messages m set term_id = r.term_id from rentals r where r.id = $1 and m.id = $2",
        found["id"],
        message_id,
    )
    await tx.execute(
        """insert into customer_hours as h (customer_id, hour, received)
             select customer_id, date_trunc('hour', $2::timestamptz, 'UTC'), 1 from rentals
               where id = $1 and messages = 0
             on conflict (customer_id, hour) do update
               set received = h.received + excluded.received""",
        found["id"],
        now,
    )
    await tx.execute(
        """update rentals set messages = messages + 1, used_ids = case
            when cardinality(service_ids) = 1 then service_ids else used_ids end
             where id = $1""",
        found["id"],
    )
    await tx.execute(
        """select remember_uses_v1($2::timestamptz + $3::interval, array_fill(r.msisdn,
            array[cardinality(r.service_ids)]), r.service_ids)
             from rentals r where r.id = $1""",
        found["id"],
        now,
        STOCK_RULES.cooldown,
    )
    await tx.execute(
        """insert into events (customer_id, dialect, kind, document, at)
             select r.customer_id, r.dialect, 'rental.message',
                    jsonb_build_object('v', 1, 'rental', r.public_id, 'msisdn', r.msisdn, 'sender',
                      m.sender, 'text', m.text,
                                       'received_at', floor(extract(epoch from m.received_at))), $3
               from rentals r join messages m on m.id = $2 where r.id = $1""",
        found["id"],
        message_id,
        now,
    )
    return True


async def _is_withheld(tx: Tx, message_id: int) -> bool:
    return bool(
        await tx.fetchval(
            "select exists (select from foreign_messages where message_id = $1 and withheld)",
            message_id,
        )
    )
