"""API keys as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from numdesk.domain.customers.callers import Scope

if TYPE_CHECKING:
    from numdesk.storage.database.pool import Tx


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
    """Add an API key; return its id."""
    return await tx.fetchval(
        """insert into api_keys (customer_id, dialect, currency, hash, shown, name, scopes,
            methods, networks,
                                 expires_at, created_at, secret)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9::text[]::cidr[], $10, $11, $12)
             returning id""",
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
    """Return hash and sealed secret of the customer's newest key of a dialect that may still be
    used, None when there is none."""
    row = await tx.fetchrow(
        """select hash, secret from api_keys where customer_id = $1 and dialect = $2
            and secret is not null and revoked_at is null
             and (expires_at is null or expires_at > $3) order by id desc limit 1""",
        customer_id,
        dialect,
        now,
    )
    return (bytes(row[0]), bytes(row[1])) if row else None


async def keys(tx: Tx, customer_id: int) -> list[KeyLine]:
    """Return a customer's keys by id."""
    found = await tx.fetch(
        """select id, shown, dialect, name, scopes, methods, networks::text[], expires_at,
            last_used_at, revoked_at
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
    """Revoke a key; False when there is none that is not revoked yet."""
    return (
        await tx.execute(
            "update api_keys set revoked_at = $2 where id = $1 and revoked_at is null", key_id, now
        )
        == "UPDATE 1"
    )


async def touch_keys(tx: Tx, key_ids: Sequence[int], *, now: datetime) -> None:
    """Write down that the keys were used in this hour."""
    await tx.execute(
        "update api_keys set last_used_at = $2 where id = any($1) and (last_used_at is null or "
        "last_used_at < $2)",
        list(key_ids),
        now.replace(minute=0, second=0, microsecond=0),
    )
