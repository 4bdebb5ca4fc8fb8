"""Tells customers once when their spendable money falls below their mark, and again only after it
was above it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from numdesk.storage.database.pool import Tx
from numdesk.storage.ledger import alerts as rows

#: What the mark is for a customer for whom staff has set none (option `low_balance`), in minor
#: units.
LOW_BALANCE = 1000


async def look(
    tx: Tx, *, customer_ids: Iterable[int], dialect: str, currency: str, now: datetime
) -> None:
    """Write the event balance.low for those who have just fallen below their mark.

    Called at the end of a transaction that moved their money, with their accounts locked.
    """
    await rows.look(
        tx, sorted(set(customer_ids)), dialect=dialect, currency=currency, mark=LOW_BALANCE, now=now
    )


async def look_after_staff(tx: Tx, *, customer_id: int, currency: str, now: datetime) -> None:
    """Look after staff moved a customer's money: in the dialect in which they sign, the only ones
    who are told of a low balance."""
    dialect = await rows.signing_dialect(tx, customer_id, currency=currency)
    if dialect is not None:
        await look(tx, customer_ids=[customer_id], dialect=dialect, currency=currency, now=now)
