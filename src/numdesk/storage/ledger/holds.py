"""Holds on wallets as rows: opened once, ended once."""

from __future__ import annotations

from datetime import datetime

from numdesk.domain.errors import KeyReused, NotFound
from numdesk.domain.ledger import journals
from numdesk.domain.ledger.journals import (
    Hold,
    HoldState,
    Journal,
)
from numdesk.domain.money import Money
from numdesk.storage.database.pool import Tx
from numdesk.storage.ledger.accounts import account_of, lock_accounts, named_refusals
from numdesk.storage.ledger.journals import (
    Applied,
    find_same,
    named_accounts,
    record,
    write_transfers,
)


async def hold(tx: Tx, wanted: Hold, *, now: datetime) -> bool:
    """Reserve money of a wallet.

    False when this very hold was opened before, whatever became of it.

    Raises WalletShort, NotFound (no such wallet) or KeyReused (another hold bears its name).
    """
    row = await tx.fetchrow(
        "select id, kind, owner, label, currency, balance, held, credit_limit from accounts where "
        "id = $1 and live for update",
        wanted.wallet_id,
    )
    if row is None:
        raise NotFound(what="wallet")
    known = await _read_hold(tx, kind=wanted.kind, ref=wanted.ref)
    if known is not None:
        return _repeat_hold(wanted, known)
    journals.open_hold(wanted, account_of(row))
    with named_refusals():
        opened = await tx.fetchval(
            """insert into holds (kind, ref, account_id, amount, opened_at)
                values ($1, $2, $3, $4, $5)
               on conflict (kind, ref) do nothing returning true""",
            wanted.kind,
            wanted.ref,
            wanted.wallet_id,
            wanted.amount.units,
            now,
        )
    if opened:
        return True
    known = await _read_hold(tx, kind=wanted.kind, ref=wanted.ref)
    assert known is not None, "holds are never deleted"
    return _repeat_hold(wanted, known)


async def post(tx: Tx, *, kind: str, ref: int, journal: Journal, now: datetime) -> Applied:
    """End a hold by its journal, which takes all that is held or less; the rest is released.

    A repeat changes nothing.

    Raises NotFound (no such hold), StateForbids (it has ended otherwise) or KeyReused.
    """
    wallet_id = (await _need_hold(tx, kind=kind, ref=ref)).wallet_id
    accounts = await lock_accounts(tx, named_accounts(journal), wallet_id=wallet_id)
    held = await _need_hold(tx, kind=kind, ref=ref, lock=True)
    known = await find_same(tx, journal, accounts)
    if known is not None and held.state is HoldState.POSTED:
        return known
    journals.post_hold(held, journal, accounts)
    journal_id = await record(tx, journal, now=now)
    if journal_id is None:
        raise KeyReused
    await _write_end(tx, held, state=HoldState.POSTED, now=now, journal_id=journal_id)
    await write_transfers(tx, journal, accounts, journal_id=journal_id)
    return Applied(journal_id, repeated=False)


async def void(tx: Tx, *, kind: str, ref: int, now: datetime) -> bool:
    """Give a hold back; False when it was voided before. Raises NotFound or StateForbids."""
    return await _end_without_journal(tx, kind=kind, ref=ref, state=HoldState.VOIDED, now=now)


async def expire(tx: Tx, *, kind: str, ref: int, now: datetime) -> bool:
    """Give a hold back because its time has passed; False when it expired before.

    Raises NotFound or StateForbids.
    """
    return await _end_without_journal(tx, kind=kind, ref=ref, state=HoldState.EXPIRED, now=now)


async def _end_without_journal(
    tx: Tx, *, kind: str, ref: int, state: HoldState, now: datetime
) -> bool:
    """End a hold without a journal; the wallet is locked first, as everywhere."""
    wallet_id = (await _need_hold(tx, kind=kind, ref=ref)).wallet_id
    row = await tx.fetchrow(
        "select id, kind, owner, label, currency, balance, held, credit_limit from accounts where "
        "id = $1 for update",
        wallet_id,
    )
    assert row is not None, "accounts are never deleted"
    held = await _need_hold(tx, kind=kind, ref=ref, lock=True)
    if held.state is state:
        return False
    journals.end_hold(held, account_of(row), state=state)
    await _write_end(tx, held, state=state, now=now, journal_id=None)
    return True


async def _write_end(
    tx: Tx, held: Hold, *, state: HoldState, now: datetime, journal_id: int | None
) -> None:
    """Write a hold's last state; the trigger frees the wallet."""
    await tx.execute(
        "update holds set state = $3, ended_at = $4, journal_id = $5 where kind = $1 and ref = $2",
        held.kind,
        held.ref,
        int(state),
        now,
        journal_id,
    )


async def _read_hold(tx: Tx, *, kind: str, ref: int, lock: bool = False) -> Hold | None:
    """Return a hold by its name, locked if wanted, or None."""
    row = await tx.fetchrow(
        """select h.account_id, h.amount, h.state, (select a.currency from accounts a
            where a.id = h.account_id) currency
             from holds h where h.kind = $1 and h.ref = $2 for update of h"""
        if lock
        else """select h.account_id, h.amount, h.state, (select a.currency from accounts a
            where a.id = h.account_id) currency
             from holds h where h.kind = $1 and h.ref = $2""",
        kind,
        ref,
    )
    if row is None:
        return None
    return Hold(
        kind, ref, row["account_id"], Money(row["amount"], row["currency"]), HoldState(row["state"])
    )


async def _need_hold(tx: Tx, *, kind: str, ref: int, lock: bool = False) -> Hold:
    """Return a hold by its name, or refuses with NotFound."""
    found = await _read_hold(tx, kind=kind, ref=ref, lock=lock)
    if found is None:
        raise NotFound(what="hold")
    return found


def _repeat_hold(wanted: Hold, known: Hold) -> bool:
    """Return False when the hold of this name is the one wanted.

    Raises KeyReused when it is another.
    """
    if (known.wallet_id, known.amount) != (wanted.wallet_id, wanted.amount):
        raise KeyReused
    return False
