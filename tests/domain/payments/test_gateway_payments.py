"""Which of two answers about a payment is the newer truth."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdesk.domain.payments.gateway_payments import (
    FOLLOWERS,
    KEPT_BACK,
    ODD,
    OPEN,
    PLAINLY_PAID,
    Payment,
    PaymentStatus,
    has_money,
    newer,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WAITING = Payment("p", "i", "r", PaymentStatus.WAITING, "waiting", Decimal("450.00"), "EUR")
LIFE = (
    PaymentStatus.WAITING,
    PaymentStatus.SEEN,
    PaymentStatus.UNDERPAID,
    PaymentStatus.PAID,
    PaymentStatus.REFUNDED,
)


def told(status: PaymentStatus, *, paid: str | None = None, minute: int | None = None) -> Payment:
    """Returns an answer."""
    at = None if minute is None else NOON + timedelta(minutes=minute)
    word = f"says {status}" if status in PLAINLY_PAID | KEPT_BACK else "waiting"
    return replace(
        WAITING,
        status=status,
        gateway_status=word,
        paid=None if paid is None else Decimal(paid),
        changed_at=at,
    )


class TestNewer:
    """News in any order."""

    @pytest.mark.parametrize(("before", "after"), list(pairwise(LIFE)))
    def test_goes_forward_and_never_back(self, before: PaymentStatus, after: PaymentStatus) -> None:
        """Each step of a payment's life replaces the one before it, and is not replaced by it."""
        first, second = told(before), told(after)
        assert newer(first, second) is second
        assert newer(second, first) is second

    def test_ends_alike_in_every_order(self) -> None:
        """All 120 orders of a life end with its end."""
        for order in permutations(told(status) for status in LIFE):
            known = order[0]
            for news in order[1:]:
                known = newer(known, news)
            assert known.status is PaymentStatus.REFUNDED

    def test_a_refund_is_final(self) -> None:
        """Nothing follows it, whatever the gateway's watch says."""
        assert FOLLOWERS[PaymentStatus.REFUNDED] == frozenset()
        assert (
            newer(told(PaymentStatus.REFUNDED, minute=1), told(PaymentStatus.PAID, minute=2)).status
            is PaymentStatus.REFUNDED
        )

    def test_goes_by_the_gateways_watch_where_both_ways_are_legal(self) -> None:
        """Held and released: the later one counts, in whichever order they are heard."""
        held, paid = told(PaymentStatus.HELD, minute=1), told(PaymentStatus.PAID, minute=2)
        assert newer(held, paid) is paid
        assert newer(paid, held) is paid

    def test_what_was_paid_never_shrinks(self) -> None:
        """The same status with less money is an older answer, with more a newer one."""
        less, more = told(PaymentStatus.PAID, paid="10"), told(PaymentStatus.PAID, paid="11")
        assert newer(less, more) is more
        assert newer(more, less) is more

    @pytest.mark.parametrize("odd", sorted(ODD))
    @pytest.mark.parametrize("firm", sorted(PLAINLY_PAID | KEPT_BACK))
    def test_an_odd_word_contradicts_and_moves_nothing(
        self, firm: PaymentStatus, odd: PaymentStatus
    ) -> None:
        """What was settled or kept back stays so, with the odd word noted beside it, until the
        gateway says it again."""
        known = newer(told(firm, paid="10"), told(odd))
        assert (known.status, known.paid, known.contradicted, known.gateway_status) == (
            firm,
            Decimal(10),
            True,
            "waiting",
        )
        assert newer(known, told(odd)) is known
        assert not newer(known, told(firm, paid="10")).contradicted

    @pytest.mark.parametrize("status", sorted(OPEN))
    def test_money_that_was_seen_does_not_vanish(self, status: PaymentStatus) -> None:
        """A word that leaves open what becomes of the money cannot make it less."""
        known = told(PaymentStatus.UNKNOWN, paid="10")
        assert newer(known, told(status)) is known

    @given(st.sampled_from(PaymentStatus), st.sampled_from(PaymentStatus))
    def test_hears_the_same_twice_without_harm(
        self, first: PaymentStatus, second: PaymentStatus
    ) -> None:
        """What is known already changes nothing."""
        known = newer(told(first), told(second))
        assert newer(known, known) == known


def test_every_status_has_its_followers() -> None:
    """The table is total."""
    assert set(FOLLOWERS) == set(PaymentStatus)


@pytest.mark.parametrize(
    ("status", "paid", "has"),
    [("waiting", None, 0), ("waiting", "0.1", 1), ("seen", None, 1), ("expired", None, 0)],
)
def test_knows_whether_money_was_seen(status: str, paid: str | None, has: int) -> None:
    """An open or expired invoice has none, unless somebody paid a part."""
    assert has_money(told(PaymentStatus(status), paid=paid)) is bool(has)


def test_a_transaction_is_money_under_an_unknown_word() -> None:
    """Where nobody knows what the word means, the payer's transaction shows that there is money."""
    assert has_money(replace(told(PaymentStatus.UNKNOWN), txid="0x1"))
    assert not has_money(told(PaymentStatus.UNKNOWN))
