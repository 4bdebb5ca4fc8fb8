"""Facts about the database as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from numdesk.domain.customers.callers import CustomerState
from numdesk.storage.database.pool import Tx
from numdesk.storage.desk import settings

#: A list of customers ends here; the console pages through more.
CUSTOMERS_MAX = 10_000


async def is_empty(tx: Tx) -> bool:
    """Do the database hold no customer, no number and no offer?"""
    found = await tx.fetchval(
        """select not exists (select from customers) and not exists (select from numbers)
              and not exists (select from offers)"""
    )
    return bool(found)


async def latest_booked(tx: Tx) -> datetime | None:
    """Return the latest time that the newest rows of the books have: money, orders, rentals,
    requests, events and messages."""
    return await tx.fetchval(
        """select greatest((select at from journals order by id desc limit 1),
                           (select created_at from orders order by id desc limit 1),
                           (select at from rental_charges order by id desc limit 1),
                           (select created_at from idempotency where request_id is not null
                             order by request_id desc limit 1),
                           (select at from events order by id desc limit 1),
                           (select received_at from messages order by id desc limit 1))"""
    )


@dataclass(frozen=True, slots=True)
class Serial:
    """A sequence and how much of it is used, from 0 to 1: of its own range, or of its column's
    where that is smaller."""

    name: str
    used: float


async def serials(tx: Tx) -> list[Serial]:
    """Return every sequence, the most used first."""
    rows = await tx.fetch(
        """select c.relname, coalesce(pg_sequence_last_value(c.oid), 0)
                    / least(p.seqmax, min(case a.atttypid when 'int2'::regtype then 32767
                      when 'int4'::regtype then 2147483647 end))::float8
             from pg_class c join pg_namespace n on n.oid = c.relnamespace
               and n.nspname = current_schema()
             join pg_sequence p on p.seqrelid = c.oid
             left join lateral (
               select d.refobjid attrelid, d.refobjsubid attnum from pg_depend d
                 where d.classid = 'pg_class'::regclass and d.objid = c.oid
                   and d.refclassid = 'pg_class'::regclass and d.refobjsubid > 0
               union
               select f.adrelid, f.adnum from pg_depend d join pg_attrdef f on f.oid = d.objid
                 where d.classid = 'pg_attrdef'::regclass and d.refclassid = 'pg_class'::regclass
                   and d.refobjid = c.oid) k on true
             left join pg_attribute a on a.attrelid = k.attrelid and a.attnum = k.attnum
             group by c.oid, c.relname, p.seqmax order by 2 desc, 1"""
    )
    return [Serial(*row) for row in rows]


async def probe_writes(tx: Tx) -> None:
    """Write a row, and a megabyte of temporary files, so that a full disk shows: a row alone may
    find room in an old page."""
    await settings.write(tx, name="writes.probed", value=True)
    await tx.execute("set local work_mem = '64kB'")
    await tx.execute(
        "select count(*) from (select repeat(md5(n::text), 1000) from generate_series(1, 32) n "
        "order by 1 offset 0) wide"
    )


@dataclass(frozen=True, slots=True)
class CustomerLine:
    """A customer as a list shows it."""

    id: int
    name: str
    state: CustomerState
    created_at: datetime
    contact: Mapping[str, str]
    dialects: tuple[str, ...]


async def customers(tx: Tx) -> list[CustomerLine]:
    """Return the customers by id, at most CUSTOMERS_MAX."""
    found = await tx.fetch(
        """select c.id, c.name, c.state, c.created_at, c.contact::text,
                  array(select distinct k.dialect from api_keys k where k.customer_id = c.id
                    order by 1)
             from customers c order by c.id limit $1""",
        CUSTOMERS_MAX,
    )
    return [
        CustomerLine(
            row[0],
            row[1],
            CustomerState(row[2]),
            row[3],
            msgspec.json.decode(row[4]),
            tuple(row[5]),
        )
        for row in found
    ]


@dataclass(frozen=True, slots=True)
class Condition:
    """The state of the database and of the work that waits in it."""

    version: str
    fsync: bool
    synchronous_commit: bool
    wall: datetime
    numbers_free: bool
    offers: bool
    jobs_dead: int
    jobs_oldest: datetime | None
    delivery_oldest: datetime | None
    order_oldest_pending: datetime | None
    connections: int
    connections_max: int
    size_bytes: int


async def condition(tx: Tx) -> Condition:
    """Look at everything once."""
    row = await tx.fetchrow(
        """select current_setting('server_version') as version,
                  current_setting('fsync') = 'on' as fsync,
                  current_setting('synchronous_commit') <> 'off' as synchronous_commit,
                  clock_timestamp() as wall,
                  exists (select from numbers where state = 0) as numbers_free,
                  exists (select from offers where active) as offers,
                  (select count(*) from jobs where dead_at is not null) as jobs_dead,
                  (select min(run_at) from jobs where dead_at is null) as jobs_oldest,
                  (select min(e.at) from webhook_deliveries d join events e on e.id = d.id
                    where d.state = 0 and d.attempts = 0) as delivery_oldest,
                  (select min(created_at) from orders where state = 0) as order_oldest_pending,
                  (select count(*) from pg_stat_activity)::int as connections,
                  current_setting('max_connections')::int as connections_max,
                  pg_database_size(current_database()) as size_bytes"""
    )
    assert row is not None, "a select without from has one row"
    return Condition(**dict(row))
