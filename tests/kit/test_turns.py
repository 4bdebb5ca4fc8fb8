"""Tests of turns by key."""

from __future__ import annotations

import asyncio

import pytest

from numdesk.kit.turns import Turns


class TestTurns:
    async def test_are_given_to_so_many_of_one_key(self) -> None:
        """Of one key as many work at a time as may, in order, and another key's do not wait for
        them."""
        turns: Turns[str] = Turns(2)
        working: list[str] = []
        ends = {name: asyncio.Event() for name in ("a1", "a2", "a3", "b1")}

        async def work(name: str) -> None:
            async with turns.hold(name[0]):
                working.append(name)
                await ends[name].wait()
                working.remove(name)

        tasks = [asyncio.create_task(work(name)) for name in ends]
        await asyncio.sleep(0)
        assert working == ["a1", "a2", "b1"]
        ends["a1"].set()
        await tasks[0]
        await asyncio.sleep(0)
        assert working == ["a2", "b1", "a3"]
        for end in ends.values():
            end.set()
        await asyncio.gather(*tasks)
        assert len(turns) == 0

    async def test_that_do_not_come_in_time_leave_nothing_behind(self) -> None:
        """Who loses patience, or is cancelled, takes no turn, and the next one gets it."""
        turns: Turns[str] = Turns(1)
        await turns.enter("a")
        with pytest.raises(TimeoutError):
            await turns.enter("a", patience_s=0)
        waiting = asyncio.create_task(turns.enter("a"))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        turns.leave("a")
        await turns.enter("a", patience_s=60)
        turns.leave("a")
        assert len(turns) == 0
