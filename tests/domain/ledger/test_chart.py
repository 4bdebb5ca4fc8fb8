"""The journals of business acts, and that SQL writes the same."""

from __future__ import annotations

import itertools
from collections import Counter

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.ledger import NOW, assert_clean, funded_wallet
from tests.support.orders import insert_order

from numdesk.domain.errors import InvalidInput, StateForbids
from numdesk.domain.ledger import chart, journals
from numdesk.domain.ledger.journals import AccountName, Journal, gains
from numdesk.domain.money import AMOUNT_MAX, Money
from numdesk.domain.orders import journals as order_journals
from numdesk.domain.payments import journals as payment_journals
from numdesk.domain.payments.topups import NOTHING, Share
from numdesk.domain.rentals import journals as rental_journals
from numdesk.storage.database.pool import Database
from numdesk.storage.ledger import journals as rows


def idr(units: int) -> Money:
    """Returns rupiahs."""
    return Money(units, "IDR")


class TestEarnOrder:
    def test_books_price_and_cost(self) -> None:
        """The customer pays the price as revenue; the provider's cost is owed to it."""
        journal = order_journals.earn_order(
            5, customer_id=3, provider="local", price=idr(100), cost=idr(40)
        )
        assert {str(name): gain for name, gain in journals.gains(journal).items()} == {
            "wallet/3 IDR": -100,
            "revenue/orders IDR": 100,
            "cost_of_sales/local IDR": -40,
            "payable/local IDR": 40,
        }

    @pytest.mark.parametrize(
        ("price", "cost", "count"), [(100, 40, 2), (100, 0, 1), (0, 40, 1), (0, 0, 0)]
    )
    async def test_is_what_sql_writes(
        self, database: Database, pool: asyncpg.Pool, price: int, cost: int, count: int
    ) -> None:
        """The command that earns orders writes the journal that the chart says, and ends the hold
        by it."""
        wallet_id = await funded_wallet(database, customer_id=3, units=1_000)
        order_id = await insert_order(
            pool, customer_id=3, wallet_id=wallet_id, price=price, cost=cost
        )
        await pool.execute("select earn_orders_v1($1, $2)", NOW, [order_id])
        await pool.execute("update orders set state = 2, first_sms_at = $1", NOW)
        journal_id = await pool.fetchval(
            "select journal_id from holds where kind = 'order' and ref = $1 and state = 1", order_id
        )

        async with database.transaction("test") as tx:
            written = await rows.read_journal(tx, journal_id=journal_id)

        assert written is not None
        assert written == order_journals.earn_order(
            order_id, customer_id=3, provider="local", price=idr(price), cost=idr(cost)
        )
        assert len(written.transfers) == count
        await assert_clean(database)


class TestAdjustment:
    def test_credits_and_debits_under_one_reason(self) -> None:
        """A credit takes from funding, a debit gives back, and one reference cannot serve both."""
        credit = chart.adjustment(customer_id=3, currency="IDR", units=70, ref="r1")
        debit = chart.adjustment(customer_id=3, currency="IDR", units=-70, ref="r1")
        assert journals.gains(credit) == {
            name: -gain for name, gain in journals.gains(debit).items()
        }
        assert journals.gains(credit)[chart.wallet(3, currency="IDR")] == 70
        assert (credit.reason, credit.ref) == (debit.reason, debit.ref)

    @pytest.mark.parametrize(
        ("units", "ref"), [(0, "r"), (AMOUNT_MAX + 1, "r"), (1, ""), (1, "x" * 201), (1, "a\nb")]
    )
    def test_refuses_what_cannot_be_booked(self, units: int, ref: str) -> None:
        """Nothing, too much, and references that no one could read back are refused."""
        with pytest.raises(InvalidInput):
            chart.adjustment(customer_id=3, currency="IDR", units=units, ref=ref)


