"""Deletes old rows, a batch at a time: of each table that only grows and is neither money nor orders; of orders only what SMS said.

Every function deletes at most `limit` rows that an index finds, passes over rows that somebody else is using, and returns how many
it deleted. Ids rise with time, so the oldest rows of a table without an index on a time are those with the lowest ids.
"""

from __future__ import annotations

from datetime import datetime
from itertools import takewhile
from typing import TYPE_CHECKING, LiteralString

from numdesk.domain.webhooks import DeliveryState
from numdesk.storage import settings

if TYPE_CHECKING:
    from numdesk.storage.pool import Tx


#: Where the id lies of the last event whose text was looked at, and of the last that was looked at for a delivery.
EVENTS_SEEN = "retention.events_seen"
EVENTS_SWEPT = "retention.events_swept"


async def forget_deliveries(tx: Tx, *, before: datetime, limit: int) -> int:
    """Deletes deliveries that ended before a time, with their attempts and their events.

    It looks at the oldest `limit` deliveries only; those of them that were put back by a replay wait until they are old again.
    """
    rows = await tx.fetch(
        """with old as (
             select d.id from (select id from webhook_deliveries order by id limit $2) front join webhook_deliveries d on d.id = front.id
               where d.state <> $3 and d.ended_at < $1 for update of d skip locked)
           delete from webhook_deliveries d using old where d.id = old.id returning d.id""",
        before,
        limit,
        DeliveryState.DUE,
    )
    if rows:
        ids = [row["id"] for row in rows]
        await tx.execute("delete from webhook_attempts where delivery_id = any($1)", ids)
        await tx.execute("delete from events where id = any($1)", ids)
    return len(rows)


async def forget_messages(tx: Tx, *, before: datetime, limit: int) -> int:
    """Deletes messages that came before a time."""
    return await _delete(
        tx,
        """delete from messages where id in (
             select m.id from (select id from messages order by id limit $2) front join messages m on m.id = front.id
               where m.received_at < $1 for update of m skip locked)""",
        before,
        limit,
    )


async def forget_order_texts(tx: Tx, *, before: datetime, limit: int) -> int:
    """Takes text and code out of orders that ended before a time; the new revision tells whoever remembers such an order."""
    return await _delete(
        tx,
        """update orders set otp_message = null, otp_code = null, revision = revision + 1 where id in (
             select id from orders where otp_message is not null and ended_at < $1 order by ended_at limit $2 for update skip locked)""",
        before,
        limit,
    )


async def forget_event_texts(tx: Tx, *, before: datetime, limit: int) -> int:
    """Takes text and code out of events from before a time, and returns how many events it looked at.

    An event that is about to be sent again keeps its text; it goes with its delivery.
    """
    old = await _next_events(tx, mark=EVENTS_SEEN, before=before, limit=limit)
    await tx.execute(
        """update events e set document = document || case kind when 'rental.message' then '{"text": ""}'::jsonb
                                                                else '{"otp_code": null, "otp_message": null}' end
            where id = any($1) and (document ->> 'otp_message' is not null or document ->> 'text' <> '')
              and not exists (select from webhook_deliveries d where d.id = e.id and d.state = $2)""",
        old,
        DeliveryState.DUE,
    )
    return len(old)


async def forget_events(tx: Tx, *, before: datetime, limit: int) -> int:
    """Deletes events from before a time that have no delivery, and returns how many events it looked at.

    One that has a delivery goes with it.
    """
    old = await _next_events(tx, mark=EVENTS_SWEPT, before=before, limit=limit)
    await tx.execute("delete from events e where id = any($1) and not exists (select from webhook_deliveries d where d.id = e.id)", old)
    return len(old)


async def _next_events(tx: Tx, *, mark: str, before: datetime, limit: int) -> list[int]:
    """Returns the next events from before a time behind the last that was looked at, and moves the mark.

    So no index is needed that every new event would pay for.
    """
    seen = int(await settings.read(tx, name=mark) or 0)
    front = await tx.fetch("select id, at from events where id > $1 order by id limit $2", seen, limit)
    old = [row["id"] for row in takewhile(lambda row: row["at"] < before, front)]
    if old:
        await settings.write(tx, name=mark, value=old[-1])
    return old


async def forget_parts(tx: Tx, *, before: datetime, limit: int) -> int:
    """Deletes segments that came before a time and were joined."""
    return await _delete(
        tx,
        """delete from message_parts where (provider, provider_message_id) in (
             select provider, provider_message_id from message_parts
               where joined and received_at < $1 order by received_at limit $2 for update skip locked)""",
        before,
        limit,
    )


async def forget_uses(tx: Tx, *, before: datetime, limit: int) -> int:
    """Deletes the uses of numbers that kept them from a service until a time before this one."""
    return await _delete(
        tx,
        """delete from number_uses where (number_id, service_id) in (
             select number_id, service_id from number_uses where until < $1 order by until limit $2 for update skip locked)""",
        before,
        limit,
    )


async def forget_hours(tx: Tx, *, before: datetime, limit: int) -> int:
    """Deletes how customers' orders ended in hours before a time."""
    return await _delete(
        tx,
        """delete from customer_hours where (customer_id, hour) in (
             select customer_id, hour from customer_hours where hour < $1 order by hour limit $2 for update skip locked)""",
        before,
        limit,
    )


async def forget_decisions(tx: Tx, *, before: datetime, limit: int) -> int:
    """Deletes routing decisions that were last made before a time; orders of that time lose their explanation."""
    return await _delete(
        tx,
        """delete from routing_decisions where id in (
             select id from routing_decisions where used_at < $1 order by used_at limit $2 for update skip locked)""",
        before,
        limit,
    )


async def forget_counts(tx: Tx, *, before: datetime, limit: int) -> int:
    """Deletes rate counts of windows that began before a time.

    No index finds these: it would make each of the many updates dearer, and the table is small when it is swept.
    """
    return await _delete(
        tx,
        """delete from rate_counts where (customer_id, bucket, origin) in (
             select customer_id, bucket, origin from rate_counts where window_start < $1 limit $2 for update skip locked)""",
        int(before.timestamp()),
        limit,
    )


async def forget_receipts(tx: Tx, *, before: datetime, limit: int) -> int:
    """Deletes receipts of transactions that began before a time; the oldest stand first in the table, so no index is needed."""
    return await _delete(
        tx, "delete from receipts where id in (select id from receipts where at < $1 limit $2 for update skip locked)", before, limit
    )


async def _delete(tx: Tx, statement: LiteralString, before: object, limit: int) -> int:
    """Runs a statement that deletes or empties a batch and returns how many rows PostgreSQL says it did."""
    tag = await tx.execute(statement, before, limit)
    return int(tag.rpartition(" ")[2])
