"""Webhook endpoints as rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from numdesk.storage.database.pool import Tx


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """An endpoint as it is stored: the secret is sealed, an empty URL means none."""

    url: str
    secret: bytes | None
    disabled_at: datetime | None
    disabled_reason: str | None
    consecutive_failures: int
    failing_since: datetime | None


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner of an endpoint: a customer has one per dialect."""

    customer_id: int
    dialect: str


@dataclass(frozen=True, slots=True)
class EndpointChange:
    """A change of an endpoint: None leaves a field alone.

    `spare` is the secret that a first URL gets when there is none.
    """

    url: str | None
    secret: bytes | None
    clear_secret: bool
    spare: bytes


async def read(tx: Tx, *, owner: Owner) -> EndpointRow | None:
    """Return a customer's endpoint."""
    row = await tx.fetchrow(
        """select url, secret, disabled_at, disabled_reason, consecutive_failures, failing_since
            from webhook_endpoints
           where customer_id = $1 and dialect = $2""",
        owner.customer_id,
        owner.dialect,
    )
    return EndpointRow(*row) if row else None


async def change(tx: Tx, *, owner: Owner, change: EndpointChange, now: datetime) -> EndpointRow:
    """Change an endpoint, or makes it; every change enables it and forgets its failures."""
    row = await tx.fetchrow(
        """insert into webhook_endpoints as w (customer_id, dialect, url, secret, updated_at)
             values ($1, $2, coalesce($3, ''),
                     case when $5 then null when $4::bytea is not null then $4
                       when coalesce($3, '') <> '' then $6::bytea end, $7)
           on conflict (customer_id, dialect) do update
             set url = coalesce($3, w.url),
                 secret = case when $5 then null when $4::bytea is not null then $4
                               when coalesce($3, '') <> '' and w.url = '' and w.secret is null
                                 then $6::bytea else w.secret end,
                 disabled_at = null, disabled_reason = null, consecutive_failures = 0,
                   failing_since = null,
                 updated_at = $7
           returning url, secret, disabled_at, disabled_reason, consecutive_failures,
             failing_since""",
        owner.customer_id,
        owner.dialect,
        change.url,
        change.secret,
        change.clear_secret,
        change.spare,
        now,
    )
    assert row is not None, "an upsert returns its row"
    return EndpointRow(*row)
