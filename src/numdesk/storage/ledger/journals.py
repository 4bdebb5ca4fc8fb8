"""The ledger in the database: wallets, journals applied once, holds that end once, statements.

Rows are locked in one order, as the SQL commands do it: accounts by id, then the hold. Entries and balances are written by the
triggers of the tables; what is refused here with figures is refused there by the constraint as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from numdesk.domain.errors import KeyReused, NotFound, WalletShort
from numdesk.domain.ledger import chart, journals
from numdesk.domain.ledger.journals import (
    Account,
    AccountKind,
    AccountName,
    Entry,
    Hold,
    HoldState,
    Journal,
    Transfer,
)
from numdesk.domain.money import Money
from numdesk.storage.database.pool import Tx


@dataclass(frozen=True, slots=True)
class Applied:
    """A journal that stands in the ledger; `repeated` when it stood there before."""

    journal_id: int
    repeated: bool


async def open_wallet(tx: Tx, *, customer_id: int, currency: str, credit_limit: int = 0) -> int:
    """Opens a customer's wallet, or finds it as it is, and returns its id."""
    await tx.execute(
        """insert into accounts (kind, owner, currency, live, credit_limit) values ('wallet', $1, $2, true, $3)
           on conflict on constraint account_unique do nothing""",
        customer_id,
        currency,
        credit_limit,
    )
    found = await find_wallet(tx, customer_id=customer_id, currency=currency)
    assert found is not None, "it was inserted, or it was there"
    return found.id


async def open_bonus(tx: Tx, *, customer_id: int, currency: str) -> int:
    """Opens a customer's account for gifts, or finds it, and returns its id."""
    await tx.execute(
        """insert into accounts (kind, owner, currency, live) values ('bonus', $1, $2, true)
           on conflict on constraint account_unique do nothing""",
        customer_id,
        currency,
    )
    return await tx.fetchval(
        "select id from accounts where kind = 'bonus' and owner = $1 and label is null and currency = $2",
        customer_id,
        currency,
    )


async def find_wallet(tx: Tx, *, customer_id: int, currency: str) -> Account | None:
    """Returns a customer's wallet in a currency, or None."""
    row = await tx.fetchrow(
        """select id, kind, owner, label, currency, balance, held, credit_limit from accounts
             where kind = 'wallet' and owner = $1 and label is null and currency = $2""",
        customer_id,
        currency,
    )
    return None if row is None else _account(row)


async def list_wallets(tx: Tx, *, customer_id: int) -> list[Account]:
    """Returns all wallets of a customer, by currency."""
    rows = await tx.fetch(
        """select id, kind, owner, label, currency, balance, held, credit_limit from accounts
             where kind = 'wallet' and owner = $1 order by currency""",
        customer_id,
    )
    return [_account(row) for row in rows]


async def read_wallets(tx: Tx, *, wallet_ids: Sequence[int]) -> dict[int, Account]:
    """Returns wallets by id, many in one statement."""
    rows = await tx.fetch(
        "select id, kind, owner, label, currency, balance, held, credit_limit from accounts where id = any($1::bigint[])",
        wallet_ids,
    )
    return {row["id"]: _account(row) for row in rows}


