"""Charges of rentals as rows: what a term cost, from the bonus and from the wallet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from numdesk.storage.rentals.lifecycle import Held

if TYPE_CHECKING:
    from numdesk.storage.database.pool import Tx


@dataclass(frozen=True, slots=True)
class Split:
    """Money by where it comes from or goes to, in minor units."""

    bonus: int
    wallet: int


async def lock_purse(tx: Tx, *, wallet_id: int, bonus_id: int | None) -> Split:
    """Lock a customer's wallet and bonus and returns what each can spend."""
    rows = await tx.fetch(
        "select id, balance - held + credit_limit free from accounts where id = any($1::bigint[]) "
        "order by id for update",
        [wallet_id, bonus_id],
    )
    free = {row["id"]: row["free"] for row in rows}
    return Split(
        bonus=max(free.get(bonus_id, 0), 0) if bonus_id is not None else 0, wallet=free[wallet_id]
    )


async def add_charge(
    tx: Tx, *, term_id: int, extends: bool, units: int, paid: Split, now: datetime
) -> int:
    """Record the charge of a term and return the charge's id."""
    return await tx.fetchval(
        """insert into rental_charges (term_id, kind, units, price, from_bonus, from_wallet, at)
             values ($1, $2, $3, $4, $5, $6, $7) returning id""",
        term_id,
        int(extends),
        units,
        paid.bonus + paid.wallet,
        paid.bonus,
        paid.wallet,
        now,
    )


async def charged(tx: Tx, *, term_id: int) -> Split:
    """Return what all charges of a term took, by source."""
    row = await tx.fetchrow(
        "select coalesce(sum(from_bonus), 0)::bigint, coalesce(sum(from_wallet), 0)::bigint from "
        "rental_charges where term_id = $1",
        term_id,
    )
    assert row is not None, "an aggregate has one row"
    return Split(row[0], row[1])


async def note(tx: Tx, journal_id: int, held: Held, *, type: str, units: int) -> None:  # noqa: A002
    """Keep what the customer's history says of a charge or refund."""
    await tx.execute(
        """insert into journal_details (journal_id, document)
             values ($1, rental_note_v1($2, $3, $4, to_jsonb($5::text[]), $6, $7)) on conflict
               do nothing""",
        journal_id,
        type,
        held.rental.msisdn,
        held.rental.country,
        [service.name for service in held.rental.services],
        units,
        int(held.rental.rent_type),
    )
