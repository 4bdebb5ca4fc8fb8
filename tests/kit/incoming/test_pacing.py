"""Tests of the pace of what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdesk.kit.incoming import pacing
from numdesk.kit.incoming.pacing import Pace


class TestPace:
    @given(st.lists(st.floats(0, 0.5), min_size=30, max_size=80))
    def test_is_kept_whatever_the_rhythm(self, pauses: list[float]) -> None:
        """In no second more are let through than the burst and what a second allows, while nobody
        waits for the longest time."""
        pace, now, done = Pace(per_s=10, burst=5, wait_max_s=1e9), 100.0, []
        for pause in pauses:
            now += pause
            done.append(now + pace.delay_s("a", now=now))
        assert done == sorted(done)
        assert all(
            later - earlier > 1 - 1e-6 for earlier, later in zip(done, done[16:], strict=False)
        )

    def test_lets_a_burst_through_at_once(self) -> None:
        """Who is refused now and then never waits."""
        pace = Pace(per_s=10, burst=5, wait_max_s=1)
        assert [pace.delay_s("a", now=50) for _ in range(5)] == [0, 0, 0, 0, 0]
        assert pace.delay_s("a", now=50) == pytest.approx(0)
        assert pace.delay_s("a", now=50) == pytest.approx(0.1)
        assert pace.delay_s("a", now=51) == 0

    def test_is_each_subjects_own(self) -> None:
        """One subject's haste delays no other."""
        pace = Pace(per_s=10, burst=5, wait_max_s=1)
        for _ in range(100):
            pace.delay_s("a", now=50)
        assert pace.delay_s("b", now=50) == 0

    def test_delays_nothing_for_longer_than_it_may(self) -> None:
        """However much was asked for, the wait has a bound, and it is over soon after the asking
        ends."""
        pace = Pace(per_s=10, burst=5, wait_max_s=1)
        delays = [pace.delay_s("a", now=50) for _ in range(1_000)]
        assert max(delays) <= 1
        assert pace.delay_s("a", now=52) == 0

    def test_forgets_whose_turn_has_passed(self) -> None:
        """A flood of subjects does not fill the memory."""
        pace = Pace(per_s=10, burst=5, wait_max_s=1)
        for number in range(3 * pacing.SUBJECTS_MAX):
            pace.delay_s(str(number), now=50)
        assert len(pace._next) <= pacing.SUBJECTS_MAX

    async def test_waits_for_the_turn(self) -> None:
        """Waiting takes what the delay says."""
        pace = Pace(per_s=1e6, burst=0, wait_max_s=1)
        for _ in range(3):
            await pace.wait("a")
