"""The journals of business acts, and that SQL writes the same."""

from __future__ import annotations

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.ledger import NOW, assert_clean, funded_wallet
from tests.support.orders import insert_order

from numdesk.domain import chart, ledger
from numdesk.domain.errors import InvalidInput, StateForbids
from numdesk.domain.money import AMOUNT_MAX, Money
from numdesk.storage import ledger as rows
from numdesk.storage.pool import Database


def idr(units: int) -> Money:
    """Returns rupiahs."""
    return Money(units, "IDR")


class TestEarnOrder:
    def test_books_price_and_cost(self) -> None:
        """The customer pays the price as revenue; the provider's cost is owed to it."""
        journal = chart.earn_order(5, customer_id=3, provider="local", price=idr(100), cost=idr(40))
        assert {str(name): gain for name, gain in ledger.gains(journal).items()} == {
            "wallet/3 IDR": -100,
            "revenue/orders IDR": 100,
            "cost_of_sales/local IDR": -40,
            "payable/local IDR": 40,
        }

    @pytest.mark.parametrize(("price", "cost", "count"), [(100, 40, 2), (100, 0, 1), (0, 40, 1), (0, 0, 0)])
    async def test_is_what_sql_writes(self, database: Database, pool: asyncpg.Pool, price: int, cost: int, count: int) -> None:
        """The command that earns orders writes the journal that the chart says, and ends the hold by it."""
        wallet_id = await funded_wallet(database, customer_id=3, units=1_000)
        order_id = await insert_order(pool, customer_id=3, wallet_id=wallet_id, price=price, cost=cost)
        await pool.execute("select earn_orders_v1($1, $2)", NOW, [order_id])
        await pool.execute("update orders set state = 2, first_sms_at = $1", NOW)
        journal_id = await pool.fetchval("select journal_id from holds where kind = 'order' and ref = $1 and state = 1", order_id)

        async with database.transaction("test") as tx:
            written = await rows.read_journal(tx, journal_id=journal_id)

        assert written is not None
        assert written == chart.earn_order(order_id, customer_id=3, provider="local", price=idr(price), cost=idr(cost))
        assert len(written.transfers) == count
        await assert_clean(database)


class TestAdjustment:
    def test_credits_and_debits_under_one_reason(self) -> None:
        """A credit takes from funding, a debit gives back, and one reference cannot serve both."""
        credit = chart.adjustment(customer_id=3, currency="IDR", units=70, ref="r1")
        debit = chart.adjustment(customer_id=3, currency="IDR", units=-70, ref="r1")
        assert ledger.gains(credit) == {name: -gain for name, gain in ledger.gains(debit).items()}
        assert ledger.gains(credit)[chart.wallet(3, currency="IDR")] == 70
        assert (credit.reason, credit.ref) == (debit.reason, debit.ref)

    @pytest.mark.parametrize(("units", "ref"), [(0, "r"), (AMOUNT_MAX + 1, "r"), (1, ""), (1, "x" * 201), (1, "a\nb")])
    def test_refuses_what_cannot_be_booked(self, units: int, ref: str) -> None:
        """Nothing, too much, and references that no one could read back are refused."""
        with pytest.raises(InvalidInput):
            chart.adjustment(customer_id=3, currency="IDR", units=units, ref=ref)


class TestReversal:
    @given(st.integers(1, AMOUNT_MAX), st.integers(0, AMOUNT_MAX))
    def test_undoes_the_journal(self, price: int, cost: int) -> None:
        """A journal and its reversal together move nothing."""
        journal = chart.earn_order(5, customer_id=3, provider="local", price=idr(price), cost=idr(cost))
        back = chart.reversal(9, journal)
        assert ledger.gains(back) == {name: -gain for name, gain in ledger.gains(journal).items()}
        assert (back.reason, back.ref) == ("reversal", "9")

    def test_is_not_reversed(self) -> None:
        """A reversal stands; what was wrong is booked anew."""
        journal = chart.adjustment(customer_id=3, currency="IDR", units=70, ref="r1")
        with pytest.raises(StateForbids):
            chart.reversal(10, chart.reversal(9, journal))
