"""Customers, their keys, and what the abuse guard remembers of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, LiteralString

import msgspec

from numdesk.domain.customers.abuse_guard import Hour, Verdict
from numdesk.domain.customers.callers import Caller, CustomerState, Scope

if TYPE_CHECKING:
    from numdesk.storage.database.pool import Tx

_CALLER: LiteralString = """
    select k.hash, c.id, k.id, c.state, k.dialect, a.id, k.currency, k.scopes, k.methods, k.networks, k.expires_at,
           c.guard_until, c.guard_tier, b.id, k.secret, c.options::text
      from unnest($1::bytea[]) u(hash)
      cross join lateral (select * from api_keys k where k.hash = u.hash and k.revoked_at is null limit 1) k
      join customers c on c.id = k.customer_id
      join accounts a on a.kind = 'wallet' and a.owner = c.id and a.label is null and a.currency = k.currency
      left join accounts b on b.kind = 'bonus' and b.owner = c.id and b.label is null and b.currency = k.currency"""


async def callers(tx: Tx, hashes: Sequence[bytes]) -> dict[bytes, Caller]:
    """Returns who each key hash belongs to, with the secret still sealed; revoked and unknown ones are left out."""
    rows = await tx.fetch(_CALLER, list(hashes))
    return {
        bytes(row[0]): Caller(
            row[1],
            row[2],
            CustomerState(row[3]),
            row[4],
            row[5],
            row[6],
            frozenset(Scope(s) for s in row[7]),
            frozenset(row[8]),
            tuple(row[9]),
            row[10],
            row[11],
            row[12],
            row[13],
            row[14],
            msgspec.json.decode(row[15]),
        )
        for row in rows
    }


async def insert_customer(
    tx: Tx, *, name: str, state: CustomerState, contact: Mapping[str, str], now: datetime
) -> int:
    """Adds a customer; returns its id."""
    return await tx.fetchval(
        "insert into customers (name, state, contact, created_at) values ($1, $2, $3::text::jsonb, $4) returning id",
        name,
        int(state),
        msgspec.json.encode(contact).decode(),
        now,
    )


async def set_option(tx: Tx, customer_id: int, *, name: str, value: str | int | None) -> bool:
    """Sets what staff wishes for a customer, None takes it away; False when there is no such customer."""
    tag = await tx.execute(
        """update customers set options = case when $3::text is null then options - $2
                                              else options || jsonb_build_object($2, $3::text::jsonb) end where id = $1""",
        customer_id,
        name,
        None if value is None else msgspec.json.encode(value).decode(),
    )
    return tag == "UPDATE 1"


async def insert_key(
    tx: Tx,
    *,
    customer_id: int,
    dialect: str,
    currency: str,
    hashed: bytes,
    secret: bytes | None,
    shown: str,
    name: str,
    scopes: frozenset[Scope],
    methods: frozenset[str],
    networks: Sequence[str],
    expires_at: datetime | None,
    now: datetime,
) -> int:
    """Adds an API key; returns its id."""
    return await tx.fetchval(
        """insert into api_keys (customer_id, dialect, currency, hash, shown, name, scopes, methods, networks,
                                 expires_at, created_at, secret)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9::text[]::cidr[], $10, $11, $12) returning id""",
        customer_id,
        dialect,
        currency,
        hashed,
        shown,
        name,
        sorted(int(s) for s in scopes),
        sorted(methods),
        list(networks),
        expires_at,
        now,
        secret,
    )


@dataclass(frozen=True, slots=True)
class KeyLine:
    """A key as a list shows it; `shown` is how its token begins."""

    id: int
    shown: str
    dialect: str
    name: str
    scopes: tuple[Scope, ...]
    methods: tuple[str, ...]
    networks: tuple[str, ...]
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


async def newest_secret(
    tx: Tx, customer_id: int, *, dialect: str, now: datetime
) -> tuple[bytes, bytes] | None:
    """Returns hash and sealed secret of the customer's newest key of a dialect that may still be used, None when there is none."""
    row = await tx.fetchrow(
        """select hash, secret from api_keys where customer_id = $1 and dialect = $2 and secret is not null and revoked_at is null
             and (expires_at is null or expires_at > $3) order by id desc limit 1""",
        customer_id,
        dialect,
        now,
    )
    return (bytes(row[0]), bytes(row[1])) if row else None


