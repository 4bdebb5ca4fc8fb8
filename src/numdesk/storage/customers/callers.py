"""Customers as rows, and the callers that keys belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, LiteralString

import msgspec

from numdesk.domain.customers.callers import Caller, CustomerState, Scope

if TYPE_CHECKING:
    from numdesk.storage.database.pool import Tx


_CALLER: LiteralString = """
    select k.hash, c.id, k.id, c.state, k.dialect, a.id, k.currency, k.scopes, k.methods,
      k.networks, k.expires_at,
           c.guard_until, c.guard_tier, b.id, k.secret, c.options::text
      from unnest($1::bytea[]) u(hash)
      cross join lateral (select * from api_keys k where k.hash = u.hash and k.revoked_at is null
        limit 1) k
      join customers c on c.id = k.customer_id
      join accounts a on a.kind = 'wallet' and a.owner = c.id and a.label is null
        and a.currency = k.currency
      left join accounts b on b.kind = 'bonus' and b.owner = c.id and b.label is null
        and b.currency = k.currency"""


async def callers(tx: Tx, hashes: Sequence[bytes]) -> dict[bytes, Caller]:
    """Return who each key hash belongs to, with the secret still sealed.

    Revoked and unknown ones are left out.
    """
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
    """Add a customer; return its id."""
    return await tx.fetchval(
        "insert into customers (name, state, contact, created_at) values ($1, $2, "
        "$3::text::jsonb, $4) returning id",
        name,
        int(state),
        msgspec.json.encode(contact).decode(),
        now,
    )


async def set_option(tx: Tx, customer_id: int, *, name: str, value: str | int | None) -> bool:
    """Set what staff wishes for a customer, None takes it away.

    False when there is no such customer.
    """
    tag = await tx.execute(
        """update customers set options = case when $3::text is null then options - $2
                                              else options || jsonb_build_object($2,
                                                $3::text::jsonb) end where id = $1""",
        customer_id,
        name,
        None if value is None else msgspec.json.encode(value).decode(),
    )
    return tag == "UPDATE 1"


async def set_state(tx: Tx, customer_id: int, state: CustomerState) -> bool:
    """Set a customer's state; False when there is no such customer."""
    return (
        await tx.execute("update customers set state = $2 where id = $1", customer_id, int(state))
        == "UPDATE 1"
    )
