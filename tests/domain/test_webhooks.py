"""Webhook rules: what is a success, when to try again, how many sends at a time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdesk.domain.webhooks import (
    JITTER,
    PROMPT_MS,
    WINDOW_MAX,
    WINDOW_START,
    asked_pause_s,
    endpoint_pace_ms,
    is_delivered,
    next_attempt,
    next_window,
)

DELAYS_S = (5.0, 300.0, 1800.0)


class TestNextAttempt:
    """The schedule of tries."""

    @given(attempt=st.integers(1, len(DELAYS_S)), random=st.floats(0, 1, exclude_max=True))
    def test_spreads_each_delay_by_the_jitter(self, attempt: int, random: float) -> None:
        """A delay stays within a fifth of the scheduled one."""
        delay_s = next_attempt(DELAYS_S, attempt=attempt, random=random)
        assert delay_s == pytest.approx(DELAYS_S[attempt - 1], rel=JITTER * 1.000001)

    def test_ends_with_the_schedule(self) -> None:
        """There is one try more than there are delays, and then no other."""
        assert next_attempt(DELAYS_S, attempt=len(DELAYS_S) + 1, random=0.5) is None

    def test_is_exact_in_the_middle(self) -> None:
        """Without luck to either side the delay is the scheduled one."""
        assert next_attempt(DELAYS_S, attempt=2, random=0.5) == pytest.approx(300.0)

    def test_is_never_sooner_than_asked(self) -> None:
        """A receiver may put us off, but neither hurry us nor have another try after the last."""
        assert next_attempt(DELAYS_S, attempt=1, random=0.0, pause_s=60.0) == 60.0
        assert next_attempt(DELAYS_S, attempt=2, random=0.5, pause_s=60.0) == pytest.approx(300.0)
        assert next_attempt(DELAYS_S, attempt=4, random=0.5, pause_s=60.0) is None


class TestAskedPause:
    """What Retry-After asks for."""

    @pytest.mark.parametrize(("status", "said", "pause_s"), [
        (429, "120", 120), (503, " 7 ", 7), (503, "0", 0), (503, "99999999999999999999", 3600), (503, "9" * 5000, 3600),
        (503, "Sun, 01 Mar 2026 12:10:00 GMT", 600), (429, "Sun, 01 Mar 2026 11:00:00 GMT", 0), (429, "Fri, 31 Dec 9999 23:59 GMT", 3600),
        (429, "Sun, 01 Mar 2026 12:10:00 -0000", 600),
        (503, "-5", 0), (503, "1.5", 0), (503, "soon", 0), (503, "", 0), (503, "\u0661\u0662", 0), (503, None, 0),
        (500, "120", 0), (404, "120", 0), (None, "120", 0),
    ])  # fmt: skip
    def test_is_read_where_it_means_something(
        self, status: int | None, said: str | None, pause_s: float
    ) -> None:
        """Seconds and dates count on 429 and 503, up to an hour.

        What cannot be read asks for nothing.
        """
        assert asked_pause_s(status, said, wall=datetime(2026, 3, 1, 12, 0, tzinfo=UTC)) == pause_s

    @given(said=st.text(), status=st.sampled_from([429, 503]))
    def test_takes_whatever_is_said(self, said: str, status: int) -> None:
        """No header makes it fail, and none puts us off for longer than an hour."""
        assert (
            0 <= asked_pause_s(status, said, wall=datetime(2026, 3, 1, 12, 0, tzinfo=UTC)) <= 3600
        )


class TestIsDelivered:
    """Which answers end a delivery."""

    @pytest.mark.parametrize("status", [200, 201, 204, 299])
    def test_any_2xx(self, status: int) -> None:
        """Every 2xx is a success."""
        assert is_delivered(status)

    @pytest.mark.parametrize("status", [100, 199, 300, 301, 307, 404, 410, 429, 500, 503])
    def test_nothing_else(self, status: int) -> None:
        """A redirect, a refusal and an error are failures."""
        assert not is_delivered(status)


class TestEndpointPace:
    """How long an endpoint took."""

    def test_leaves_out_what_the_sender_waited_for_itself(self) -> None:
        """A busy sender does not blame the endpoint for its own turns, and an idle one has nothing
        to leave out."""
        assert endpoint_pace_ms(100, turn_ms=10) == 70
        assert endpoint_pace_ms(100, turn_ms=0) == 100
        assert endpoint_pace_ms(100, turn_ms=40) == 0

    def test_takes_no_slow_endpoint_for_a_quick_one(self) -> None:
        """However long a turn was, an answer after seconds stays one after seconds."""
        assert endpoint_pace_ms(2900, turn_ms=1000) > PROMPT_MS


class TestNextWindow:
    """How many sends an endpoint may have on their way."""

    @given(
        window=st.integers(1, WINDOW_MAX),
        delivered=st.booleans(),
        elapsed_ms=st.integers(0, 60_000),
    )
    def test_stays_within_its_bounds(self, window: int, delivered: bool, elapsed_ms: int) -> None:
        """Whatever happens there is at least one and never too many."""
        assert 1 <= next_window(window, delivered=delivered, elapsed_ms=elapsed_ms) <= WINDOW_MAX

    def test_a_dead_endpoint_ends_at_one(self) -> None:
        """Failure after failure leaves a single place."""
        window = WINDOW_MAX
        for _ in range(10):
            window = next_window(window, delivered=False, elapsed_ms=3000)
        assert window == 1

    def test_a_far_endpoint_earns_more(self) -> None:
        """Answers that take a tenth of a second need many on their way at a time."""
        window = WINDOW_START
        for _ in range(100):
            window = next_window(window, delivered=True, elapsed_ms=100)
        assert window == 50

    def test_a_near_or_slow_endpoint_keeps_the_start(self) -> None:
        """Neither needs nor earns more: the one is quick enough, the other would hold places for
        seconds."""
        assert next_window(WINDOW_START, delivered=True, elapsed_ms=1) == WINDOW_START
        assert next_window(WINDOW_START, delivered=True, elapsed_ms=2500) == WINDOW_START
