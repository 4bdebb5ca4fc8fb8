"""Wallets as customers and staff use them."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.ledger import NOW, assert_clean, funded_wallet, runtime_on

from numdesk.domain.customers.callers import Caller, CustomerState
from numdesk.domain.errors import InvalidInput, KeyReused, NotFound, StateForbids, WalletShort
from numdesk.domain.money import Money
from numdesk.domain.orders import journals
from numdesk.storage.database.pool import Database
from numdesk.storage.ledger import holds
from numdesk.usecases.ledger import wallets


def caller(wallet_id: int, customer_id: int = 1) -> Caller:
    """Returns who asks for this wallet."""
    return Caller(
        customer_id,
        1,
        CustomerState.ACTIVE,
        "test",
        wallet_id,
        "IDR",
        frozenset(),
        frozenset(),
        (),
        None,
        None,
        None,
    )


class TestBalance:
    async def test_leaves_reserved_money_out(self, database: Database) -> None:
        """What open orders hold is not shown as the customer's."""
        wallet_id = await funded_wallet(database, units=900)
        hold = journals.hold_for_order(7, wallet_id=wallet_id, price=Money(600, "IDR"))
        await database.run("test", lambda tx: holds.hold(tx, hold, now=NOW))
        assert await wallets.balance(runtime_on(database), caller(wallet_id)) == Money(300, "IDR")

    async def test_answers_many_at_once_each_their_own(self, database: Database) -> None:
        """Customers who ask in one moment share a query and not an answer."""
        rt = runtime_on(database)
        ids = [
            await funded_wallet(database, customer_id=number, units=number * 10)
            for number in range(1, 21)
        ]
        answers = await asyncio.gather(
            *(wallets.balance(rt, caller(wallet_id)) for wallet_id in ids)
        )
        assert [money.units for money in answers] == [number * 10 for number in range(1, 21)]


class TestStatement:
    async def test_shows_a_page(self, database: Database) -> None:
        """A customer sees their own entries."""
        wallet_id = await funded_wallet(database, units=900)
        await funded_wallet(database, customer_id=2, units=5)
        (entry,) = await wallets.statement(runtime_on(database), caller(wallet_id))
        assert (entry.amount, entry.reason) == (Money(900, "IDR"), "adjustment")
        assert (
            await wallets.statement(runtime_on(database), caller(wallet_id), before=entry.id) == []
        )

    @pytest.mark.parametrize("limit", [0, -1, wallets.PAGE_MAX + 1])
    async def test_refuses_pages_without_measure(self, database: Database, limit: int) -> None:
        """A page has a limit."""
        with pytest.raises(InvalidInput):
            await wallets.statement(runtime_on(database), caller(1), limit=limit)


class TestAdjust:
    async def test_counts_a_reference_once(self, database: Database) -> None:
        """A repeated adjustment changes nothing, and another under its reference is refused."""
        rt = runtime_on(database)
        await funded_wallet(database)
        for _ in range(2):
            assert await wallets.adjust(
                rt, customer_id=1, currency="IDR", units=500, reason_ref="ticket 1"
            ) == Money(500, "IDR")
        for units in (501, -500):
            with pytest.raises(KeyReused):
                await wallets.adjust(
                    rt, customer_id=1, currency="IDR", units=units, reason_ref="ticket 1"
                )
        await assert_clean(database)

    async def test_debits_what_is_there(self, database: Database) -> None:
        """Money can be taken back to the last unit and no further."""
        rt = runtime_on(database)
        await funded_wallet(database, units=900)
        with pytest.raises(WalletShort):
            await wallets.adjust(rt, customer_id=1, currency="IDR", units=-901, reason_ref="a")
        assert await wallets.adjust(
            rt, customer_id=1, currency="IDR", units=-900, reason_ref="b"
        ) == Money(0, "IDR")

    async def test_refuses_strangers_and_unknown_currencies(self, database: Database) -> None:
        """Nothing is booked for a wallet or a currency that does not exist."""
        with pytest.raises(NotFound):
            await wallets.adjust(
                runtime_on(database), customer_id=404, currency="IDR", units=1, reason_ref="a"
            )
        with pytest.raises(InvalidInput):
            await wallets.adjust(
                runtime_on(database), customer_id=1, currency="XXX", units=1, reason_ref="a"
            )


class TestReverse:
    async def test_gives_the_same_journal_twice(self, database: Database) -> None:
        """Pressing the button again does not move the money again."""
        rt = runtime_on(database)
        wallet_id = await funded_wallet(database, units=900)
        (entry,) = await wallets.statement(rt, caller(wallet_id))
        first = await wallets.reverse(rt, journal_id=entry.journal_id, note="typed wrongly")
        assert await wallets.reverse(rt, journal_id=entry.journal_id) == first
        assert await wallets.balance(rt, caller(wallet_id)) == Money(0, "IDR")
        with pytest.raises(StateForbids):
            await wallets.reverse(rt, journal_id=first)


class TestSetCreditLimit:
    async def test_lets_a_wallet_go_below_zero_and_no_further(self, database: Database) -> None:
        """A limit can be used up, and cannot be lowered under what is used."""
        rt = runtime_on(database)
        await funded_wallet(database, units=100)
        account = await wallets.set_credit_limit(rt, customer_id=1, currency="IDR", units=50)
        assert account.available == 150
        assert await wallets.adjust(
            rt, customer_id=1, currency="IDR", units=-150, reason_ref="a"
        ) == Money(-50, "IDR")
        with pytest.raises(WalletShort):
            await wallets.set_credit_limit(rt, customer_id=1, currency="IDR", units=49)
        with pytest.raises(InvalidInput):
            await wallets.set_credit_limit(rt, customer_id=1, currency="IDR", units=-1)
        with pytest.raises(NotFound):
            await wallets.set_credit_limit(rt, customer_id=404, currency="IDR", units=1)
        assert [found.credit_limit for found in await wallets.wallets(rt, 1)] == [50]
        await assert_clean(database)
