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


class TestSetBack:
    """The system clock is set back."""

    @pytest.mark.parametrize("seconds", [1, 3600, 3 * 86_400])
    def test_never_takes_the_products_time_back(self, seconds: float) -> None:
        """Time goes on from where it was, at half speed, until the system clock has caught up.

        Then it is that clock's again.
        """
        clock = FakeClock(NOON)
        clock.now()
        clock.set_back(seconds)
        assert clock.now() == NOON
        clock.advance(seconds)
        assert clock.now() == NOON + timedelta(seconds=seconds / 2)
        clock.advance(seconds)
        assert clock.now() == clock.wall() == NOON + timedelta(seconds=seconds)
        clock.advance(10)
        assert clock.now() == clock.wall()

    def test_is_followed_at_once_when_it_is_years(self) -> None:
        """A clock that was years ahead and is corrected counts at once."""
        clock = FakeClock(NOON)
        clock.now()
        clock.set_back(5 * 366 * 86_400)
        assert clock.now() == clock.wall()
        assert clock.take_lag() == timedelta(days=5 * 366)

    def test_leaves_the_system_clock_as_it_is(self) -> None:
        """What others compare with their own clocks follows the system clock, back as well."""
        clock = FakeClock(NOON)
        clock.now()
        clock.set_back(3600)
        assert clock.wall() == NOON - timedelta(hours=1)
        assert clock.steady() == NOON

    def test_is_learnt_of_from_others(self) -> None:
        """A process that starts on a clock that was set back begins at what is booked already.

        What is years ahead it does not believe.
        """
        clock = FakeClock(NOON)
        clock.set_offset(timedelta(days=90))
        clock.learn(NOON + timedelta(days=90, hours=1))
        assert clock.now() == NOON + timedelta(days=90, hours=1)
        assert clock.take_lag() == timedelta(hours=1)
        clock.learn(NOON + timedelta(days=5000))
        assert clock.now() == NOON + timedelta(days=90, hours=1)
        assert clock.take_lag() > timedelta(days=4000)

    def test_is_told_once(self) -> None:
        """The greatest lag since it was last asked for is told, and no lag at all of a clock that
        runs on."""
        clock = FakeClock(NOON)
        clock.now()
        assert clock.take_lag() == timedelta(0)
        clock.set_back(60)
        clock.now()
        clock.advance(1000)
        clock.now()
        assert clock.take_lag() == timedelta(minutes=1)
        assert clock.take_lag() == timedelta(0)


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
