"""The ledger in the database: journals once, holds that end once, statements, and what the tables
themselves refuse."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.ledger import NOW, assert_clean, funded_wallet
from tests.support.server import TestServer

from numdesk.domain.errors import KeyReused, NotFound, StateForbids, WalletShort
from numdesk.domain.ledger import chart
from numdesk.domain.ledger import journals as laws
from numdesk.domain.ledger.journals import Account, AccountName, Hold, HoldState, Journal, Transfer
from numdesk.domain.money import DECIMALS, Money
from numdesk.domain.orders import journals as order_journals
from numdesk.storage.database.pool import Database, Tx
from numdesk.storage.ledger import accounts, holds
from numdesk.storage.ledger import accounts as ledger_accounts
from numdesk.storage.ledger import journals as ledger_journals


def idr(units: int) -> Money:
    """Returns rupiahs."""
    return Money(units, "IDR")


def spend(units: int, *, ref: str = "r1", customer_id: int = 1) -> Journal:
    """Returns a journal that takes money from a wallet."""
    transfer = Transfer(
        chart.wallet(customer_id, currency="IDR"), chart.order_revenue("IDR"), idr(units)
    )
    return Journal("test.spend", ref, (transfer,))


def order_hold(wallet_id: int, units: int = 600, *, ref: int = 7) -> Hold:
    """Returns the hold of an order."""
    return order_journals.hold_for_order(ref, wallet_id=wallet_id, price=idr(units))


async def apply(database: Database, journal: Journal) -> ledger_journals.Applied:
    """Applies a journal in a transaction of its own."""
    return await database.run("test", lambda tx: ledger_journals.apply(tx, journal, now=NOW))


async def wallet(database: Database, customer_id: int = 1) -> Account:
    """Returns the customer's rupiah wallet."""
    async with database.transaction("test") as tx:
        found = await accounts.find_wallet(tx, customer_id=customer_id, currency="IDR")
    assert found is not None
    return found


class TestOpenWallet:
    async def test_finds_the_wallet_that_is_there(self, database: Database) -> None:
        """A customer has one wallet per currency, however often it is opened."""
        first = await funded_wallet(database, units=5)
        assert await funded_wallet(database) == first
        assert await funded_wallet(database, currency="EUR") != first
        async with database.transaction("test") as tx:
            assert [
                found.name.currency for found in await accounts.list_wallets(tx, customer_id=1)
            ] == ["EUR", "IDR"]


