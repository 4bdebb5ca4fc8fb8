"""The abuse guard's tiers and the daily count of cancels."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdesk.domain.customers.abuse_guard import TIERS, Hour, cancels_today, judge

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
THIS_HOUR = NOW.replace(minute=0)


def ended(*, received: int = 0, without: int = 0, ago_h: int = 0) -> Hour:
    """Returns an hour in which so many orders ended."""
    return Hour(THIS_HOUR - timedelta(hours=ago_h), received, without // 2, without - without // 2)


class TestJudge:
    """When ordering is closed."""

    @pytest.mark.parametrize(
        ("hours", "tier"),
        [
            ([], None),
            ([ended(without=99)], None),
            ([ended(without=100)], "SOFT"),
            ([ended(received=4, without=96)], "SOFT"),
            ([ended(received=5, without=95)], None),
            ([ended(without=299)], "SOFT"),
            ([ended(without=300)], "HARD"),
            ([ended(received=14, without=286)], "HARD"),
            ([ended(received=15, without=285)], None),
            ([ended(without=99, ago_h=h) for h in range(4, 8)], "HARD"),
            ([ended(without=60), ended(without=40, ago_h=1)], "SOFT"),
            ([ended(without=60), ended(without=40, ago_h=2)], None),
            ([ended(without=400, ago_h=25)], None),
        ],
    )
    def test_follows_the_tiers(self, hours: list[Hour], tier: str | None) -> None:
        """Each bound of orders, share and window, one on either side."""
        verdict = judge(hours, now=NOW)
        assert (verdict.tier if verdict else None) == tier

    def test_closes_for_the_time_of_the_tier(self) -> None:
        """A soft ban ends after a quarter of an hour, a hard one after four hours."""
        for without, minutes in ((100, 15), (300, 240)):
            verdict = judge([ended(without=without)], now=NOW)
            assert verdict is not None
            assert verdict.until == NOW + timedelta(minutes=minutes)

    @given(st.integers(0, 500), st.integers(0, 500))
    def test_a_twentieth_with_a_message_is_enough(self, received: int, without: int) -> None:
        """Nobody is closed out whose orders got messages in five of a hundred."""
        if received * 100 >= 5 * (received + without):
            assert judge([ended(received=received, without=without)], now=NOW) is None

    def test_hears_the_hardest_tier_first(self) -> None:
        """Tiers stand by length of their ban."""
        assert [tier.ban for tier in TIERS] == sorted((tier.ban for tier in TIERS), reverse=True)


def test_cancels_count_by_utc_day() -> None:
    """Yesterday's cancels are forgotten at midnight, expiries never count."""
    hours = [
        Hour(THIS_HOUR, 1, 3, 9),
        Hour(NOW.replace(hour=0, minute=0), 0, 4, 0),
        Hour(THIS_HOUR - timedelta(hours=13), 0, 50, 0),
    ]
    assert cancels_today(hours, now=NOW) == 7
