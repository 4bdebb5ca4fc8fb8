"""Webhook deliveries, their leases and attempts, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, LiteralString, NamedTuple

from numdesk.domain.webhooks import FAILING_FOR, DeliveryLog, DeliveryState
from numdesk.storage.database.old_rows import GIVEN, WANTED, Old
from numdesk.storage.database.pool import Tx
from numdesk.storage.webhooks.endpoints import Owner

if TYPE_CHECKING:
    from asyncpg import Record


#: Deliveries that one replay of a time range puts back; the caller asks again for more.
REPLAY_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Room:
    """The room of a sender now: `free` for the endpoints named in it, `other` for each of the rest,
    `total` in all.

    Deliveries in `without` are left out.
    """

    after: int
    total: int
    other: int
    free: dict[int, int]
    without: Sequence[int] = ()

    def columns(self) -> tuple[object, ...]:
        """Return the arguments of the commands."""
        return (
            self.after,
            self.total,
            self.other,
            list(self.free),
            list(self.free.values()),
            self.without,
        )


class Leased(NamedTuple):
    """A delivery that was taken: nobody else sends it until its lease runs out.

    `document` is the event's, as JSON.
    """

    delivery_id: int
    lease_no: int
    attempts: int
    kind: str
    at: datetime
    document: str


class Taken(NamedTuple):
    """An endpoint and the deliveries that were taken for it, oldest first; the secret is sealed."""

    endpoint_id: int
    customer_id: int
    dialect: str
    url: str
    secret: bytes | None
    deliveries: list[Leased]


class Outcome(NamedTuple):
    """The outcome of one send. `due_at` is set when it is to be tried again.

    No status and no failure mean that nothing was sent.

    `failures_max` is None when the endpoint is not to blame, be it that nothing was sent or that
    the failure is ours. A tuple, so that a batch turns into the command's columns by itself.
    """

    delivery_id: int
    lease_no: int
    state: DeliveryState
    at: datetime
    due_at: datetime | None = None
    status: int | None = None
    failure: str | None = None
    elapsed_ms: int = 0
    answer: str | None = None
    failures_max: int | None = None
    reason: str | None = None


async def take(
    tx: Tx,
    *,
    now: datetime,
    wall: datetime,
    lease_s: float,
    room: Room,
    only: Sequence[int] | None = None,
) -> list[Taken]:
    """Take due deliveries (of those named only, if any are) under a lease, with all that is needed
    to send them.

    See `take_deliveries_v2`.
    """
    rows = await tx.fetch(
        """select endpoint_id, customer_id, dialect, url, secret, delivery_id, lease_no, attempts,
            kind, at, document
           from take_deliveries_v2($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)""",
        now,
        wall,
        timedelta(seconds=lease_s),
        *room.columns(),
        only,
    )
    return [
        Taken(*row[:5], deliveries=[Leased(*delivery) for delivery in zip(*row[5:], strict=True)])
        for row in rows
    ]


async def due(tx: Tx, *, now: datetime, wall: datetime, room: Room) -> list[int]:
    """Return the deliveries that `take` would take, or give up because their endpoint is switched
    off or has no URL."""
    rows = await tx.fetch(
        """select x.id from pending_endpoints_v1($3) p
             join webhook_endpoints w on w.id = p.endpoint_id
             cross join lateral (
               select u.id from webhook_deliveries u
                 where u.endpoint_id = w.id and u.state = 0 and (u.due_at <= $1
                   or w.disabled_at is not null or w.url = '')
                   and (u.lease_until is null or u.lease_until <= $2) and u.id <> all($8)
                 order by u.due_at, u.id limit coalesce(($7::int[])[array_position($6::int[],
                   w.id)], $5)) x
             order by w.id limit $4""",
        now,
        wall,
        *room.columns(),
    )
    return [row["id"] for row in rows]


async def ended(tx: Tx, delivery_ids: Sequence[int]) -> list[int]:
    """Return which of these deliveries are not to be sent any more."""
    rows = await tx.fetch(
        """select g.id from unnest($1::bigint[]) g (id)
             where not exists (select from webhook_deliveries d where d.id = g.id
               and d.state = 0)""",
        delivery_ids,
    )
    return [row["id"] for row in rows]


async def record(tx: Tx, *, now: datetime, outcomes: Sequence[Outcome]) -> list[Record]:
    """Write down how sends ended.

    Return (endpoint_id, customer_id, reason) of the endpoints that were switched off by it.
    """
    return await tx.fetch(
        """select endpoint_id, customer_id, reason
           from record_deliveries_v2($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
             order by endpoint_id""",
        now,
        *zip(*outcomes, strict=True),
        FAILING_FOR,
    )


async def is_anything_due(tx: Tx, *, now: datetime, without: Sequence[int]) -> bool:
    """Return whether a delivery is due for a working endpoint, being sent or not, except those in
    `without`."""
    return (
        await tx.fetchval(
            """select exists (
             select from pending_endpoints_v1(0) p
               join webhook_endpoints w on w.id = p.endpoint_id and w.disabled_at is null
                 and w.url <> ''
               where exists (select from webhook_deliveries d where d.endpoint_id = w.id
                 and d.state = 0 and d.due_at <= $1
                               and d.id <> all($2)))""",
            now,
            without,
        )
        is True
    )


async def replay(tx: Tx, *, owner: Owner, delivery_id: int, now: datetime) -> bool:
    """Make an ended delivery due again with all its attempts.

    Say whether there is one of this owner.
    """
    return (
        await tx.fetchval(
            """with old as (
                 select d.id, d.attempts, d.ended_at, d.status, d.elapsed_ms
                 from webhook_deliveries d join webhook_endpoints w on w.id = d.endpoint_id
                 where d.id = $3 and w.customer_id = $1 and w.dialect = $2 and d.state <> 0
                   for update of d),
               kept as (
                 insert into webhook_attempts (delivery_id, attempt, at, status, elapsed_ms)
                   select id, attempts, ended_at, status, elapsed_ms from old
                     where status is not null)
               update webhook_deliveries d
                 set state = 0, attempts = 0, due_at = $4, ended_at = null, status = null,
                   elapsed_ms = null, lease_no = d.lease_no + 1
                 from old where d.id = old.id returning true""",
            owner.customer_id,
            owner.dialect,
            delivery_id,
            now,
        )
        is True
    )


async def replay_failed(tx: Tx, *, owner: Owner, since: datetime, now: datetime) -> int:
    """Make deliveries given up since a time due again, at most REPLAY_MAX, oldest first.

    Return how many.
    """
    rows = await tx.fetch(
        """update webhook_deliveries d set state = 0, attempts = 0, due_at = $4, ended_at = null,
            lease_no = d.lease_no + 1
           where d.id in (
             select x.id from webhook_deliveries x join webhook_endpoints w on w.id = x.endpoint_id
               where w.customer_id = $1 and w.dialect = $2 and x.state = 2 and x.ended_at >= $3
                 order by x.id limit $5 for update of x)
           returning d.id""",
        owner.customer_id,
        owner.dialect,
        since,
        now,
        REPLAY_MAX,
    )
    return len(rows)


async def log(tx: Tx, *, owner: Owner, before: int | None, limit: int) -> list[DeliveryLog]:
    """Return deliveries with their last attempts, newest first, those of events before one when it
    is given."""
    rows = await tx.fetch(
        """select d.id, e.kind, d.state, d.attempts, e.at, d.ended_at,
                  coalesce(d.status, a.status), a.failure, coalesce(d.elapsed_ms, a.elapsed_ms),
                    a.answer
           from events e
             join webhook_deliveries d on d.id = e.id
             left join lateral (
               select t.status, t.failure, t.elapsed_ms, t.answer from webhook_attempts t
               where t.delivery_id = d.id and d.status is null order by t.id desc limit 1) a on true
           where e.customer_id = $1 and e.dialect = $2 and ($3::bigint is null or e.id < $3)
           order by e.id desc limit $4""",
        owner.customer_id,
        owner.dialect,
        before,
        limit,
    )
    return [DeliveryLog(row[0], row[1], DeliveryState(row[2]), *row[3:]) for row in rows]


#: Deliveries with their attempts and their events. Only the oldest are looked at; those of them
#: that were put back by a replay wait until they are old again.
OLD_DELIVERIES = Old(
    f"""select d.id::text from (select id from webhook_deliveries where {WANTED} order by id
        limit $2) front
          join webhook_deliveries d on d.id = front.id
          where d.state <> 0 and d.ended_at < $1 order by d.id for update of d skip locked""",
    (
        f"delete from webhook_deliveries where {GIVEN}",
        "delete from webhook_attempts where delivery_id = any($1::text[]::bigint[])",
        f"delete from events where {GIVEN}",
    ),
)


#: The next events behind the last that was looked at, up to the first that is young.
_NEXT_EVENTS: LiteralString = f"""
  with front as materialized (
    select id, at from events where {WANTED} and ($4::text[] is not null or id > $5) order by id
      limit $2)
  select id::text from front
    where id < coalesce((select min(id) from front where at >= $1), 9223372036854775807)
      order by id"""


#: Text and code of events. One that is about to be sent again keeps its text; it goes with its
#: delivery.
OLD_EVENT_TEXTS = Old(
    _NEXT_EVENTS,
    (
        f"""update events e set document = document || case kind when 'rental.message'
            then '{{"text": ""}}'::jsonb
                      else '{{"otp_code": null, "otp_message": null}}' end
              where {GIVEN} and (document ->> 'otp_message' is not null
                or document ->> 'text' <> '')
                and not exists (select from webhook_deliveries d where d.id = e.id
                  and d.state = 0)""",
    ),
    mark="retention.events_seen",
)


#: Events without a delivery. One that has a delivery goes with it.
OLD_EVENTS = Old(
    _NEXT_EVENTS,
    (
        (
            f"delete from events e where {GIVEN} and not exists (select from webhook_deliveries d "
            f"where d.id = e.id)"
        ),
    ),
    mark="retention.events_swept",
)