class TestApply:
    async def test_writes_both_entries_and_the_balance(self, database: Database) -> None:
        """A credit shows in the wallet, in its statement and at the other side."""
        wallet_id = await funded_wallet(database, units=900)
        async with database.transaction("test") as tx:
            (entry,) = await ledger_journals.read_statement(
                tx, account_id=wallet_id, before=None, limit=10
            )
            funding = await accounts.read_balance(tx, name=chart.manual_funding("IDR"))
            assert await accounts.available(tx, wallet_id) == 900
        assert (entry.amount, entry.balance_after, entry.other) == (
            idr(900),
            idr(900),
            chart.manual_funding("IDR"),
        )
        assert funding == idr(-900)
        await assert_clean(database)

    async def test_changes_nothing_the_second_time(self, database: Database) -> None:
        """A repeat returns the first journal and moves no money, even when the wallet could not pay
        again."""
        await funded_wallet(database, units=900)
        first = await apply(database, spend(900))
        again = await apply(database, spend(900))
        assert (again.journal_id, first.repeated, again.repeated) == (first.journal_id, False, True)
        assert (await wallet(database)).balance == 0
        await assert_clean(database)

    async def test_refuses_the_key_of_another_journal(self, database: Database) -> None:
        """One key stands for one content."""
        await funded_wallet(database, units=900)
        await apply(database, spend(100))
        with pytest.raises(KeyReused):
            await apply(database, spend(101))

    async def test_refuses_a_short_wallet_with_figures(self, database: Database) -> None:
        """What is held is not available, and a refused journal leaves no trace."""
        wallet_id = await funded_wallet(database, units=900)
        await database.run("test", lambda tx: holds.hold(tx, order_hold(wallet_id), now=NOW))
        with pytest.raises(WalletShort) as refused:
            await apply(database, spend(301))
        assert (refused.value.needed, refused.value.available) == (301, 300)
        async with database.transaction("test") as tx:
            assert (
                await tx.fetchval("select count(*) from journals where reason = 'test.spend'") == 0
            )

    async def test_refuses_a_wallet_that_does_not_exist(self, database: Database) -> None:
        """Wallets are opened on purpose, never by a journal."""
        with pytest.raises(NotFound):
            await apply(database, spend(1, customer_id=404))

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
    @given(data=st.data())
    async def test_agrees_with_the_pure_laws(self, server: TestServer, data: st.DataObject) -> None:
        """Random journals, each sent twice, leave the database where the domain's own arithmetic
        is, refusal by refusal."""
        names = [
            chart.wallet(1, currency="IDR"),
            chart.wallet(2, currency="IDR"),
            chart.order_revenue("IDR"),
            chart.manual_funding("IDR"),
        ]
        pairs = st.lists(
            st.tuples(st.permutations(names), st.integers(1, 700)), min_size=1, max_size=4
        )
        journals = [
            Journal(
                "test",
                str(number),
                tuple(Transfer(order[0], order[1], idr(units)) for order, units in drawn),
            )
            for number, drawn in enumerate(data.draw(st.lists(pairs, min_size=1, max_size=6)))
        ]
        async with server.create_database() as url:
            database = await Database.open(url)
            for customer_id in (1, 2):
                await funded_wallet(database, customer_id=customer_id, units=1_000)
            model = {
                name: Account(0, name, {0: 1_000, 1: 1_000, 2: 0, 3: -2_000}[place])
                for place, name in enumerate(names)
            }
            for journal in journals + journals:
                model = await _both(database, model, journal)
            async with database.transaction("test") as tx:
                assert {
                    name: (await accounts.read_balance(tx, name=name)).units for name in names
                } == {name: account.balance for name, account in model.items()}
            await assert_clean(database)
            await database.close()


async def _both(
    database: Database, model: dict[AccountName, Account], journal: Journal
) -> dict[AccountName, Account]:
    """Applies a journal to the database and to the model, and compares the refusals.

    A repeat must leave both alone.
    """
    async with database.transaction("test") as tx:
        if await tx.fetchval(
            "select true from journals where reason = $1 and ref = $2", journal.reason, journal.ref
        ):
            assert (await ledger_journals.apply(tx, journal, now=NOW)).repeated
            return model
    try:
        after = laws.apply_journal(journal, model)
    except WalletShort:
        with pytest.raises(WalletShort):
            await apply(database, journal)
        return model
    assert not (await apply(database, journal)).repeated
    return after


class TestReverse:
    async def test_happens_at_most_once(self, database: Database) -> None:
        """The second reversal of a journal is the first one."""
        await funded_wallet(database, units=900)
        spent = await apply(database, spend(400))
        first = await database.run(
            "test", lambda tx: ledger_journals.reverse(tx, journal_id=spent.journal_id, now=NOW)
        )
        again = await database.run(
            "test", lambda tx: ledger_journals.reverse(tx, journal_id=spent.journal_id, now=NOW)
        )
        assert (again.journal_id, again.repeated) == (first.journal_id, True)
        assert (await wallet(database)).balance == 900
        await assert_clean(database)

    async def test_refuses_a_reversal_and_a_stranger(self, database: Database) -> None:
        """A reversal is not reversed, and there is no undoing what never was."""
        await funded_wallet(database, units=900)
        spent = await apply(database, spend(400))
        back = await database.run(
            "test", lambda tx: ledger_journals.reverse(tx, journal_id=spent.journal_id, now=NOW)
        )
        with pytest.raises(StateForbids):
            await database.run(
                "test", lambda tx: ledger_journals.reverse(tx, journal_id=back.journal_id, now=NOW)
            )
        with pytest.raises(NotFound):
            await database.run(
                "test", lambda tx: ledger_journals.reverse(tx, journal_id=10**9, now=NOW)
            )

    async def test_refuses_when_the_money_is_spent(self, database: Database) -> None:
        """Taking a credit back does not push a wallet below zero."""
        await funded_wallet(database, units=900)
        await apply(database, spend(400))
        with pytest.raises(WalletShort):
            await database.run(
                "test", lambda tx: ledger_journals.reverse(tx, journal_id=1, now=NOW)
            )


