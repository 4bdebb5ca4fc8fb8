"""Batches: who travels together, and what happens to the others when one item is bad."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from numdesk.domain.errors import Unavailable
from numdesk.storage.database.batcher import Batcher


class Ferry:
    """Notes the batches it carries; each returns when the test lets it, doubled.

    A negative item sinks its batch.
    """

    def __init__(self) -> None:
        """Begin at the shore."""
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def run(self, items: list[int]) -> list[int]:
        """Carries a batch."""
        self.batches.append(items)
        await self.gate.wait()
        if any(item < 0 for item in items):
            raise ValueError(f"cannot carry {items}")
        return [item * 2 for item in items]


async def _turns(until: Callable[[], bool]) -> None:
    """Lets the event loop turn until something holds."""
    for _ in range(1000):
        if until():
            return
        await asyncio.sleep(0)
    raise AssertionError("never happened")


class TestBatcher:
    """Items that arrive while a batch is away travel together."""

    async def test_a_lone_item_leaves_in_the_same_turn(self) -> None:
        """There is no timer: an item that finds no batch on its way goes alone and at once."""
        ferry = Ferry()
        batcher: Batcher[int, int] = Batcher(ferry.run, batch_max=10)
        future = batcher.submit(1)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert ferry.batches == [[1]]
        assert await future == 2

    async def test_gathers_while_a_batch_is_away(self) -> None:
        """Whoever comes meanwhile goes as the next batch, in order, at most so many at a time."""
        ferry = Ferry()
        ferry.gate.clear()
        batcher: Batcher[int, int] = Batcher(ferry.run, batch_max=3)
        first = batcher.submit(0)
        await _turns(lambda: ferry.batches == [[0]])
        others = [batcher.submit(n) for n in range(1, 6)]
        ferry.gate.set()
        assert await asyncio.gather(first, *others) == [0, 2, 4, 6, 8, 10]
        assert ferry.batches == [[0], [1, 2, 3], [4, 5]]

    async def test_waits_a_turn_for_those_just_answered(self) -> None:
        """Clients that ask again as soon as they are answered come along with those who waited."""
        ferry = Ferry()
        ferry.gate.clear()
        batcher: Batcher[int, int] = Batcher(ferry.run, batch_max=10)

        async def ask_twice(item: int) -> int:
            return await batcher.submit(item) + await batcher.submit(item)

        asking = [asyncio.create_task(ask_twice(n)) for n in (1, 2)]
        await _turns(lambda: len(ferry.batches) == 1)
        late = batcher.submit(3)
        ferry.gate.set()
        assert await asyncio.gather(*asking, late) == [4, 8, 6]
        assert [sorted(batch) for batch in ferry.batches] == [[1, 2], [1, 2, 3]]

    async def test_one_bad_item_does_not_spoil_its_neighbours(self) -> None:
        """A batch that fails is run again item by item, and only the bad one fails."""
        ferry = Ferry()
        batcher: Batcher[int, int] = Batcher(ferry.run, batch_max=10)
        futures = [batcher.submit(n) for n in (1, -1, 2)]
        answers = await asyncio.gather(*futures, return_exceptions=True)
        assert (answers[0], answers[2]) == (2, 4)
        assert isinstance(answers[1], ValueError)

    async def test_an_outage_is_everybodys(self) -> None:
        """When the database is away nobody is tried again one by one."""
        tries: list[list[int]] = []

        async def run(items: list[int]) -> list[int]:
            tries.append(items)
            raise Unavailable

        batcher: Batcher[int, int] = Batcher(run, batch_max=10)
        futures = [batcher.submit(n) for n in range(3)]
        assert all(
            isinstance(a, Unavailable)
            for a in await asyncio.gather(*futures, return_exceptions=True)
        )
        assert tries == [[0, 1, 2]]

    async def test_somebody_who_gave_up_is_passed_over(self) -> None:
        """A cancelled waiter does not disturb the answers of the others."""
        ferry = Ferry()
        ferry.gate.clear()
        batcher: Batcher[int, int] = Batcher(ferry.run, batch_max=10)
        gone, stays = batcher.submit(1), batcher.submit(2)
        await _turns(lambda: len(ferry.batches) == 1)
        gone.cancel()
        ferry.gate.set()
        assert await stays == 4
        with pytest.raises(asyncio.CancelledError):
            await gone
