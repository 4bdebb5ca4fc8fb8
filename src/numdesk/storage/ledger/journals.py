"""Journals in the database: applied once, reversed once, and the statement of an account.

Rows are locked in one order, as the SQL commands do it: accounts by id, then the hold. Entries and
balances are written by the triggers of the tables; a refusal here with figures is one there by the
constraint as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from numdesk.domain.errors import KeyReused, NotFound
from numdesk.domain.ledger import chart, journals
from numdesk.domain.ledger.journals import (
    Account,
    AccountKind,
    AccountName,
    Entry,
    Journal,
    Transfer,
)
from numdesk.domain.money import Money
from numdesk.storage.database.pool import Tx
from numdesk.storage.ledger.accounts import lock_accounts, named_refusals


@dataclass(frozen=True, slots=True)
class Applied:
    """A journal that stands in the ledger; `repeated` when it stood there before."""

    journal_id: int
    repeated: bool


async def apply(tx: Tx, journal: Journal, *, now: datetime) -> Applied:
    """Apply a journal once: a repeat changes nothing and returns the first one.

    Raises WalletShort, NotFound (no such wallet) or KeyReused (the key stands for other transfers);
    nothing is written then.
    """
    accounts = await lock_accounts(tx, named_accounts(journal))
    if (known := await find_same(tx, journal, accounts)) is not None:
        return known
    journals.apply_journal(journal, accounts)
    journal_id = await record(tx, journal, now=now)
    if journal_id is None:  # somebody else applied it between our look and our insert
        known = await find_same(tx, journal, accounts)
        assert known is not None, "the key that was in our way has been committed"
        return known
    await write_transfers(tx, journal, accounts, journal_id=journal_id)
    return Applied(journal_id, repeated=False)


async def reverse(tx: Tx, *, journal_id: int, now: datetime, note: str | None = None) -> Applied:
    """Undo a journal by another, at most once: a repeat returns the first reversal.

    Raises NotFound, WalletShort (the money is spent) or StateForbids (it is a reversal itself).
    """
    journal = await read_journal(tx, journal_id=journal_id)
    if journal is None:
        raise NotFound(what="journal")
    return await apply(tx, chart.reversal(journal_id, journal, note=note), now=now)


async def read_journal(tx: Tx, *, journal_id: int) -> Journal | None:
    """Return a journal with its transfers in order, or None."""
    head = await tx.fetchrow("select reason, ref, note from journals where id = $1", journal_id)
    if head is None:
        return None
    rows = await tx.fetch(
        """select t.amount, t.currency, d.kind d_kind, d.owner d_owner, d.label d_label,
            c.kind c_kind, c.owner c_owner, c.label c_label
             from transfers t join accounts d on d.id = t.debit_id join accounts c
               on c.id = t.credit_id
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


async def read_statement(tx: Tx, *, account_id: int, before: int | None, limit: int) -> list[Entry]:
    """Return up to `limit` entries of an account, newest first, older than the entry `before`."""
    rows = await tx.fetch(
        """select e.id, e.transfer_id, t.journal_id, j.reason, j.ref, j.note, j.at, e.amount,
            e.balance_after, t.currency,
                  o.kind, o.owner, o.label
             from entries e join transfers t on t.id = e.transfer_id join journals j
               on j.id = t.journal_id
             join accounts o on o.id = case when e.account_id = t.debit_id then t.credit_id
               else t.debit_id end
             where e.account_id = $1 and ($2::bigint is null or e.id < $2) order by e.id desc
               limit $3""",
        account_id,
        before,
        limit,
    )
    return [_entry(row) for row in rows]


def named_accounts(journal: Journal) -> list[AccountName]:
    """Return the accounts that the journal names, each once, in order of appearance."""
    return list(
        dict.fromkeys(
            name for transfer in journal.transfers for name in (transfer.debit, transfer.credit)
        )
    )


async def find_same(
    tx: Tx, journal: Journal, accounts: Mapping[AccountName, Account]
) -> Applied | None:
    """Return the journal that bears this key, or None.

    Raises KeyReused when its transfers are others.
    """
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


async def record(tx: Tx, journal: Journal, *, now: datetime) -> int | None:
    """Write the journal's head and returns its id, or None when its key is taken."""
    row = await tx.fetchrow(
        """insert into journals (reason, ref, note, at) values ($1, $2, $3, $4)
           on conflict on constraint journal_once do nothing returning id""",
        journal.reason,
        journal.ref,
        journal.note,
        now,
    )
    return None if row is None else row["id"]


async def write_transfers(
    tx: Tx, journal: Journal, accounts: Mapping[AccountName, Account], *, journal_id: int
) -> None:
    """Write the transfers; the trigger writes entries and balances."""
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
    """Return the transfers as (debit id, credit id, amount)."""
    return [
        (accounts[transfer.debit].id, accounts[transfer.credit].id, transfer.amount.units)
        for transfer in journal.transfers
    ]


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
