"""Wallets: what a customer has, the statement of it, and what staff may change."""

from __future__ import annotations

from dataclasses import dataclass

from numdesk.domain.customers.callers import Caller
from numdesk.domain.errors import InvalidInput, NotFound
from numdesk.domain.ledger import chart
from numdesk.domain.ledger.journals import Account, Entry
from numdesk.domain.money import AMOUNT_MAX, DECIMALS, Money
from numdesk.domain.pages import Page
from numdesk.runtime import Batch, Runtime
from numdesk.storage.database.pool import Tx
from numdesk.storage.ledger import accounts as ledger_accounts
from numdesk.storage.ledger import history as rows
from numdesk.storage.ledger import journals
from numdesk.storage.ledger.history import HistoryLine
from numdesk.usecases.ledger import alerts

#: Entries on one page of a statement.
PAGE_MAX = 500
#: Balances asked for while a query is on its way are read by the next one, so many.
BALANCES_MAX = 256


async def balance(rt: Runtime, caller: Caller) -> Money:
    """Return what the caller's wallet holds and no open order has reserved."""
    return _unreserved(await _WALLETS.submit(rt, caller.wallet_id))


async def _read_wallets(rt: Runtime, wallet_ids: list[int]) -> list[Account]:
    """Return each wallet by its id."""
    found = await rt.repeat(
        "wallets.balance", lambda tx: ledger_accounts.read_wallets(tx, wallet_ids=wallet_ids)
    )
    return [found[wallet_id] for wallet_id in wallet_ids]


_WALLETS = Batch(_read_wallets, batch_max=BALANCES_MAX)


@dataclass(frozen=True, slots=True)
class Balances:
    """The money of a customer in one currency, in its minor units: of their own, given by us, and
    reserved of both."""

    currency: str
    balance: int
    bonus: int
    held: int


async def balances(rt: Runtime, caller: Caller) -> Balances:
    """Return what the caller's wallet and bonus hold.

    Callers that wait together are answered by one query.
    """
    (balance, held), (bonus, bonus_held) = await _BALANCES.submit(
        rt, (caller.wallet_id, caller.bonus_id)
    )
    return Balances(caller.currency, balance, bonus, held + bonus_held)


async def history(
    rt: Runtime, caller: Caller, *, page: int, limit: int, ascending: bool = False
) -> Page[HistoryLine]:
    """Return a page (from 1) of what moved the caller's money, newest first unless `ascending`.

    Wallet and bonus together.
    """
    accounts = [
        account_id for account_id in (caller.wallet_id, caller.bonus_id) if account_id is not None
    ]
    return await rt.repeat(
        "wallets.history",
        lambda tx: rows.history(
            tx, accounts=accounts, limit=limit, offset=(page - 1) * limit, ascending=ascending
        ),
    )


async def statement(
    rt: Runtime, caller: Caller, *, before: int | None = None, limit: int = 50
) -> list[Entry]:
    """Return a page of the wallet's entries, newest first.

    `before` is the id of the last entry of the page above.

    Raises InvalidInput.
    """
    if not 1 <= limit <= PAGE_MAX:
        raise InvalidInput(field="limit", reason=f"must be 1 to {PAGE_MAX}")
    return await rt.repeat(
        "wallets.statement",
        lambda tx: journals.read_statement(
            tx, account_id=caller.wallet_id, before=before, limit=limit
        ),
    )


async def wallets(rt: Runtime, customer_id: int) -> list[Account]:
    """Return all wallets of a customer, for staff."""
    return await rt.repeat(
        "wallets.list", lambda tx: ledger_accounts.list_wallets(tx, customer_id=customer_id)
    )


