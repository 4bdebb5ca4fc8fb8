"""What top-ups cost, what payments for them are worth, and where they may go."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdesk.domain.payments import judging, topups
from numdesk.domain.payments.gateway_payments import PLAINLY_PAID, Payment, PaymentStatus
from numdesk.domain.payments.topups import (
    MOVES,
    NOTHING,
    Decision,
    Doubt,
    Line,
    Policy,
    TopUp,
    TopUpState,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TIERS = {10_000: 500, 50_000: 1_000}
AMOUNTS = st.integers(1, 10**9)
DISCOUNTS = st.integers(0, topups.DISCOUNT_MAX_BP)
SHARES = st.fractions(0, 5, max_denominator=10**6)


def topup(amount: int = 50_000, discount_bp: int = 1_000, **facts: object) -> TopUp:
    """Returns a top-up."""
    final = topups.final_amount(amount, discount_bp=discount_bp)
    made = TopUp(
        1,
        "inv",
        7,
        "partner",
        "gate",
        "EUR",
        amount,
        final,
        discount_bp,
        TopUpState.AWAITING,
        NOON,
        invoice_id="i",
        expires_at=NOON,
    )
    return replace(made, **facts)


def line(
    one: TopUp,
    share: Fraction | int | str = 1,
    status: PaymentStatus = PaymentStatus.PAID,
    **facts: object,
) -> Line:
    """Returns a payment of a share of what is due, in a coin with a million parts."""
    paid = Decimal(int(Fraction(share) * 10**6))
    asked = Decimal(one.final_amount) / 100
    return Line(
        replace(
            Payment("p", "i", "inv", status, "x", asked, "EUR", Decimal(10**6), paid, "USDT"),
            **facts,
        )
    )


class TestPrice:
    """Discounts."""

    @pytest.mark.parametrize(
        ("amount", "discount"),
        [(9_999, 0), (10_000, 500), (49_999, 500), (50_000, 1_000), (10**9, 1_000)],
    )
    def test_the_highest_tier_that_is_reached_counts(self, amount: int, discount: int) -> None:
        """Tiers begin at their amount."""
        assert topups.discount_for(amount, tiers=TIERS) == discount

    @pytest.mark.parametrize(
        ("amount", "price"),
        [(50_000, 45_000), (100_000, 90_000), (5, 5), (15, 14), (111_111, 100_000)],
    )
    def test_rounds_half_up(self, amount: int, price: int) -> None:
        """450.00 for 500.00; half a cent is a cent."""
        assert topups.final_amount(amount, discount_bp=1_000) == price


class TestCreditFor:
    """What is credited for what came in."""

    @given(AMOUNTS, DISCOUNTS)
    def test_what_was_due_brings_the_amount(self, amount: int, discount: int) -> None:
        """Exactly, whatever the rounding."""
        one = topup(amount, discount)
        assert topups.credit_for(one.final_amount, topup=one) == amount

    @given(AMOUNTS, DISCOUNTS, st.data())
    def test_less_brings_less_and_more_brings_more(
        self, amount: int, discount: int, data: st.DataObject
    ) -> None:
        """Never more than the fair part for less, never less than the amount for more, never above
        the operator's limit."""
        one = topup(amount, discount)
        received = data.draw(st.integers(0, one.final_amount * 3))
        credit = topups.credit_for(received, topup=one)
        assert credit <= one.credit_max
        if received < one.final_amount:
            assert credit <= min(amount, Fraction(received * 10_000, 10_000 - discount))
        if received > one.final_amount:
            assert credit >= amount

    @pytest.mark.parametrize(
        ("received", "credit"),
        [
            (45_000, 50_000),
            (44_999, 47_367),
            (9_500, 10_000),
            (9_499, 9_499),
            (90_000, 100_000),
            (1, 1),
        ],
    )
    def test_too_little_has_the_discount_that_it_reaches(self, received: int, credit: int) -> None:
        """With tiers, what is paid too little gets the highest discount whose tier it comes to.

        All else is as ever.
        """
        one = topup(policy=Policy(tiers=tuple(TIERS.items())))
        assert topups.credit_for(received, topup=one) == credit

    @given(AMOUNTS, DISCOUNTS, st.data())
    def test_a_tier_never_brings_more_than_was_promised(
        self, amount: int, discount: int, data: st.DataObject
    ) -> None:
        """However the operator's tiers lie, the top-up's own discount is the most.

        And a cent more never brings less.
        """
        bounds = data.draw(st.lists(st.tuples(AMOUNTS, DISCOUNTS), min_size=1, max_size=4))
        one = topup(amount, discount)
        tiered = replace(one, policy=Policy(tiers=tuple(bounds)))
        received = data.draw(st.integers(0, one.final_amount))
        assert topups.credit_for(received, topup=tiered) <= topups.credit_for(received, topup=one)
        assert topups.credit_for(received, topup=tiered) <= topups.credit_for(
            received + 1, topup=tiered
        )

    @given(AMOUNTS, DISCOUNTS, st.data())
    def test_grows_with_what_was_paid(
        self, amount: int, discount: int, data: st.DataObject
    ) -> None:
        """Who pays a cent more never gets less."""
        one = topup(amount, discount)
        received = data.draw(st.integers(0, one.final_amount * 2))
        assert topups.credit_for(received, topup=one) <= topups.credit_for(received + 1, topup=one)


