"""Webhooks: what counts as delivered, when to try again, and how many sends an endpoint gets at a
time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import IntEnum

#: What a customer may configure, as the vendors' papers say.
URL_CHARS_MAX = 2048
SECRET_CHARS_MAX = 256
#: An endpoint is switched off by failures in a row that began so long ago, however many there are:
#: a restart of the receiver's machine takes minutes, and a burst of events would use up any number
#: in one of them.
FAILING_FOR = timedelta(minutes=15)
#: Delays are spread by this share to both sides, so that what failed together does not come back
#: together.
JITTER = 0.2
#: Answers whose Retry-After counts, and how long a receiver may put us off by it.
PAUSING = frozenset({429, 503})
PAUSE_MAX_S = 3600.0
#: Sends on their way to one endpoint at a time: as many as it takes to reach RATE_MAX a second at
#: the pace of its answers, between WINDOW_START and WINDOW_MAX. One that fails ends at 1.
RATE_MAX = 500
WINDOW_START = 4
WINDOW_MAX = 64
#: How often a send waits for its turn in the sending process: to begin, to hear the answer, to go
#: on.
TURNS = 3
#: No more than this is left out of what a send took: one long turn must not make a slow endpoint
#: look quick.
TURNS_MAX_MS = 250
#: Slower answers than this earn nothing: a receiver that takes seconds would hold places that
#: others need.
PROMPT_MS = 1000


class DeliveryState(IntEnum):
    """The state of a delivery. The numbers are stored."""

    DUE = 0
    DELIVERED = 1
    GIVEN_UP = 2


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address for a customer's webhooks. Without a URL nothing is sent.

    A disabled endpoint waits until it is configured again.
    """

    url: str | None = None
    secret: str | None = None
    disabled_at: datetime | None = None
    disabled_reason: str | None = None
    consecutive_failures: int = 0
    failing_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeliveryLog:
    """One delivery as its owner sees it, with its last attempt (`status` is None when no answer
    came, `failure` says why)."""

    id: int
    kind: str
    state: DeliveryState
    attempts: int
    at: datetime
    ended_at: datetime | None
    status: int | None
    failure: str | None
    elapsed_ms: int | None
    answer: str | None


def is_delivered(status: int) -> bool:
    """Return whether this answer is a success. A redirect is not: it is never followed."""
    return 200 <= status <= 299


def asked_pause_s(status: int | None, retry_after: str | None, *, wall: datetime) -> float:
    """Return for how many seconds an answer asks to be left alone, by Retry-After in seconds or as
    a date, up to PAUSE_MAX_S.

    A receiver that says nothing of the kind, or nothing that can be read, asks for none.
    """
    if status not in PAUSING or retry_after is None:
        return 0.0
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), PAUSE_MAX_S)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return 0.0
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(0.0, (moment - wall).total_seconds()), PAUSE_MAX_S)


def next_attempt(
    delays_s: Sequence[float], *, attempt: int, random: float, pause_s: float = 0.0
) -> float | None:
    """Return the seconds to wait after `attempt` (the first is 1) failed, or None when that was the
    last.

    `random` in [0, 1) spreads the delay evenly by JITTER to both sides; the receiver may have asked
    for `pause_s` at least.
    """
    assert attempt >= 1, "attempts are counted from one"
    if attempt > len(delays_s):
        return None
    return max(pause_s, delays_s[attempt - 1] * (1 - JITTER + 2 * JITTER * random))


def endpoint_pace_ms(elapsed_ms: int, *, turn_ms: int) -> int:
    """Return how much of a send's time was the endpoint's own, when each turn in the sending
    process takes `turn_ms`.

    A busy process that took its own slowness for the endpoint's would send more at a time, and wait
    only longer.
    """
    return max(0, elapsed_ms - min(TURNS * turn_ms, TURNS_MAX_MS))


def next_window(window: int, *, delivered: bool, elapsed_ms: int) -> int:
    """Return how many sends an endpoint may have on their way after this one: at most one more
    after a success, half after a failure."""
    if not delivered:
        return max(1, window // 2)
    wanted = WINDOW_START if elapsed_ms > PROMPT_MS else elapsed_ms * RATE_MAX // 1000
    return min(window + 1, max(WINDOW_START, min(wanted, WINDOW_MAX)))
