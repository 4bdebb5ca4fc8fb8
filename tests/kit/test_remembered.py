"""Rules of an answer that is remembered for a moment."""

import asyncio

import pytest

from numdesk.kit.remembered import Remembered


class Finder:
    """Counts how often something is found out."""

    def __init__(self) -> None:
        self.times = 0
        self.go = asyncio.Event()

    async def find(self) -> int:
        """Return how often this was called, once it may."""
        self.times += 1
        await self.go.wait()
        return self.times


class TestRemembered:
    async def test_finds_out_once_for_all_who_ask_together(self) -> None:
        """All who ask before the answer is there get the same one."""
        finder = Finder()
        remembered = Remembered(finder.find, keep_s=0)
        asking = [asyncio.ensure_future(remembered.get()) for _ in range(5)]
        await asyncio.sleep(0)
        finder.go.set()
        assert await asyncio.gather(*asking) == [1] * 5

    @pytest.mark.parametrize(("keep_s", "then"), [(3600, 1), (0, 2)])
    async def test_keeps_the_answer_as_long_as_told(self, keep_s: float, then: int) -> None:
        """Within its time the answer holds; afterwards it is found out anew."""
        finder = Finder()
        finder.go.set()
        remembered = Remembered(finder.find, keep_s=keep_s)
        assert [await remembered.get(), await remembered.get()] == [1, then]

    async def test_goes_on_when_the_first_to_ask_leaves(self) -> None:
        """One client that goes away does not take the answer from the others."""
        finder = Finder()
        remembered = Remembered(finder.find, keep_s=0)
        first, second = (asyncio.ensure_future(remembered.get()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        finder.go.set()
        assert await second == 1
