"""The only reader of the system clock, with an offset that moves the product's time but never the real one."""

import time
from datetime import UTC, datetime, timedelta

ZERO = timedelta(0)


class Clock:
    """Tells the time three ways; everything else takes `now` as an argument."""

    __slots__ = ("_offset",)

    def __init__(self) -> None:
        """Start with the product's time equal to the real one."""
        self._offset = ZERO

    @property
    def offset(self) -> timedelta:
        """How far the product's time runs ahead of the real one."""
        return self._offset

    def set_offset(self, offset: timedelta) -> None:
        """Move the product's time; going back behind the real time raises ValueError."""
        if offset < ZERO:
            raise ValueError("The clock's offset may not be negative.")
        self._offset = offset

    def now(self) -> datetime:
        """Return the product's time: expiry, renewals and statements live by it."""
        return self.wall() + self._offset

    def wall(self) -> datetime:
        """Return the real time: signatures, time windows of others, rate limits and leases live by it."""
        return datetime.now(UTC)  # noqa: TID251 - this is the one place

    def monotonic(self) -> float:
        """Return seconds that never go back, for measuring how long something took."""
        return time.monotonic()


class FakeClock(Clock):
    """A clock that stands still until a test moves it."""

    __slots__ = ("_elapsed", "_start")

    def __init__(self, start: datetime) -> None:
        """Stand at `start`, which must be aware."""
        super().__init__()
        if start.tzinfo is None:
            raise ValueError("A clock needs an aware time to start from.")
        self._start = start.astimezone(UTC)
        self._elapsed = ZERO

    def advance(self, seconds: float) -> None:
        """Let real time pass; a negative number raises ValueError."""
        if seconds < 0:
            raise ValueError("Time does not go back.")
        self._elapsed += timedelta(seconds=seconds)

    def wall(self) -> datetime:
        """Return the start plus everything advanced."""
        return self._start + self._elapsed

    def monotonic(self) -> float:
        """Return the seconds advanced so far."""
        return self._elapsed.total_seconds()