async def keys(tx: Tx, customer_id: int) -> list[KeyLine]:
    """Returns a customer's keys by id."""
    found = await tx.fetch(
        """select id, shown, dialect, name, scopes, methods, networks::text[], expires_at, last_used_at, revoked_at
             from api_keys where customer_id = $1 order by id""",
        customer_id,
    )
    return [
        KeyLine(
            row["id"],
            row["shown"],
            row["dialect"],
            row["name"],
            tuple(Scope(one) for one in row["scopes"]),
            tuple(row["methods"]),
            tuple(row["networks"]),
            row["expires_at"],
            row["last_used_at"],
            row["revoked_at"],
        )
        for row in found
    ]


async def revoke_key(tx: Tx, key_id: int, *, now: datetime) -> bool:
    """Revokes a key; False when there is none that is not revoked yet."""
    return (
        await tx.execute(
            "update api_keys set revoked_at = $2 where id = $1 and revoked_at is null", key_id, now
        )
        == "UPDATE 1"
    )


async def set_state(tx: Tx, customer_id: int, state: CustomerState) -> bool:
    """Sets a customer's state; False when there is no such customer."""
    return (
        await tx.execute("update customers set state = $2 where id = $1", customer_id, int(state))
        == "UPDATE 1"
    )


async def touch_keys(tx: Tx, key_ids: Sequence[int], *, now: datetime) -> None:
    """Writes down that the keys were used in this hour."""
    await tx.execute(
        "update api_keys set last_used_at = $2 where id = any($1) and (last_used_at is null or last_used_at < $2)",
        list(key_ids),
        now.replace(minute=0, second=0, microsecond=0),
    )


async def count_cancel(tx: Tx, customer_id: int, *, now: datetime) -> None:
    """Counts something that the customer cancelled before a message came, as `count_endings_v1` does for orders."""
    await tx.execute(
        """insert into customer_hours as h (customer_id, hour, canceled) values ($1, date_trunc('hour', $2::timestamptz, 'UTC'), 1)
             on conflict (customer_id, hour) do update set canceled = h.canceled + 1""",
        customer_id,
        now,
    )


async def hours(tx: Tx, customer_id: int, *, now: datetime) -> list[Hour]:
    """Returns how the customer's orders ended in each hour of the last day."""
    rows = await tx.fetch(
        "select hour, received, canceled, expired from customer_hours where customer_id = $1 and hour > $2 order by hour",
        customer_id,
        now - timedelta(hours=25),
    )
    return [Hour(row[0], row[1], row[2], row[3]) for row in rows]


async def set_guard(tx: Tx, customer_id: int, verdict: Verdict) -> None:
    """Closes ordering for the customer, unless it is closed for longer already."""
    await tx.execute(
        "update customers set guard_until = $2, guard_tier = $3 where id = $1 and (guard_until is null or guard_until < $2)",
        customer_id,
        verdict.until,
        verdict.tier,
    )


async def versions(tx: Tx) -> dict[str, int]:
    """Returns the counters that say whether what a process remembers has become old."""
    return {row[0]: row[1] for row in await tx.fetch("select name, n from versions")}


async def exchange_counts(
    tx: Tx, counts: Sequence[tuple[int, str, int, int]], *, origin: str
) -> dict[tuple[int, str], int]:
    """Writes this process's rate counts (subject, bucket, window start, n) and returns what the others counted in the same windows."""
    subjects, buckets, windows, totals = ([row[i] for row in counts] for i in range(4))
    await tx.execute(
        """insert into rate_counts as r (customer_id, bucket, origin, window_start, n)
             select c, b, $5, w, n from unnest($1::int[], $2::text[], $3::bigint[], $4::int[]) u(c, b, w, n)
           on conflict (customer_id, bucket, origin) do update set window_start = excluded.window_start, n = excluded.n""",
        subjects,
        buckets,
        windows,
        totals,
        origin,
    )
    rows = await tx.fetch(
        """select r.customer_id, r.bucket, sum(r.n)::int from rate_counts r
             join unnest($1::int[], $2::text[], $3::bigint[]) u(c, b, w) on r.customer_id = u.c and r.bucket = u.b and r.window_start = u.w
             where r.origin <> $4 group by 1, 2""",
        subjects,
        buckets,
        windows,
        origin,
    )
    return {(row[0], row[1]): row[2] for row in rows}