async def adjust(
    rt: Runtime, *, customer_id: int, currency: str, units: int, reason_ref: str
) -> Money:
    """Credit (or debits, when `units` is negative) a wallet by an operator's decision.

    The same reference counts once.

    Returns what the wallet has unreserved afterwards. Raises InvalidInput, NotFound (no such
    wallet), WalletShort or KeyReused.
    """
    _check_currency(currency)
    journal = chart.adjustment(
        customer_id=customer_id, currency=currency, units=units, ref=reason_ref
    )

    async def work(tx: Tx) -> Money:
        await journals.apply(tx, journal, now=rt.clock.now())
        await alerts.look_after_staff(
            tx, customer_id=customer_id, currency=currency, now=rt.clock.now()
        )
        account = await ledger_accounts.find_wallet(tx, customer_id=customer_id, currency=currency)
        assert account is not None, "the journal named it"
        return _unreserved(account)

    return await rt.run("wallets.adjust", work)


async def give_bonus(
    rt: Runtime, *, customer_id: int, currency: str, units: int, reason_ref: str
) -> Balances:
    """Give a customer bonus to spend (or takes some back, when `units` is negative).

    The same reference counts once.

    Raises InvalidInput, NotFound (no wallet in this currency), WalletShort or KeyReused.
    """
    _check_currency(currency)
    journal = chart.gift(customer_id=customer_id, currency=currency, units=units, ref=reason_ref)

    async def work(tx: Tx) -> Balances:
        wallet = await ledger_accounts.find_wallet(tx, customer_id=customer_id, currency=currency)
        if wallet is None:
            raise NotFound(what="wallet")
        bonus_id = await ledger_accounts.open_bonus(tx, customer_id=customer_id, currency=currency)
        await journals.apply(tx, journal, now=rt.clock.now())
        await alerts.look_after_staff(
            tx, customer_id=customer_id, currency=currency, now=rt.clock.now()
        )
        return _balances(
            wallet, (await ledger_accounts.read_wallets(tx, wallet_ids=[bonus_id]))[bonus_id]
        )

    given = await rt.run("wallets.give_bonus", work)
    rt.memory.forget("customers")
    return given


async def reverse(rt: Runtime, *, journal_id: int, note: str | None = None) -> int:
    """Undo a journal, at most once, and return the reversing journal's id.

    A repeat returns the same.

    Raises NotFound, StateForbids (a reversal is not reversed, and what a rental or payment moved
    has its own undo) or WalletShort.
    """

    async def work(tx: Tx) -> int:
        return (
            await journals.reverse(tx, journal_id=journal_id, now=rt.clock.now(), note=note)
        ).journal_id

    return await rt.run("wallets.reverse", work)


async def set_credit_limit(rt: Runtime, *, customer_id: int, currency: str, units: int) -> Account:
    """Let a wallet go down to minus `units`.

    Raises InvalidInput, NotFound, or WalletShort when it is further down already.
    """
    _check_currency(currency)
    if not 0 <= units <= AMOUNT_MAX:
        raise InvalidInput(field="credit_limit", reason=f"must be 0 to {AMOUNT_MAX}")
    return await rt.run(
        "wallets.set_credit_limit",
        lambda tx: ledger_accounts.set_credit_limit(
            tx, customer_id=customer_id, currency=currency, credit_limit=units
        ),
    )


async def _read_balances(
    rt: Runtime, pairs: list[tuple[int, int | None]]
) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return balance and holds of each wallet and bonus."""
    wanted = [account_id for pair in pairs for account_id in pair if account_id is not None]
    found = await rt.repeat("wallets.balances", lambda tx: ledger_accounts.read_sums(tx, wanted))
    return [
        (found[wallet_id], (0, 0) if bonus_id is None else found[bonus_id])
        for wallet_id, bonus_id in pairs
    ]


_BALANCES = Batch(_read_balances, batch_max=BALANCES_MAX)


def _balances(wallet: Account, bonus: Account | None) -> Balances:
    given = (bonus.balance, bonus.held) if bonus else (0, 0)
    return Balances(wallet.name.currency, wallet.balance, given[0], wallet.held + given[1])


def _unreserved(account: Account) -> Money:
    return Money(account.balance - account.held, account.name.currency)


def _check_currency(currency: str) -> None:
    if currency not in DECIMALS:
        raise InvalidInput(field="currency", reason="must be one of " + ", ".join(DECIMALS))
