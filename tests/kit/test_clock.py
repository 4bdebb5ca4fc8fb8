"""Rules of the clock."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from numdesk.kit.clock import Clock, FakeClock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class TestClock:
    def test_tells_aware_utc(self) -> None:
        """Both times are aware and in UTC."""
        clock = Clock()
        assert clock.now().tzinfo is UTC
        assert clock.wall().tzinfo is UTC

    def test_moves_the_products_time_only(self) -> None:
        """The offset is added to now and never to wall."""
        clock = FakeClock(NOON)
        clock.set_offset(timedelta(days=90))
        assert clock.now() == NOON + timedelta(days=90)
        assert clock.wall() == NOON

    def test_refuses_to_run_behind(self) -> None:
        """A negative offset is refused and changes nothing."""
        clock = Clock()
        with pytest.raises(ValueError, match="negative"):
            clock.set_offset(timedelta(seconds=-1))
        assert clock.offset == timedelta(0)

    def test_runs(self) -> None:
        """The monotonic time of the real clock does not go back."""
        clock = Clock()
        assert clock.monotonic() <= clock.monotonic()


class TestFakeClock:
    def test_stands_still_until_moved(self) -> None:
        """Time passes only through advance, on all three faces alike."""
        clock = FakeClock(NOON)
        assert (clock.now(), clock.wall(), clock.monotonic()) == (NOON, NOON, 0.0)
        clock.advance(1.5)
        assert clock.now() == clock.wall() == NOON + timedelta(seconds=1.5)
        assert clock.monotonic() == 1.5

    def test_starts_in_utc(self) -> None:
        """A start in another zone is told in UTC."""
        clock = FakeClock(datetime(2026, 3, 1, 15, tzinfo=timezone(timedelta(hours=3))))
        assert clock.now() == NOON
        assert clock.now().tzinfo is UTC

    def test_refuses_naive_times_and_going_back(self) -> None:
        """A naive start and a negative step are refused."""
        with pytest.raises(ValueError, match="aware"):
            FakeClock(NOON.replace(tzinfo=None))
        with pytest.raises(ValueError, match="back"):
            FakeClock(NOON).advance(-1)
