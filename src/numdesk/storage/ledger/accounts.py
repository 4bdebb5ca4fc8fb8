"""Wallets and other accounts as rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import asyncpg

from numdesk.domain.errors import NotFound, WalletShort
from numdesk.domain.ledger.journals import (
    Account,
    AccountKind,
    AccountName,
)
from numdesk.domain.money import Money
from numdesk.storage.database.pool import Tx


async def open_wallet(tx: Tx, *, customer_id: int, currency: str, credit_limit: int = 0) -> int:
    """Open a customer's wallet, or find it as it is, and return its id."""
    await tx.execute(
        """insert into accounts (kind, owner, currency, live, credit_limit)
            values ('wallet', $1, $2, true, $3)
           on conflict on constraint account_unique do nothing""",
        customer_id,
        currency,
        credit_limit,
    )
    found = await find_wallet(tx, customer_id=customer_id, currency=currency)
    assert found is not None, "it was inserted, or it was there"
    return found.id


async def open_bonus(tx: Tx, *, customer_id: int, currency: str) -> int:
    """Open a customer's account for gifts, or find it, and return its id."""
    await tx.execute(
        """insert into accounts (kind, owner, currency, live) values ('bonus', $1, $2, true)
           on conflict on constraint account_unique do nothing""",
        customer_id,
        currency,
    )
    return await tx.fetchval(
        "select id from accounts where kind = 'bonus' and owner = $1 and label is null and "
        "currency = $2",
        customer_id,
        currency,
    )


async def find_wallet(tx: Tx, *, customer_id: int, currency: str) -> Account | None:
    """Return a customer's wallet in a currency, or None."""
    row = await tx.fetchrow(
        """select id, kind, owner, label, currency, balance, held, credit_limit from accounts
             where kind = 'wallet' and owner = $1 and label is null and currency = $2""",
        customer_id,
        currency,
    )
    return None if row is None else account_of(row)


async def list_wallets(tx: Tx, *, customer_id: int) -> list[Account]:
    """Return all wallets of a customer, by currency."""
    rows = await tx.fetch(
        """select id, kind, owner, label, currency, balance, held, credit_limit from accounts
             where kind = 'wallet' and owner = $1 order by currency""",
        customer_id,
    )
    return [account_of(row) for row in rows]


async def read_wallets(tx: Tx, *, wallet_ids: Sequence[int]) -> dict[int, Account]:
    """Return wallets by id, many in one statement."""
    rows = await tx.fetch(
        "select id, kind, owner, label, currency, balance, held, credit_limit from accounts where "
        "id = any($1::bigint[])",
        wallet_ids,
    )
    return {row["id"]: account_of(row) for row in rows}


async def read_sums(tx: Tx, account_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Return (balance, held) of accounts by id: as little as a balance needs, because it is asked
    for so often."""
    rows = await tx.fetch(
        "select id, balance, held from accounts where id = any($1::bigint[])", account_ids
    )
    return {row[0]: (row[1], row[2]) for row in rows}


async def available(tx: Tx, wallet_id: int) -> int:
    """Return what a wallet holds and no hold has reserved, its credit limit left aside."""
    units = await tx.fetchval("select balance - held from accounts where id = $1", wallet_id)
    assert isinstance(units, int), "wallets are never deleted"
    return units


async def set_credit_limit(
    tx: Tx, *, customer_id: int, currency: str, credit_limit: int
) -> Account:
    """Change how far below zero a wallet may go.

    Raises WalletShort when it is further down already.
    """
    with named_refusals():
        row = await tx.fetchrow(
            """update accounts set credit_limit = $3 where kind = 'wallet' and owner = $1
                and label is null and currency = $2
               returning id, kind, owner, label, currency, balance, held, credit_limit""",
            customer_id,
            currency,
            credit_limit,
        )
    if row is None:
        raise NotFound(what="wallet")
    return account_of(row)


async def read_balance(tx: Tx, *, name: AccountName) -> Money:
    """Return the balance of any account: the rolled-up sum and the entries since."""
    row = await tx.fetchrow(
        """select coalesce(sum(x.amount), 0)::bigint units
             from accounts a cross join lateral (
               select r.balance amount from ledger_rollups r where r.account_id = a.id
               union all
               select e.amount from entries e
                 where e.account_id = a.id and e.id > coalesce((select max(b.last_entry_id)
                   from ledger_blocks b), 0)) x
             where a.kind = $1 and a.owner is not distinct from $2
               and a.label is not distinct from $3 and a.currency = $4""",
        name.kind,
        name.owner,
        name.label,
        name.currency,
    )
    assert row is not None, "an aggregate has one row"
    return Money(row["units"], name.currency)


async def lock_accounts(
    tx: Tx, names: Sequence[AccountName], *, wallet_id: int | None = None
) -> dict[AccountName, Account]:
    """Return the accounts (and one more wallet), live ones locked in id order.

    System accounts are opened when they are new.
    """
    rows = await tx.fetch(
        """select u.n, coalesce(a.id, case when u.owner is null
            then system_account_v1(u.kind, u.label, u.currency) end) id
             from unnest($1::text[], $2::bigint[], $3::text[], $4::text[]) with ordinality u(kind,
               owner, label, currency, n)
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
    return accounts | {account.name: account for account in map(account_of, locked)}


def account_of(row: asyncpg.Record) -> Account:
    name = AccountName(AccountKind(row["kind"]), row["currency"], row["owner"], row["label"])
    return Account(row["id"], name, row["balance"], row["held"], row["credit_limit"])


@contextmanager
def named_refusals() -> Iterator[None]:
    """Turn what a named constraint of the ledger refused into the domain's refusal.

    The transaction is spoilt either way.
    """
    try:
        yield
    except asyncpg.CheckViolationError as error:
        if (
            getattr(error, "constraint_name", None) == "wallet_short"
        ):  # set at run time, unknown to type checkers
            raise WalletShort from error
        raise
