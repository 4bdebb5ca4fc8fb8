"""The commands that find old rows and delete them, for each table that only grows; orders lose their texts only, money stays.

Ids rise with time, so the oldest rows of a table without an index on a time are those with the lowest ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, LiteralString

from numdesk.storage.desk import settings

if TYPE_CHECKING:
    from numdesk.storage.database.pool import Tx

#: Which rows are wanted, and which are given, where a number is the key.
_WANTED: LiteralString = (
    "id <> all($3::text[]::bigint[]) and ($4::text[] is null or id = any($4::text[]::bigint[]))"
)
_GIVEN: LiteralString = "id = any($1::text[]::bigint[])"


@dataclass(frozen=True, slots=True)
class Old:
    """Rows of one table that are forgotten when they are old.

    `due` finds and locks the keys, as text, of up to $2 rows from before $1 that nobody else is using, without those in $3,
    and only those in $4 when it is given. `forget` are the commands that then delete or empty the rows in $1.
    """

    due: LiteralString
    forget: tuple[LiteralString, ...]
    #: The setting that holds the last id that was looked at, for a table without an index on its time.
    mark: str | None = None


async def due(
    tx: Tx,
    *,
    old: Old,
    before: datetime,
    limit: int,
    without: Sequence[str],
    only: Sequence[str] | None,
) -> list[str]:
    """Returns the keys of up to `limit` rows from before a time, leaving some out, or only of those named."""
    seen = [] if old.mark is None else [int(await settings.read(tx, name=old.mark) or 0)]
    return [row[0] for row in await tx.fetch(old.due, before, limit, without, only, *seen)]


async def forget(tx: Tx, keys: Sequence[str], *, old: Old) -> Sequence[str]:
    """Forgets these rows and returns their keys."""
    for command in old.forget:
        await tx.execute(command, keys)
    return keys


async def passed(tx: Tx, keys: Sequence[str], *, old: Old) -> None:
    """Moves the mark of a table that has one behind the rows that were looked at."""
    if old.mark is not None:
        await settings.write(tx, name=old.mark, value=max(map(int, keys)))


def _by_id(table: LiteralString, is_old: LiteralString) -> Old:
    """Returns what deletes rows with a number as their key; `is_old` ends with their order."""
    return Old(
        f"select id::text from {table} where {_WANTED} and {is_old} limit $2 for update skip locked",
        (f"delete from {table} where {_GIVEN}",),
    )


def _by_columns(
    table: LiteralString, is_old: LiteralString, *, key: LiteralString, same: LiteralString
) -> Old:
    """Returns what deletes rows with other columns as their `key`; `same` compares those of o with the JSON array k."""
    text: LiteralString = f"jsonb_build_array({key})::text"
    wanted: LiteralString = f"{text} <> all($3) and ($4::text[] is null or {text} = any($4))"
    return Old(
        f"select {text} from {table} where {wanted} and {is_old} limit $2 for update skip locked",
        (f"delete from {table} o using unnest($1::text[]::jsonb[]) k where {same}",),
    )


#: Deliveries with their attempts and their events. Only the oldest are looked at; those of them that were put back by a replay wait
#: until they are old again.
DELIVERIES = Old(
    f"""select d.id::text from (select id from webhook_deliveries where {_WANTED} order by id limit $2) front
          join webhook_deliveries d on d.id = front.id
          where d.state <> 0 and d.ended_at < $1 order by d.id for update of d skip locked""",
    (
        f"delete from webhook_deliveries where {_GIVEN}",
        "delete from webhook_attempts where delivery_id = any($1::text[]::bigint[])",
        f"delete from events where {_GIVEN}",
    ),
)
MESSAGES = Old(
    f"""select m.id::text from (select id from messages where {_WANTED} order by id limit $2) front
          join messages m on m.id = front.id
          where m.received_at < $1 order by m.id for update of m skip locked""",
    (f"delete from messages where {_GIVEN}",),
)
#: Text and code of ended orders. The higher revision makes other processes read the order again.
ORDER_TEXTS = Old(
    f"""select id::text from orders where {_WANTED} and otp_message is not null and ended_at < $1
          order by ended_at limit $2 for update skip locked""",
    (
        f"update orders set otp_message = null, otp_code = null, revision = revision + 1 where {_GIVEN}",
    ),
)
#: The next events behind the last that was looked at, up to the first that is young.
_NEXT_EVENTS: LiteralString = f"""
  with front as materialized (
    select id, at from events where {_WANTED} and ($4::text[] is not null or id > $5) order by id limit $2)
  select id::text from front
    where id < coalesce((select min(id) from front where at >= $1), 9223372036854775807) order by id"""
#: Text and code of events. One that is about to be sent again keeps its text; it goes with its delivery.
EVENT_TEXTS = Old(
    _NEXT_EVENTS,
    (
        f"""update events e set document = document || case kind when 'rental.message' then '{{"text": ""}}'::jsonb
                                                               else '{{"otp_code": null, "otp_message": null}}' end
              where {_GIVEN} and (document ->> 'otp_message' is not null or document ->> 'text' <> '')
                and not exists (select from webhook_deliveries d where d.id = e.id and d.state = 0)""",
    ),
    mark="retention.events_seen",
)
#: Events without a delivery. One that has a delivery goes with it.
EVENTS = Old(
    _NEXT_EVENTS,
    (
        f"delete from events e where {_GIVEN} and not exists (select from webhook_deliveries d where d.id = e.id)",
    ),
    mark="retention.events_swept",
)
#: Keys of requests that have an answer.
KEYS = _by_columns(
    "idempotency",
    "created_at < $1 and state = 2",
    key="customer_id, namespace, key",
    same="o.customer_id = (k ->> 0)::int and o.namespace = (k ->> 1)::smallint and o.key = k ->> 2",
)
#: Segments that were joined.
PARTS = _by_columns(
    "message_parts",
    "joined and received_at < $1 order by received_at",
    key="provider, provider_message_id",
    same="o.provider = k ->> 0 and o.provider_message_id = k ->> 1",
)
#: Uses of numbers that kept them from a service until then.
USES = _by_columns(
    "number_uses",
    "until < $1 order by until",
    key="number_id, service_id",
    same="o.number_id = (k ->> 0)::bigint and o.service_id = (k ->> 1)::int",
)
#: How customers' orders ended in an hour.
HOURS = _by_columns(
    "customer_hours",
    "hour < $1 order by hour",
    key="customer_id, hour",
    same="o.customer_id = (k ->> 0)::int and o.hour = (k ->> 1)::timestamptz",
)
#: Routing decisions, by when they were last made; orders of that time lose their explanation.
DECISIONS = _by_id("routing_decisions", "used_at < $1 order by used_at")
#: Callbacks of payment gateways; one that is sent again then is read back, like any other.
CALLBACKS = _by_id("payment_inbox", "received_at < $1 order by received_at")
#: Rate counts. No index finds these: it would make each of the many updates dearer, and the table is small when it is swept.
COUNTS = _by_columns(
    "rate_counts",
    "window_start < extract(epoch from $1::timestamptz)",
    key="customer_id, bucket, origin",
    same="o.customer_id = (k ->> 0)::int and o.bucket = k ->> 1 and o.origin = k ->> 2",
)
#: Receipts of transactions; the oldest stand first in the table, so no index is needed.
RECEIPTS = _by_columns("receipts", "at < $1", key="id", same="o.id = (k ->> 0)::uuid")