class TestReversal:
    @given(st.integers(1, AMOUNT_MAX), st.integers(0, AMOUNT_MAX))
    def test_undoes_the_journal(self, price: int, cost: int) -> None:
        """A journal and its reversal together move nothing."""
        journal = order_journals.earn_order(
            5, customer_id=3, provider="local", price=idr(price), cost=idr(cost)
        )
        back = chart.reversal(9, journal)
        assert journals.gains(back) == {
            name: -gain for name, gain in journals.gains(journal).items()
        }
        assert (back.reason, back.ref) == ("reversal", "9")

    def test_is_not_reversed(self) -> None:
        """A reversal stands; what was wrong is booked anew."""
        journal = chart.adjustment(customer_id=3, currency="IDR", units=70, ref="r1")
        with pytest.raises(StateForbids):
            chart.reversal(10, chart.reversal(9, journal))

    def test_is_not_for_what_has_an_undo_of_its_own(self) -> None:
        """A rental's or a top-up's journal is not reversed by hand: its cancel or decision would
        move the money a second time."""
        ten, none = Money(10, "EUR"), Money(0, "EUR")
        paid = (Share(credit=10, received=10, fee=0), 0)
        moved = [
            rental_journals.charge_rental(1, customer_id=3, from_bonus=none, from_wallet=ten),
            rental_journals.refund_rental(1, customer_id=3, to_bonus=none, to_wallet=ten),
            payment_journals.topup(
                customer_id=3,
                provider="gate",
                currency="EUR",
                ref="1",
                was=(NOTHING, 0),
                becomes=paid,
            ),
            payment_journals.topup(
                customer_id=3,
                provider="gate",
                currency="EUR",
                ref="2",
                was=paid,
                becomes=(NOTHING, 0),
            ),
        ]
        for journal in moved:
            with pytest.raises(StateForbids):
                chart.reversal(9, journal)


class TestTopUp:
    """The journals of a payment for a top-up."""

    PAID = Share(credit=50_000, received=45_000, fee=450)

    def journal(self, was: tuple[Share, int], becomes: tuple[Share, int]) -> Journal:
        """Returns the journal from one share to another."""
        return payment_journals.topup(
            customer_id=7, provider="gate", currency="EUR", ref="gate:p:1", was=was, becomes=becomes
        )

    def test_a_payment_is_split_between_wallet_fee_and_discount(self) -> None:
        """450.00 with a fee of 4.50 for a credit of 500.00: the clearing account holds what the
        gateway owes us."""
        assert gains(self.journal((NOTHING, 0), (self.PAID, 0))) == {
            chart.wallet(7, currency="EUR"): 50_000,
            chart.gateway_clearing("gate", currency="EUR"): -44_550,
            chart.gateway_fee("gate", currency="EUR"): -450,
            chart.topup_discount("EUR"): -5_000,
        }

    def test_taking_back_what_was_spent_leaves_a_claim(self) -> None:
        """The wallet gives what it has, the rest is owed, and every other account stands as
        before."""
        journal = self.journal((self.PAID, 0), (NOTHING, 20_000))
        assert journal.reason == chart.TOPUP_CLAWBACK
        assert gains(journal)[chart.wallet(7, currency="EUR")] == -30_000
        assert gains(journal)[chart.receivable(7, currency="EUR")] == -20_000

    @given(
        st.lists(
            st.tuples(
                st.integers(0, 10**6),
                st.integers(0, 10**6),
                st.integers(-100, 10**4),
                st.integers(0, 10**6),
            ),
            max_size=8,
        )
    )
    def test_only_the_last_share_stays(self, steps: list[tuple[int, int, int, int]]) -> None:
        """However often it goes to and fro, the sum of all journals is the journal of the last
        share."""
        shares = [NOTHING, *(Share(*step) for step in steps)]
        total: Counter[AccountName] = Counter()
        for before, after in itertools.pairwise(shares):
            for name, units in gains(self.journal((before, 0), (after, 0))).items():
                total[name] += units
        whole = gains(self.journal((NOTHING, 0), (shares[-1], 0)))
        assert {name: units for name, units in total.items() if units} == {
            name: units for name, units in whole.items() if units
        }
