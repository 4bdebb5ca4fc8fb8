"""Top-ups as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from numdesk.domain.payments.topups import Policy, TopUp, TopUpState

if TYPE_CHECKING:
    from asyncpg import Record

    from numdesk.storage.database.pool import Tx


_policy = msgspec.json.Decoder(Policy)


async def insert_topup(
    tx: Tx, topup: TopUp, *, opening_until: datetime, next_poll_at: datetime
) -> int:
    """Write down that somebody wants to pay, and return the id.

    The given topup's is not looked at.
    """
    return await tx.fetchval(
        """insert into topups (public_id, customer_id, dialect, provider, currency, amount,
            final_amount, discount_bp, state, created_at,
                               policy, opening_until, next_poll_at)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::text::jsonb, $12, $13)
             returning id""",
        topup.public_id,
        topup.customer_id,
        topup.dialect,
        topup.provider,
        topup.currency,
        topup.amount,
        topup.final_amount,
        topup.discount_bp,
        int(topup.state),
        topup.created_at,
        msgspec.json.encode(topup.policy).decode(),
        opening_until,
        next_poll_at,
    )


async def open_of(
    tx: Tx, *, customer_id: int, now: datetime, lifetime: timedelta
) -> list[datetime]:
    """Return when each of a customer's top-ups ends that has seen no money yet, the next one first.

    No other is added meanwhile.
    """
    await tx.execute("select from customers where id = $1 for no key update", customer_id)
    rows = await tx.fetch(
        """select coalesce(expires_at, created_at + $4) ends_at from topups
             where customer_id = $1 and state = any($2::smallint[])
               and coalesce(expires_at, created_at + $4) > $3 order by 1""",
        customer_id,
        [int(TopUpState.CREATED), int(TopUpState.AWAITING)],
        now,
        lifetime,
    )
    return [row["ends_at"] for row in rows]


async def read(tx: Tx, topup_id: int) -> TopUp | None:
    """Return a top-up by its own number."""
    return _optional(await tx.fetchrow("select * from topups where id = $1", topup_id))


async def read_many(tx: Tx, topup_ids: Sequence[int]) -> dict[int, TopUp]:
    """Return top-ups by their own numbers."""
    rows = await tx.fetch("select * from topups where id = any($1::bigint[])", topup_ids)
    return {row["id"]: _topup(row) for row in rows}


async def read_public(tx: Tx, public_id: str) -> TopUp | None:
    """Return a top-up by the id that customers and gateways know."""
    return _optional(await tx.fetchrow("select * from topups where public_id = $1", public_id))


async def lock(tx: Tx, topup_id: int) -> TopUp | None:
    """Return a top-up whose money may be moved until the transaction ends.

    Locked before any account.
    """
    return _optional(await tx.fetchrow("select * from topups where id = $1 for update", topup_id))


async def listed(
    tx: Tx,
    *,
    states: Sequence[TopUpState] | None,
    doubtful: bool,
    customer_id: int | None,
    limit: int,
    offset: int = 0,
) -> list[TopUp]:
    """Return top-ups, newest first.

    With `doubtful` only those of which a payment waits for a person.
    """
    rows = await tx.fetch(
        """select * from topups t where ($1::smallint[] is null or t.state = any($1))
            and ($2::int is null or t.customer_id = $2)
             and (not $3 or exists (select from topup_payments p where p.topup_id = t.id
               and p.doubt is not null))
           order by t.id desc limit $4 offset $5""",
        None if states is None else [int(state) for state in states],
        customer_id,
        doubtful,
        limit,
        offset,
    )
    return [_topup(row) for row in rows]


async def write_state(
    tx: Tx, topup: TopUp, *, state: TopUpState, credited: int, polled: tuple[bool, bool]
) -> None:
    """Write the state of a top-up, and whether it was polled so far and is from now on.

    One that was not is polled at once.
    """
    await tx.execute(
        """update topups set state = $2, credited = $3,
             next_poll_at = case when $4 then null when $5 then created_at else next_poll_at end
               where id = $1""",
        topup.id,
        int(state),
        credited,
        not polled[1],
        not polled[0],
    )


async def of_gateway(tx: Tx, *, provider: str, topup_ids: Sequence[int]) -> list[int]:
    """Return which of these top-ups are one gateway's."""
    rows = await tx.fetch(
        "select id from topups where provider = $1 and id = any($2)", provider, topup_ids
    )
    return [row["id"] for row in rows]


async def available(tx: Tx, *, customer_id: int, currency: str) -> int:
    """Return what a wallet holds and nothing has reserved, and keep it so until the transaction
    ends."""
    units = await tx.fetchval(
        "select balance - held from accounts where kind = 'wallet' and owner = $1 and label is "
        "null and currency = $2 for update",
        customer_id,
        currency,
    )
    assert isinstance(units, int), "whoever tops up has a wallet"
    return units


async def restrict(tx: Tx, customer_id: int) -> None:
    """Let a customer who owes us read and end orders and rentals, and spend nothing more."""
    await tx.execute("update customers set state = 2 where id = $1 and state = 1", customer_id)


async def append_event(
    tx: Tx, *, topup: TopUp, kind: str, document: Mapping[str, Any], now: datetime
) -> None:
    """Write an event for the customer; a trigger makes deliveries of it."""
    await tx.execute(
        "insert into events (customer_id, dialect, kind, document, at) values ($1, $2, $3, "
        "$4::text::jsonb, $5)",
        topup.customer_id,
        topup.dialect,
        kind,
        msgspec.json.encode(document).decode(),
        now,
    )


async def by_reference(tx: Tx, *, provider: str, references: Sequence[str]) -> list[TopUp]:
    """Return a gateway's top-ups by the references that it knows."""
    rows = await tx.fetch(
        "select * from topups where provider = $1 and public_id = any($2::text[])",
        provider,
        references,
    )
    return [_topup(row) for row in rows]


async def touched(
    tx: Tx, *, provider: str, payment_ids: Sequence[str], since: datetime, until: datetime
) -> list[TopUp]:
    """Return the top-ups that have one of these payments, or one that was changed in a span of
    time."""
    rows = await tx.fetch(
        """select * from topups where id in (
             select p.topup_id from topup_payments p
               where p.provider = $1 and (p.payment_id = any($2::text[])
                 or (coalesce(p.changed_at, p.heard_at) >= $3
                   and coalesce(p.changed_at, p.heard_at) < $4)))
           order by id""",
        provider,
        payment_ids,
        since,
        until,
    )
    return [_topup(row) for row in rows]


def _optional(row: Record | None) -> TopUp | None:
    return None if row is None else _topup(row)


def _topup(row: Record) -> TopUp:
    return TopUp(
        id=row["id"],
        public_id=row["public_id"],
        customer_id=row["customer_id"],
        dialect=row["dialect"],
        provider=row["provider"],
        currency=row["currency"],
        amount=row["amount"],
        final_amount=row["final_amount"],
        discount_bp=row["discount_bp"],
        state=TopUpState(row["state"]),
        created_at=row["created_at"],
        invoice_id=row["invoice_id"],
        payment_url=row["payment_url"],
        expires_at=row["expires_at"],
        credited=row["credited"],
        policy=_policy.decode(row["policy"]),
    )