class TestJudge:
    """The share of a payment."""

    @given(AMOUNTS, DISCOUNTS, SHARES)
    def test_a_share_adds_up(self, amount: int, discount: int, share: Fraction) -> None:
        """What came in is what is credited less the discount, and what is kept apart.

        No part of it is negative.
        """
        verdict = judging.judge(topup(amount, discount), line(topup(amount, discount), share))
        found = verdict.share
        assert found.credit + found.suspense == found.received + found.discount
        assert (
            min(found.credit, found.received, found.suspense, found.discount if found.credit else 0)
            >= 0
        )

    @pytest.mark.parametrize(
        "status", sorted(set(PaymentStatus) - {PaymentStatus.PAID, PaymentStatus.UNDERPAID})
    )
    def test_only_settled_money_is_booked(self, status: PaymentStatus) -> None:
        """Whatever else a gateway says, nothing is the customer's."""
        assert judging.judge(topup(), line(topup(), 1, status)).share == NOTHING

    @pytest.mark.parametrize(
        "status", sorted(set(PaymentStatus) - PLAINLY_PAID - {PaymentStatus.REFUNDED})
    )
    def test_money_that_is_not_plainly_paid_is_doubted(self, status: PaymentStatus) -> None:
        """At once, or after a day where it is on its way: no status has money that nobody sees."""
        found = line(topup(), 1, status)
        late = judging.with_time(
            topup(), found, judging.judge(topup(), found), now=NOON + topups.SETTLING_MAX
        )
        assert late.share == NOTHING
        assert late.doubt in topups.OPEN_AT_GATEWAY

    def test_a_tolerance_of_the_gateway_is_not_ours(self) -> None:
        """Paid, says the gateway, with one percent missing: credited is what came."""
        assert judging.judge(topup(), line(topup(), "0.99")).share.credit == 49_500

    @pytest.mark.parametrize(
        ("facts", "doubt"),
        [
            ({"reference": "other"}, Doubt.REFERENCE),
            ({"invoice_id": "other"}, Doubt.INVOICE),
            ({"currency": "USD"}, Doubt.CURRENCY),
            ({"amount": Decimal("450.01")}, Doubt.AMOUNT),
            ({"wrong_asset": True}, Doubt.WRONG_ASSET),
            ({"paid": None}, Doubt.NO_AMOUNTS),
        ],
    )
    def test_doubts_what_does_not_fit(self, facts: dict[str, object], doubt: Doubt) -> None:
        """Nothing is credited, and the reason is named."""
        verdict = judging.judge(topup(), line(topup(), **facts))  # type: ignore[arg-type] - fields by name
        assert (verdict.share.credit, verdict.doubt) == (0, doubt)

    def test_an_operator_may_want_to_see_every_part_payment(self) -> None:
        """With the rule off, what is paid too little waits, and lies apart meanwhile."""
        strict = topup(policy=Policy(credits_underpaid=False))
        verdict = judging.judge(strict, line(strict, "0.5", PaymentStatus.UNDERPAID))
        assert (verdict.share.credit, verdict.share.suspense, verdict.doubt) == (
            0,
            22_500,
            Doubt.UNDERPAID,
        )

    def test_takes_a_persons_word(self) -> None:
        """Approved is credited for what it is worth, refused is kept apart.

        Money that went back is neither.
        """
        stranger = line(topup(), currency="USD")
        approved = replace(stranger, decision=Decision.APPROVED, worth=45_000)
        assert judging.judge(topup(), approved).share.credit == 50_000
        refused = replace(line(topup(), wrong_asset=True), decision=Decision.REFUSED)
        assert judging.judge(topup(), refused) == topups.Verdict(NOTHING)
        gone = replace(approved, payment=replace(approved.payment, status=PaymentStatus.REFUNDED))
        assert judging.judge(topup(), gone).share == NOTHING


class TestMoves:
    """The states of a top-up."""

    def test_the_table_is_total(self) -> None:
        """Every state says what may follow it."""
        assert set(MOVES) == set(TopUpState)

    def test_never_goes_back_before_the_money(self) -> None:
        """No state that money has reached is followed by one of waiting for it."""
        before = {
            TopUpState.CREATED,
            TopUpState.AWAITING,
            TopUpState.SEEN,
            TopUpState.UNDERPAID,
            TopUpState.EXPIRED,
            TopUpState.FAILED,
        }
        for state in set(TopUpState) - before:
            assert not MOVES[state] & before, state

    def test_from_credited_only_to_taken_back(self) -> None:
        """In part, in whole, or by a lock."""
        assert MOVES[TopUpState.CREDITED] == {
            TopUpState.PARTLY_CREDITED,
            TopUpState.HELD,
            TopUpState.REFUNDED,
        }

    def test_stays_where_it_is_when_a_move_is_illegal(self) -> None:
        """An answer that would lead back is ignored."""
        credited = topup(state=TopUpState.CREDITED)
        waiting = line(credited, status=PaymentStatus.WAITING, paid=None)
        judged = [(waiting, judging.judge(credited, waiting))]
        assert judging.state_of(credited, judged, now=NOON) is TopUpState.CREDITED
