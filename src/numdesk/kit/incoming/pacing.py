"""Space out refusals, so that refusing costs the process a bounded share of its time, however fast
a caller asks."""

from __future__ import annotations

import asyncio

#: Refusals a second for one address, after a burst of as many; what comes faster is answered later,
#: but not more than so late.
REFUSALS_PER_S, REFUSAL_WAIT_MAX_S = 50, 2.0
#: Subjects that are remembered; beyond it those whose turn has passed are forgotten, and all of
#: them where that is not enough.
SUBJECTS_MAX = 10_000


class Pace:
    """Lets each subject do `per_s` things a second, after a burst that waits for nothing.

    What comes faster waits for its turn.
    """

    def __init__(self, *, per_s: float, burst: int, wait_max_s: float) -> None:
        """Begin with nothing done by anybody; nobody waits longer than `wait_max_s`."""
        self._gap_s = 1 / per_s
        self._burst_s = burst / per_s
        self._wait_max_s = wait_max_s
        self._next: dict[str, float] = {}

    @classmethod
    def of_refusals(cls) -> Pace:
        """Return the pace at which one address is refused."""
        return cls(per_s=REFUSALS_PER_S, burst=REFUSALS_PER_S, wait_max_s=REFUSAL_WAIT_MAX_S)

    async def wait(self, subject: str) -> None:
        """Return when it is the subject's turn."""
        delay_s = self.delay_s(subject, now=asyncio.get_running_loop().time())
        if delay_s:
            await asyncio.sleep(delay_s)

    def delay_s(self, subject: str, *, now: float) -> float:
        """Count one thing done and return for how many seconds it has to wait.

        `now` is in seconds of a clock that never goes back.
        """
        if len(self._next) >= SUBJECTS_MAX:
            self._forget(now)
        earliest = max(self._next.get(subject, 0.0), now - self._burst_s)
        delay_s = min(max(earliest - now, 0.0), self._wait_max_s)
        self._next[subject] = min(earliest + self._gap_s, now + self._wait_max_s + self._gap_s)
        return delay_s

    def _forget(self, now: float) -> None:
        kept = {subject: at for subject, at in self._next.items() if at > now}
        self._next = {} if len(kept) >= SUBJECTS_MAX else kept