async def read_sums(tx: Tx, account_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Returns (balance, held) of accounts by id: as little as a balance needs, because it is asked for so often."""
    rows = await tx.fetch(
        "select id, balance, held from accounts where id = any($1::bigint[])", account_ids
    )
    return {row[0]: (row[1], row[2]) for row in rows}


async def available(tx: Tx, wallet_id: int) -> int:
    """Returns what a wallet holds and no hold has reserved, its credit limit left aside."""
    units = await tx.fetchval("select balance - held from accounts where id = $1", wallet_id)
    assert isinstance(units, int), "wallets are never deleted"
    return units


async def set_credit_limit(
    tx: Tx, *, customer_id: int, currency: str, credit_limit: int
) -> Account:
    """Changes how far below zero a wallet may go; refuses with WalletShort when it is further down already."""
    with named_refusals():
        row = await tx.fetchrow(
            """update accounts set credit_limit = $3 where kind = 'wallet' and owner = $1 and label is null and currency = $2
               returning id, kind, owner, label, currency, balance, held, credit_limit""",
            customer_id,
            currency,
            credit_limit,
        )
    if row is None:
        raise NotFound(what="wallet")
    return _account(row)


async def read_balance(tx: Tx, *, name: AccountName) -> Money:
    """Returns the balance of any account: what is rolled up, and the entries since."""
    row = await tx.fetchrow(
        """select coalesce(sum(x.amount), 0)::bigint units
             from accounts a cross join lateral (
               select r.balance amount from ledger_rollups r where r.account_id = a.id
               union all
               select e.amount from entries e
                 where e.account_id = a.id and e.id > coalesce((select max(b.last_entry_id) from ledger_blocks b), 0)) x
             where a.kind = $1 and a.owner is not distinct from $2 and a.label is not distinct from $3 and a.currency = $4""",
        name.kind,
        name.owner,
        name.label,
        name.currency,
    )
    assert row is not None, "an aggregate has one row"
    return Money(row["units"], name.currency)


async def apply(tx: Tx, journal: Journal, *, now: datetime) -> Applied:
    """Applies a journal once: a repeat changes nothing and returns the first one.

    Refuses with WalletShort, NotFound (no such wallet) or KeyReused (the key stands for other transfers); nothing is written then.
    """
    accounts = await _lock(tx, _names(journal))
    if (known := await _find_same(tx, journal, accounts)) is not None:
        return known
    journals.apply_journal(journal, accounts)
    journal_id = await _record(tx, journal, now=now)
    if journal_id is None:  # somebody else applied it between our look and our insert
        known = await _find_same(tx, journal, accounts)
        assert known is not None, "the key that was in our way has been committed"
        return known
    await _move(tx, journal, accounts, journal_id=journal_id)
    return Applied(journal_id, repeated=False)


async def reverse(tx: Tx, *, journal_id: int, now: datetime, note: str | None = None) -> Applied:
    """Undoes a journal by another, at most once: a repeat returns the first reversal.

    Refuses with NotFound, WalletShort (the money is spent) or StateForbids (it is a reversal itself).
    """
    journal = await read_journal(tx, journal_id=journal_id)
    if journal is None:
        raise NotFound(what="journal")
    return await apply(tx, chart.reversal(journal_id, journal, note=note), now=now)


async def read_journal(tx: Tx, *, journal_id: int) -> Journal | None:
    """Returns a journal with its transfers in order, or None."""
    head = await tx.fetchrow("select reason, ref, note from journals where id = $1", journal_id)
    if head is None:
        return None
    rows = await tx.fetch(
        """select t.amount, t.currency, d.kind d_kind, d.owner d_owner, d.label d_label, c.kind c_kind, c.owner c_owner, c.label c_label
             from transfers t join accounts d on d.id = t.debit_id join accounts c on c.id = t.credit_id
             where t.journal_id = $1 order by t.id""",
        journal_id,
    )
    transfers = tuple(
        Transfer(
            AccountName(
                AccountKind(row["d_kind"]), row["currency"], row["d_owner"], row["d_label"]
            ),
            AccountName(
                AccountKind(row["c_kind"]), row["currency"], row["c_owner"], row["c_label"]
            ),
            Money(row["amount"], row["currency"]),
        )
        for row in rows
    )
    return Journal(head["reason"], head["ref"], transfers, head["note"])


async def hold(tx: Tx, wanted: Hold, *, now: datetime) -> bool:
    """Reserves money of a wallet; False when this very hold was opened before, whatever became of it.

    Refuses with WalletShort, NotFound (no such wallet) or KeyReused (another hold bears its name).
    """
    row = await tx.fetchrow(
        "select id, kind, owner, label, currency, balance, held, credit_limit from accounts where id = $1 and live for update",
        wanted.wallet_id,
    )
    if row is None:
        raise NotFound(what="wallet")
    known = await _read_hold(tx, kind=wanted.kind, ref=wanted.ref)
    if known is not None:
        return _repeat_hold(wanted, known)
    journals.open_hold(wanted, _account(row))
    with named_refusals():
        opened = await tx.fetchval(
            """insert into holds (kind, ref, account_id, amount, opened_at) values ($1, $2, $3, $4, $5)
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
    """Ends a hold by its journal, which takes all that is held or less; the rest is released. A repeat changes nothing.

    Refuses with NotFound (no such hold), StateForbids (it has ended otherwise) or KeyReused.
    """
    wallet_id = (await _need_hold(tx, kind=kind, ref=ref)).wallet_id
    accounts = await _lock(tx, _names(journal), wallet_id=wallet_id)
    held = await _need_hold(tx, kind=kind, ref=ref, lock=True)
    known = await _find_same(tx, journal, accounts)
    if known is not None and held.state is HoldState.POSTED:
        return known
    journals.post_hold(held, journal, accounts)
    journal_id = await _record(tx, journal, now=now)
    if journal_id is None:
        raise KeyReused
    await _write_end(tx, held, state=HoldState.POSTED, now=now, journal_id=journal_id)
    await _move(tx, journal, accounts, journal_id=journal_id)
    return Applied(journal_id, repeated=False)


async def void(tx: Tx, *, kind: str, ref: int, now: datetime) -> bool:
    """Gives a hold back; False when it was voided before. Refuses with NotFound or StateForbids."""
    return await _release(tx, kind=kind, ref=ref, state=HoldState.VOIDED, now=now)


async def expire(tx: Tx, *, kind: str, ref: int, now: datetime) -> bool:
    """Gives a hold back because its time has passed; False when it expired before. Refuses with NotFound or StateForbids."""
    return await _release(tx, kind=kind, ref=ref, state=HoldState.EXPIRED, now=now)


async def read_statement(tx: Tx, *, account_id: int, before: int | None, limit: int) -> list[Entry]:
    """Returns up to `limit` entries of an account, newest first, older than the entry `before`."""
    rows = await tx.fetch(
        """select e.id, e.transfer_id, t.journal_id, j.reason, j.ref, j.note, j.at, e.amount, e.balance_after, t.currency,
                  o.kind, o.owner, o.label
             from entries e join transfers t on t.id = e.transfer_id join journals j on j.id = t.journal_id
             join accounts o on o.id = case when e.account_id = t.debit_id then t.credit_id else t.debit_id end
             where e.account_id = $1 and ($2::bigint is null or e.id < $2) order by e.id desc limit $3""",
        account_id,
        before,
        limit,
    )
    return [_entry(row) for row in rows]


@contextmanager
def named_refusals() -> Iterator[None]:
    """Turns what a named constraint of the ledger refused into the domain's refusal; the transaction is spoilt either way."""
    try:
        yield
    except asyncpg.CheckViolationError as error:
        if (
            getattr(error, "constraint_name", None) == "wallet_short"
        ):  # set at run time, unknown to type checkers
            raise WalletShort from error
        raise


def _names(journal: Journal) -> list[AccountName]:
    """Returns the accounts that the journal names, each once, in order of appearance."""
    return list(
        dict.fromkeys(
            name for transfer in journal.transfers for name in (transfer.debit, transfer.credit)
        )
    )


async def _lock(
    tx: Tx, names: Sequence[AccountName], *, wallet_id: int | None = None
) -> dict[AccountName, Account]:
    """Returns the accounts (and one more wallet), live ones locked in id order; system accounts are opened when they are new."""
    rows = await tx.fetch(
        """select u.n, coalesce(a.id, case when u.owner is null then system_account_v1(u.kind, u.label, u.currency) end) id
             from unnest($1::text[], $2::bigint[], $3::text[], $4::text[]) with ordinality u(kind, owner, label, currency, n)
             left join accounts a on a.kind = u.kind and a.owner is not distinct from u.owner
               and a.label is not distinct from u.label and a.currency = u.currency""",
        [name.kind for name in names],
        [name.owner for name in names],
        [name.label for name in names],
        [name.currency for name in names],
    )
    if any(row["id"] is None for row in rows):
        raise NotFound(what="wallet")
    locked = await tx.fetch(
        """select id, kind, owner, label, currency, balance, held, credit_limit from accounts
             where live and id = any($1::bigint[]) order by id for update""",
        [row["id"] for row in rows] + ([] if wallet_id is None else [wallet_id]),
    )
    accounts = {names[row["n"] - 1]: Account(row["id"], names[row["n"] - 1]) for row in rows}
    return accounts | {account.name: account for account in map(_account, locked)}


async def _find_same(
    tx: Tx, journal: Journal, accounts: Mapping[AccountName, Account]
) -> Applied | None:
    """Returns the journal that bears this key, or None; refuses with KeyReused when its transfers are others."""
    head = await tx.fetchrow(
        "select id from journals where reason = $1 and ref = $2", journal.reason, journal.ref
    )
    if head is None:
        return None
    rows = await tx.fetch(
        "select debit_id, credit_id, amount from transfers where journal_id = $1 order by id",
        head["id"],
    )
    if [tuple(row) for row in rows] != _moves(journal, accounts):
        raise KeyReused
    return Applied(head["id"], repeated=True)


async def _record(tx: Tx, journal: Journal, *, now: datetime) -> int | None:
    """Writes the journal's head and returns its id, or None when its key is taken."""
    row = await tx.fetchrow(
        """insert into journals (reason, ref, note, at) values ($1, $2, $3, $4)
           on conflict on constraint journal_once do nothing returning id""",
        journal.reason,
        journal.ref,
        journal.note,
        now,
    )
    return None if row is None else row["id"]


async def _move(
    tx: Tx, journal: Journal, accounts: Mapping[AccountName, Account], *, journal_id: int
) -> None:
    """Writes the transfers; the trigger writes entries and balances."""
    moves = _moves(journal, accounts)
    with named_refusals():
        await tx.execute(
            """insert into transfers (journal_id, debit_id, credit_id, amount, currency)
                 select $1, u.debit_id, u.credit_id, u.amount, u.currency
                   from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::text[])
                     with ordinality u(debit_id, credit_id, amount, currency, n)
                   order by u.n""",
            journal_id,
            [move[0] for move in moves],
            [move[1] for move in moves],
            [move[2] for move in moves],
            [transfer.amount.currency for transfer in journal.transfers],
        )


def _moves(journal: Journal, accounts: Mapping[AccountName, Account]) -> list[tuple[int, int, int]]:
    """Returns the transfers as (debit id, credit id, amount)."""
    return [
        (accounts[transfer.debit].id, accounts[transfer.credit].id, transfer.amount.units)
        for transfer in journal.transfers
    ]


async def _release(tx: Tx, *, kind: str, ref: int, state: HoldState, now: datetime) -> bool:
    """Ends a hold without a journal; the wallet is locked first, as everywhere."""
    wallet_id = (await _need_hold(tx, kind=kind, ref=ref)).wallet_id
    row = await tx.fetchrow(
        "select id, kind, owner, label, currency, balance, held, credit_limit from accounts where id = $1 for update",
        wallet_id,
    )
    assert row is not None, "accounts are never deleted"
    held = await _need_hold(tx, kind=kind, ref=ref, lock=True)
    if held.state is state:
        return False
    journals.end_hold(held, _account(row), state=state)
    await _write_end(tx, held, state=state, now=now, journal_id=None)
    return True


async def _write_end(
    tx: Tx, held: Hold, *, state: HoldState, now: datetime, journal_id: int | None
) -> None:
    """Writes a hold's last state; the trigger frees the wallet."""
    await tx.execute(
        "update holds set state = $3, ended_at = $4, journal_id = $5 where kind = $1 and ref = $2",
        held.kind,
        held.ref,
        int(state),
        now,
        journal_id,
    )


async def _read_hold(tx: Tx, *, kind: str, ref: int, lock: bool = False) -> Hold | None:
    """Returns a hold by its name, locked if wanted, or None."""
    row = await tx.fetchrow(
        """select h.account_id, h.amount, h.state, (select a.currency from accounts a where a.id = h.account_id) currency
             from holds h where h.kind = $1 and h.ref = $2 for update of h"""
        if lock
        else """select h.account_id, h.amount, h.state, (select a.currency from accounts a where a.id = h.account_id) currency
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
    """Returns a hold by its name, or refuses with NotFound."""
    found = await _read_hold(tx, kind=kind, ref=ref, lock=lock)
    if found is None:
        raise NotFound(what="hold")
    return found


def _repeat_hold(wanted: Hold, known: Hold) -> bool:
    """Is the hold that bears this name the one that is wanted? False says so; refuses with KeyReused when it is another."""
    if (known.wallet_id, known.amount) != (wanted.wallet_id, wanted.amount):
        raise KeyReused
    return False


def _account(row: asyncpg.Record) -> Account:
    name = AccountName(AccountKind(row["kind"]), row["currency"], row["owner"], row["label"])
    return Account(row["id"], name, row["balance"], row["held"], row["credit_limit"])


def _entry(row: asyncpg.Record) -> Entry:
    after = None if row["balance_after"] is None else Money(row["balance_after"], row["currency"])
    other = AccountName(AccountKind(row["kind"]), row["currency"], row["owner"], row["label"])
    return Entry(
        row["id"],
        row["transfer_id"],
        row["journal_id"],
        row["reason"],
        row["ref"],
        row["note"],
        row["at"],
        Money(row["amount"], row["currency"]),
        after,
        other,
    )
