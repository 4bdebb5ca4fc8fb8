"""What work costs, in a unit that does not depend on how fast or how busy the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable

#: The least of so many tries counts.
TRIES = 3
#: The unit's work: about 10 ms of an idle processor.
_ADDITIONS = 400_000


def cost(work: Callable[[], object]) -> float:
    """Returns the processor time that `work` takes, in units of a fixed piece of work done in the
    same moment."""
    return min(_took_s(work) / _took_s(_unit) for _ in range(TRIES))


def _unit() -> None:
    total = 0
    for number in range(_ADDITIONS):
        total += number


def _took_s(work: Callable[[], object]) -> float:
    started = time.thread_time()
    work()
    return time.thread_time() - started
