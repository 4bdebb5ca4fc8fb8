"""Callbacks of payment gateways, kept as they came before anybody looks into them.

The same signed text once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

from numdesk.storage.database.old_rows import by_id

if TYPE_CHECKING:
    from numdesk.storage.database.pool import Tx


@dataclass(frozen=True, slots=True)
class Callback:
    """A verified callback: its body, and which payment of which invoice for which reference of ours
    it is about."""

    provider: str
    headers: Mapping[str, str]
    body: bytes
    reference: str
    invoice_id: str | None
    payment_id: str | None


async def keep(tx: Tx, callback: Callback, *, signed: bytes, now: datetime) -> int | None:
    """Keep a verified callback.

    Return its id, or None when one is there already of which the same was signed.
    """
    return await tx.fetchval(
        """insert into payment_inbox (provider, sha256, received_at, headers, body, reference,
            invoice_id, payment_id)
           values ($1, $2, $3, $4::text::jsonb, $5, $6, $7, $8) on conflict
             on constraint payment_inbox_once do nothing returning id""",
        callback.provider,
        sha256(signed).digest(),
        now,
        msgspec.json.encode(callback.headers).decode(),
        callback.body,
        callback.reference,
        callback.invoice_id,
        callback.payment_id,
    )


async def read(tx: Tx, inbox_id: int) -> Callback | None:
    """Return a kept callback that was not looked into yet."""
    row = await tx.fetchrow(
        """select provider, headers::text, body, reference, invoice_id, payment_id
            from payment_inbox
             where id = $1 and done_at is null""",
        inbox_id,
    )
    return (
        None
        if row is None
        else Callback(
            **{**row, "headers": msgspec.json.decode(row["headers"]), "body": bytes(row["body"])}
        )
    )


async def end(tx: Tx, inbox_id: int, *, result: str, now: datetime) -> None:
    """Note what became of a callback."""
    await tx.execute(
        "update payment_inbox set done_at = $2, result = $3 where id = $1 and done_at is null",
        inbox_id,
        now,
        result,
    )


#: Callbacks of payment gateways; one that is sent again then is read back, like any other.
OLD_CALLBACKS = by_id("payment_inbox", "received_at < $1 order by received_at")
