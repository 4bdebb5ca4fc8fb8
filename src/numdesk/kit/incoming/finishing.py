"""Requests that run to their end even if their client disconnects."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Finishing(Generic[Result]):
    """Handlers that run to their end even if their client disconnects."""

    def __init__(self) -> None:
        """Begin with none."""
        self._tasks: set[asyncio.Task[Result]] = set()

    def start(self, task: asyncio.Task[Result]) -> asyncio.Future[Result]:
        """Return an awaitable of the task; cancelling the awaitable does not cancel the task."""
        self._tasks.add(task)
        task.add_done_callback(self._end)
        return asyncio.shield(task)

    async def drain(self, *, seconds: float) -> int:
        """Wait for all tasks, at most `seconds`; return the number of unfinished ones."""
        if not self._tasks:
            return 0
        _, late = await asyncio.wait(self._tasks, timeout=seconds)
        return len(late)

    def _end(self, task: asyncio.Task[Result]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # read the exception, so that asyncio does not report it a second time