Ending = Callable[[Tx], Awaitable[object]]
ENDINGS: dict[HoldState, Ending] = {
    HoldState.POSTED: lambda tx: holds.post(tx, kind="order", ref=7, journal=spend(600), now=NOW),
    HoldState.VOIDED: lambda tx: holds.void(tx, kind="order", ref=7, now=NOW),
    HoldState.EXPIRED: lambda tx: holds.expire(tx, kind="order", ref=7, now=NOW),
}


class TestHold:
    async def test_reserves_once(self, database: Database) -> None:
        """The same hold counts once; another of its name, or one too large, is refused."""
        wallet_id = await funded_wallet(database, units=900)
        assert await database.run("test", lambda tx: holds.hold(tx, order_hold(wallet_id), now=NOW))
        assert not await database.run(
            "test", lambda tx: holds.hold(tx, order_hold(wallet_id), now=NOW)
        )
        assert (await wallet(database)).held == 600
        with pytest.raises(KeyReused):
            await database.run("test", lambda tx: holds.hold(tx, order_hold(wallet_id, 5), now=NOW))
        with pytest.raises(WalletShort):
            await database.run(
                "test", lambda tx: holds.hold(tx, order_hold(wallet_id, ref=8), now=NOW)
            )
        with pytest.raises(NotFound):
            await database.run("test", lambda tx: holds.hold(tx, order_hold(10**9, ref=9), now=NOW))

    @pytest.mark.parametrize("first", ENDINGS)
    @pytest.mark.parametrize("second", ENDINGS)
    async def test_ends_once(self, database: Database, first: HoldState, second: HoldState) -> None:
        """The same end again is a no-op, another is refused, and the money moved by the first
        alone."""
        wallet_id = await funded_wallet(database, units=900)
        await database.run("test", lambda tx: holds.hold(tx, order_hold(wallet_id), now=NOW))
        await database.run("test", ENDINGS[first])
        if first is second:
            await database.run("test", ENDINGS[second])
        else:
            with pytest.raises(StateForbids):
                await database.run("test", ENDINGS[second])
        after = await wallet(database)
        assert (after.balance, after.held) == (300 if first is HoldState.POSTED else 900, 0)

    async def test_may_be_posted_in_part(self, database: Database) -> None:
        """A post that takes less releases the rest."""
        wallet_id = await funded_wallet(database, units=600)
        await database.run("test", lambda tx: holds.hold(tx, order_hold(wallet_id), now=NOW))
        await database.run(
            "test",
            lambda tx: holds.post(tx, kind="order", ref=7, journal=spend(250), now=NOW),
        )
        after = await wallet(database)
        assert (after.balance, after.held) == (350, 0)

    @pytest.mark.parametrize("ending", ENDINGS.values())
    async def test_that_does_not_exist_cannot_end(self, database: Database, ending: Ending) -> None:
        """There is no end without a beginning."""
        await funded_wallet(database)
        with pytest.raises(NotFound):
            await database.run("test", ending)


