"""Rate limits: fixed windows, shared between processes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.desk import DeskOfTest

from numdesk.domain.errors import TooManyRequests
from numdesk.usecases.customers import rate_limits


def _spend(desk: DeskOfTest, times: int, *, subject: int = 1) -> None:
    for _ in range(times):
        rate_limits.admit(desk.rt, subject=subject, bucket="b", limit=10)


class TestAdmit:
    """So many requests in a window, and no more."""

    async def test_refuses_beyond_the_limit_until_the_window_ends(self, desk: DeskOfTest) -> None:
        """The eleventh of ten is told how many seconds to wait, and after them it is let in."""
        desk.clock.advance(20)
        _spend(desk, 10)
        with pytest.raises(TooManyRequests) as caught:
            _spend(desk, 1)
        assert caught.value.retry_after_s == 40
        _spend(desk, 10, subject=2)
        desk.clock.advance(40)
        _spend(desk, 10)

    async def test_follows_real_time_and_not_the_sandbox(self, desk: DeskOfTest) -> None:
        """Moving the desk's clock does not open a window."""
        _spend(desk, 10)
        desk.rt.clock.set_offset(desk.rt.clock.offset.__class__(hours=1))
        with pytest.raises(TooManyRequests):
            _spend(desk, 1)

    async def test_counts_what_other_processes_let_in(self, desk: DeskOfTest) -> None:
        """After an exchange two processes together let in what one may."""
        other = replace(desk.rt, states={})
        _spend(desk, 6)
        for _ in range(4):
            rate_limits.admit(other, subject=1, bucket="b", limit=10)
        await rate_limits.exchange(desk.rt)
        await rate_limits.exchange(other)
        for rt in (desk.rt, other):
            limits_left = 0
            try:
                while True:
                    rate_limits.admit(rt, subject=1, bucket="b", limit=10)
                    limits_left += 1
            except TooManyRequests:
                pass
            assert limits_left == (4 if rt is desk.rt else 0)

    async def test_counts_an_address_for_all_processes_in_long_windows_only(
        self, desk: DeskOfTest
    ) -> None:
        """What an address may do five times an hour it may do five times at all doors together.

        A minute's guesses write no rows.
        """
        other = replace(desk.rt, states={})
        for subject in ("192.0.2.1", "2001:db8::/64"):
            for rt in (desk.rt, desk.rt, desk.rt, other, other):
                rate_limits.admit(rt, subject=subject, bucket="b", limit=5, window_s=3600)
                rate_limits.admit(rt, subject=subject, bucket="guesses", limit=5)
        for rt in (desk.rt, other):
            await rate_limits.exchange(rt)
        with pytest.raises(TooManyRequests):
            rate_limits.admit(other, subject="192.0.2.1", bucket="b", limit=5, window_s=3600)
        with pytest.raises(TooManyRequests):
            rate_limits.refuse_exhausted(
                other, subject="2001:db8::/64", bucket="b", limit=5, window_s=3600
            )
        rate_limits.admit(other, subject="192.0.2.2", bucket="b", limit=5, window_s=3600)
        assert (
            await desk.pool.fetchval(
                "select count(*) from rate_counts where customer_id < 0 and bucket = 'b'"
            )
            == 4
        )
        assert (
            await desk.pool.fetchval("select count(*) from rate_counts where bucket = 'guesses'")
            == 0
        )

    async def test_asked_whether_it_would_refuse_counts_nothing(self, desk: DeskOfTest) -> None:
        """Asking is free until the limit is reached, and is refused from then to the end of the
        window."""
        for _ in range(20):
            rate_limits.refuse_exhausted(desk.rt, subject=1, bucket="b", limit=10)
        _spend(desk, 10)
        with pytest.raises(TooManyRequests):
            rate_limits.refuse_exhausted(desk.rt, subject=1, bucket="b", limit=10)
        desk.clock.advance(60)
        rate_limits.refuse_exhausted(desk.rt, subject=1, bucket="b", limit=10)

    async def test_can_be_switched_off(self, desk: DeskOfTest) -> None:
        """Without rate limits nobody is refused."""
        desk.rt.settings = replace(desk.rt.settings, rate_limits=False)
        _spend(desk, 1000)
