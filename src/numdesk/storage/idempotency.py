"""Idempotency keys: claim one, keep the outcome, replay it, release it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import TYPE_CHECKING

from numdesk.domain.errors import KeyReused, RequestInProgress, RequestRepeated
from numdesk.storage.database.old_rows import by_columns

if TYPE_CHECKING:
    from numdesk.storage.database.pool import Tx


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
    #: A repeat is refused instead of answered.
    is_single: bool = False
    #: The key of the request's signature, which the request spends together with its own.
    signature: Key | None = None


async def recorded(tx: Tx, key: Key) -> str | None:
    """Return the outcome that the signature or the key holds, None when both are free.

    Raises KeyReused, RequestRepeated or RequestInProgress.
    """
    if key.signature is not None and (outcome := await recorded(tx, key.signature)) is not None:
        return outcome
    return await _held(tx, key)


async def _held(tx: Tx, key: Key) -> str | None:
    """Return the outcome that the key itself holds."""
    row = await tx.fetchrow(
        "select fingerprint, state, outcome::text from idempotency where customer_id = $1 and "
        "namespace = $2 and key = $3",
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
    if key.is_single:
        raise RequestRepeated
    return row[2]


async def claim(tx: Tx, key: Key, *, now: datetime) -> int | str:
    """Return a new request id when the key was free and is now ours, or the outcome that it holds.

    A signature that was spent decides, whatever the key; one that was not is spent, also when the
    key is known. Raises KeyReused, RequestRepeated or RequestInProgress.
    """
    if key.signature is not None:
        spent = await claim(tx, key.signature, now=now)
        if isinstance(spent, str):
            return spent
    request_id = await tx.fetchval(
        """insert into idempotency (customer_id, namespace, key, fingerprint, state, request_id,
            created_at)
           values ($1, $2, $3, $4, 1, nextval('request_serials'), $5) on conflict do nothing
             returning request_id""",
        key.customer_id,
        int(key.namespace),
        key.text,
        key.fingerprint,
        now,
    )
    if request_id is not None:
        return request_id
    outcome = await _held(tx, key)
    if outcome is None:  # released between our two statements: the next try will get it
        raise RequestInProgress
    if key.signature is not None:
        await keep(tx, key.signature, outcome)
    return outcome


async def keep(tx: Tx, key: Key, outcome: str) -> bool:
    """Record the outcome of a claimed key, and of its signature.

    False when somebody else has recorded one meanwhile.
    """
    if key.signature is not None:
        await keep(tx, key.signature, outcome)
    tag = await tx.execute(
        "update idempotency set state = 2, outcome = $4::text::jsonb where customer_id = $1 and "
        "namespace = $2 and key = $3 and state = 1",
        key.customer_id,
        int(key.namespace),
        key.text,
        outcome,
    )
    return tag == "UPDATE 1"


async def release(tx: Tx, key: Key) -> None:
    """Free a claimed key whose request had no effect."""
    await tx.execute(
        "delete from idempotency where customer_id = $1 and namespace = $2 and key = $3 and state "
        "= 1",
        key.customer_id,
        int(key.namespace),
        key.text,
    )


async def claim_all(tx: Tx, keys: Sequence[Key], *, now: datetime) -> set[Key]:
    """Claim those of the keys that are free, without request ids, and return them."""
    if not keys:
        return set()
    rows = await tx.fetch(
        """insert into idempotency (customer_id, namespace, key, fingerprint, state, created_at)
             select u.customer_id, u.namespace, u.key, u.fingerprint, 1, $5
               from unnest($1::int[], $2::smallint[], $3::text[], $4::bytea[]) u(customer_id,
                 namespace, key, fingerprint)
               order by u.customer_id, u.namespace, u.key
             on conflict do nothing returning customer_id, namespace, key""",
        *_names(keys),
        [key.fingerprint for key in keys],
        now,
    )
    ours = {(row[0], row[1], row[2]) for row in rows}
    return {key for key in keys if (key.customer_id, int(key.namespace), key.text) in ours}


async def end_all(tx: Tx, outcomes: Mapping[Key, str | None]) -> None:
    """Record the outcomes of claimed keys, and free those that have none."""
    if not outcomes:
        return
    await tx.execute(
        """update idempotency i set state = 2, outcome = u.outcome::jsonb
             from unnest($1::int[], $2::smallint[], $3::text[], $4::text[]) u(customer_id,
               namespace, key, outcome)
             where i.customer_id = u.customer_id and i.namespace = u.namespace and i.key = u.key
               and i.state = 1
               and u.outcome is not null""",
        *_names(outcomes),
        list(outcomes.values()),
    )
    if None in outcomes.values():
        await tx.execute(
            """delete from idempotency where state = 1 and (customer_id, namespace, key) in (
                 select u.* from unnest($1::int[], $2::smallint[], $3::text[]) u(customer_id,
                   namespace, key))""",
            *_names([key for key, outcome in outcomes.items() if outcome is None]),
        )


def _names(keys: Collection[Key]) -> tuple[list[int], list[int], list[str]]:
    """Return the columns of the primary key."""
    return (
        [key.customer_id for key in keys],
        [int(key.namespace) for key in keys],
        [key.text for key in keys],
    )


async def in_progress(tx: Tx, request_id: int) -> Key | None:
    """Return the key that a request claimed, locked, or None when it is recorded or released."""
    row = await tx.fetchrow(
        "select customer_id, namespace, key, fingerprint from idempotency where request_id = $1 "
        "and state = 1 for update",
        request_id,
    )
    return Key(row[0], Namespace(row[1]), row[2], bytes(row[3])) if row else None


async def lock_in_progress(tx: Tx, request_id: int) -> bool:
    """Keep a request from being settled until this transaction ends.

    False when it is recorded or released already.
    """
    return bool(
        await tx.fetchval(
            "select true from idempotency where request_id = $1 and state = 1 for share", request_id
        )
    )


#: Keys of requests that have an answer.
OLD_KEYS = by_columns(
    "idempotency",
    "created_at < $1 and state = 2",
    key="customer_id, namespace, key",
    same="o.customer_id = (k ->> 0)::int and o.namespace = (k ->> 1)::smallint and o.key = k ->> 2",
)
