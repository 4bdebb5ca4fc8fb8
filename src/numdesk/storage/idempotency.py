"""Idempotency keys: claim one, keep the outcome, replay it, release it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import TYPE_CHECKING

from numdesk.domain.errors import KeyReused, RequestInProgress

if TYPE_CHECKING:
    from numdesk.storage.pool import Tx


class Namespace(IntEnum):
    """Keys of different acts never meet. The numbers are stored."""

    CREATE = 0
    REACTIVATE = 1
    RENT = 2
    EXTEND = 3
    RERENT = 4
    RENTAL_CANCEL = 5
    TOPUP = 6


@dataclass(frozen=True, slots=True)
class Key:
    """One customer's key for one act, with the fingerprint of the request that used it."""

    customer_id: int
    namespace: Namespace
    text: str
    fingerprint: bytes


async def recorded(tx: Tx, key: Key) -> str | None:
    """Returns the outcome that the key holds, None when it is free; refuses with KeyReused or RequestInProgress."""
    row = await tx.fetchrow(
        "select fingerprint, state, outcome::text from idempotency where customer_id = $1 and namespace = $2 and key = $3",
        key.customer_id,
        int(key.namespace),
        key.text,
    )
    if row is None:
        return None
    if bytes(row[0]) != key.fingerprint:
        raise KeyReused
    if row[1] == 1:
        raise RequestInProgress
    return row[2]


async def claim(tx: Tx, key: Key, *, now: datetime) -> int | str:
    """Returns a new request id when the key was free and is now ours, or the outcome that it holds.

    Refuses with KeyReused or RequestInProgress.
    """
    request_id = await tx.fetchval(
        """insert into idempotency (customer_id, namespace, key, fingerprint, state, request_id, created_at)
           values ($1, $2, $3, $4, 1, nextval('request_serials'), $5) on conflict do nothing returning request_id""",
        key.customer_id,
        int(key.namespace),
        key.text,
        key.fingerprint,
        now,
    )
    if request_id is not None:
        return request_id
    outcome = await recorded(tx, key)
    if outcome is None:  # released between our two statements: the next try will get it
        raise RequestInProgress
    return outcome


async def keep(tx: Tx, key: Key, outcome: str) -> bool:
    """Records the outcome of a claimed key; False when somebody else has recorded one meanwhile."""
    tag = await tx.execute(
        "update idempotency set state = 2, outcome = $4::text::jsonb where customer_id = $1 and namespace = $2 and key = $3 and state = 1",
        key.customer_id,
        int(key.namespace),
        key.text,
        outcome,
    )
    return tag == "UPDATE 1"


async def release(tx: Tx, key: Key) -> None:
    """Frees a claimed key whose request had no effect."""
    await tx.execute(
        "delete from idempotency where customer_id = $1 and namespace = $2 and key = $3 and state = 1",
        key.customer_id,
        int(key.namespace),
        key.text,
    )


async def in_progress(tx: Tx, request_id: int) -> Key | None:
    """Returns the key that a request claimed, locked, or None when it is recorded or released."""
    row = await tx.fetchrow(
        "select customer_id, namespace, key, fingerprint from idempotency where request_id = $1 and state = 1 for update",
        request_id,
    )
    return Key(row[0], Namespace(row[1]), row[2], bytes(row[3])) if row else None


async def lock_in_progress(tx: Tx, request_id: int) -> bool:
    """Keeps a request from being settled until this transaction ends; False when it is recorded or released already."""
    return bool(await tx.fetchval("select true from idempotency where request_id = $1 and state = 1 for share", request_id))


async def forget_old(tx: Tx, *, before: datetime, limit: int) -> int:
    """Deletes up to `limit` recorded keys older than `before`; returns how many."""
    tag = await tx.execute(
        """delete from idempotency where (customer_id, namespace, key) in (
             select customer_id, namespace, key from idempotency where created_at < $1 and state = 2 limit $2)""",
        before,
        limit,
    )
    return int(tag.rpartition(" ")[2])