class TestStatement:
    async def test_pages_by_the_last_entry_seen(self, database: Database) -> None:
        """Pages follow each other without gap or overlap, newest first, each entry with the balance
        after it."""
        wallet_id = await funded_wallet(database, units=900)
        for number in range(5):
            await apply(database, spend(10, ref=str(number)))
        async with database.transaction("test") as tx:
            first = await ledger_journals.read_statement(
                tx, account_id=wallet_id, before=None, limit=4
            )
            rest = await ledger_journals.read_statement(
                tx, account_id=wallet_id, before=first[-1].id, limit=4
            )
        assert [entry.balance_after and entry.balance_after.units for entry in first + rest] == [
            850,
            860,
            870,
            880,
            890,
            900,
        ]
        assert [entry.ref for entry in first + rest] == ["4", "3", "2", "1", "0", "fund:1:IDR"]


INSERT_TRANSFER = (
    "insert into transfers (journal_id, debit_id, credit_id, amount, currency) values (1, $1, $2, "
    "$3, $4)"
)


def state_of(error: BaseException) -> str:
    """Returns the SQLSTATE, which asyncpg sets at run time."""
    return str(getattr(error, "sqlstate", ""))


class TestTables:
    @pytest.mark.parametrize(
        ("table", "column"),
        [
            ("journals", "ref"),
            ("transfers", "amount"),
            ("entries", "amount"),
            ("ledger_blocks", "hash"),
        ],
    )
    @pytest.mark.parametrize(
        "statement", ["update {0} set {1} = {1}", "delete from {0}", "truncate {0} cascade"]
    )
    async def test_refuse_change(
        self, database: Database, pool: asyncpg.Pool, table: str, column: str, statement: str
    ) -> None:
        """What is written in the ledger stays as it was written."""
        await funded_wallet(database, units=1)
        with pytest.raises(asyncpg.PostgresError) as refused:
            await pool.execute(statement.format(table, column))
        assert state_of(refused.value) == "PT001"

    @pytest.mark.parametrize(
        "statement",
        [
            "update holds set amount = 1",
            "update holds set state = 0, ended_at = null",
            "delete from holds",
        ],
    )
    async def test_refuse_to_change_a_hold_that_ended(
        self, database: Database, pool: asyncpg.Pool, statement: str
    ) -> None:
        """A hold's only change is its end."""
        wallet_id = await funded_wallet(database, units=900)
        await database.run("test", lambda tx: holds.hold(tx, order_hold(wallet_id), now=NOW))
        await database.run("test", ENDINGS[HoldState.VOIDED])
        with pytest.raises(asyncpg.PostgresError) as refused:
            await pool.execute(statement)
        assert state_of(refused.value) in ("PT001", "PT003")

    @pytest.mark.parametrize("currency", ["EUR", "IDR"])
    async def test_refuse_a_transfer_across_currencies(
        self, database: Database, pool: asyncpg.Pool, currency: str
    ) -> None:
        """Money of one currency never becomes money of another by a transfer."""
        rupiahs, euros = (
            await funded_wallet(database, units=900),
            await funded_wallet(database, currency="EUR", units=900),
        )
        with pytest.raises(asyncpg.PostgresError) as refused:
            await pool.execute(INSERT_TRANSFER, rupiahs, euros, 5, currency)
        assert state_of(refused.value) == "PT002"
        await assert_clean(database)

    async def test_refuse_a_short_wallet_whoever_writes(
        self, database: Database, pool: asyncpg.Pool
    ) -> None:
        """A statement typed by hand cannot overdraw a wallet either, and its refusal has the
        domain's name."""
        wallet_id = await funded_wallet(database, units=900)
        funding = await pool.fetchval("select id from accounts where kind = 'funding'")
        with pytest.raises(WalletShort), ledger_accounts.named_refusals():
            await pool.execute(INSERT_TRANSFER, wallet_id, funding, 901, "IDR")
        await assert_clean(database)

    async def test_know_the_currencies_of_the_domain(self, pool: asyncpg.Pool) -> None:
        """Database and domain agree on how many decimals each currency has."""
        assert {
            row["code"]: row["decimals"]
            for row in await pool.fetch("select code, decimals from currencies")
        } == DECIMALS
