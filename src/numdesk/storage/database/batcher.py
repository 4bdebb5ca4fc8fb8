"""Calls a command for many requests at once: those that arrive while a batch is on its way wait
together and go as the next one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from numdesk.domain.errors import Refusal

#: A batch that could leave lets at most so many turns of the event loop pass for others to come
#: along; none when nobody does.
TURNS_MAX = 8

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Batcher(Generic[Item, Answer]):
    """Gathers items and runs them in batches of at most `batch_max`, `in_flight` batches at a time.

    There is no timer: an item that finds no batch on its way leaves in the same turn of the event
    loop. `run` gets a list of items and answers one for each, in order; it must be repeatable,
    because a batch that fails as a whole is run again item by item, so that one bad item never
    spoils its neighbours.
    """

    def __init__(
        self,
        run: Callable[[list[Item]], Awaitable[list[Answer]]],
        *,
        batch_max: int,
        in_flight: int = 1,
    ) -> None:
        self._run = run
        self._batch_max = batch_max
        self._free = in_flight
        self._waiting: deque[tuple[Item, asyncio.Future[Answer]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._scheduled = False

    def submit(self, item: Item) -> asyncio.Future[Answer]:
        """Return a future of the item's answer."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((item, future))
        if self._free and not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._depart)
        return future

    def _depart(self) -> None:
        """Send as many batches as may be on their way."""
        self._scheduled = False
        while self._free and self._waiting:
            batch = [
                self._waiting.popleft() for _ in range(min(self._batch_max, len(self._waiting)))
            ]
            self._free -= 1
            task = asyncio.get_running_loop().create_task(self._travel(batch))
            self._tasks.add(task)
            task.add_done_callback(self._arrive)

    def _arrive(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._free += 1
        if self._waiting and not self._scheduled:
            self._scheduled = True
            self._linger(TURNS_MAX, 0)

    def _linger(self, turns: int, seen: int) -> None:
        """Depart when a turn of the event loop has brought nobody new: whoever was just answered
        may ask again at once."""
        if turns and len(self._waiting) > seen:
            asyncio.get_running_loop().call_soon(self._linger, turns - 1, len(self._waiting))
        else:
            self._depart()

    async def _travel(self, batch: list[tuple[Item, asyncio.Future[Answer]]]) -> None:
        """Run one batch and hands out its answers."""
        try:
            answers = await self._run([item for item, _ in batch])
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to whoever waits
            if len(batch) > 1 and not isinstance(error, Refusal):
                for pair in batch:
                    await self._travel([pair])
                return
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        assert len(answers) == len(batch), "a command answers every item"
        for (_, future), answer in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(answer)
