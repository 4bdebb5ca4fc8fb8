"""Requests that finish although their client has disconnected."""

import asyncio

import pytest

from numdesk.kit.incoming.finishing import Finishing


class TestFinishing:
    """Tasks that outlive the cancelling of their waiter."""

    async def test_goes_on_when_the_waiter_is_cancelled(self) -> None:
        """A purchase under way is never cut short by a closed connection."""
        finishing, may_end = Finishing[int](), asyncio.Event()

        async def write() -> int:
            await may_end.wait()
            return 7

        task = asyncio.create_task(write())
        waiter = asyncio.ensure_future(finishing.start(task))
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        assert await finishing.drain(seconds=0.01) == 1
        may_end.set()
        assert await finishing.drain(seconds=5) == 0
        assert await task == 7

    async def test_has_nothing_to_drain_at_first(self) -> None:
        """An idle server stops at once."""
        assert await Finishing[int]().drain(seconds=0) == 0
