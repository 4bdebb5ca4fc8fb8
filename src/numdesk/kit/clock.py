"""The only reader of the system clock, with an offset that moves the product's time but never the
real one.

The product's time never goes back. When the system clock is set back, it goes on at half speed
until the system clock has caught up.
"""

import time
from datetime import UTC, datetime, timedelta

ZERO = timedelta(0)
#: A system clock that is set back further was wrong before, or is wrong now by so much that half
#: speed would last for weeks: then its time counts at once.
SET_BACK_MAX = timedelta(days=7)
#: How fast time goes on while the system clock catches up.
CATCH_UP_SPEED = 0.5


class Clock:
    """Tells the time four ways; everything else takes `now` as an argument."""

    __slots__ = ("_lag", "_latest", "_latest_s", "_offset", "set_back_max")

    def __init__(self, *, set_back_max: timedelta = SET_BACK_MAX) -> None:
        """Start with the product's time equal to the real one."""
        self.set_back_max = set_back_max
        self._offset = ZERO
        self._latest = datetime.min.replace(tzinfo=UTC)
        self._latest_s = 0.0
        self._lag = ZERO

    @property
    def offset(self) -> timedelta:
        """The lead of the product's time over the real one."""
        return self._offset

    def set_offset(self, offset: timedelta) -> None:
        """Move the product's time; going back behind the real time raises ValueError."""
        if offset < ZERO:
            raise ValueError("The clock's offset may not be negative.")
        self._offset = offset

    def now(self) -> datetime:
        """Return the product's time: expiry, renewals and statements live by it."""
        return self.steady() + self._offset

    def steady(self) -> datetime:
        """Return the real time, never earlier than it was returned or learnt before: leases live by
        it."""
        monotonic_s, wall = self.monotonic(), self.wall()
        least = self._latest + timedelta(seconds=(monotonic_s - self._latest_s) * CATCH_UP_SPEED)
        if wall < least:
            lag = least - wall
            self._lag = max(self._lag, lag)
            if lag <= self.set_back_max:
                wall = least
        self._latest, self._latest_s = wall, monotonic_s
        return wall

    def learn(self, moment: datetime) -> None:
        """Take note of a moment of the product's time that others have told already: ours does not
        stay behind it.

        One that lies further ahead than a clock may be set back is not believed.
        """
        real, steady = moment - self._offset, self.steady()
        if real > steady:
            lag = real - self.wall()
            self._lag = max(self._lag, lag)
            if lag <= self.set_back_max:
                self._latest = real

    def take_lag(self) -> timedelta:
        """Return by how much the system clock was behind the time told, at most, since this was
        last asked."""
        lag, self._lag = self._lag, ZERO
        return lag

    def wall(self) -> datetime:
        """Return what the system clock says: signatures, time windows of others and rate limits
        live by it."""
        return datetime.now(UTC)  # noqa: TID251 - this is the one place

    def monotonic(self) -> float:
        """Return seconds that never go back, for measuring how long something took."""
        return time.monotonic()


class FakeClock(Clock):
    """A clock that stands still until a test moves it."""

    __slots__ = ("_elapsed", "_set_back", "_start")

    def __init__(self, start: datetime) -> None:
        """Stand at `start`, which must be aware."""
        super().__init__()
        if start.tzinfo is None:
            raise ValueError("A clock needs an aware time to start from.")
        self._start = start.astimezone(UTC)
        self._elapsed = ZERO
        self._set_back = ZERO

    def set_back(self, seconds: float) -> None:
        """Set the real clock back, as an operator or NTP may do.

        A negative number sets it forward.
        """
        self._set_back += timedelta(seconds=seconds)

    def advance(self, seconds: float) -> None:
        """Let real time pass; a negative number raises ValueError."""
        if seconds < 0:
            raise ValueError("Time does not go back.")
        self._elapsed += timedelta(seconds=seconds)

    def wall(self) -> datetime:
        """Return the start plus everything advanced, less every step back."""
        return self._start + self._elapsed - self._set_back

    def monotonic(self) -> float:
        """Return the seconds advanced so far."""
        return self._elapsed.total_seconds()
