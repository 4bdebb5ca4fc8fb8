"""Remember for a moment a value that is costly to compute, so that asking often costs no more than
asking now and then."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Remembered(Generic[T]):
    """An answer that all who ask at the same time, or within `keep_s` of it, share."""

    def __init__(self, find: Callable[[], Coroutine[Any, Any, T]], *, keep_s: float) -> None:
        """Find nothing out before somebody asks."""
        self._find = find
        self._keep_s = keep_s
        self._finding: asyncio.Task[T] | None = None
        self._until = 0.0

    async def get(self) -> T:
        """Return the answer; raise what finding it raised.

        Asking may be cancelled, finding goes on for the others.
        """
        loop = asyncio.get_running_loop()
        if self._finding is None or (self._finding.done() and loop.time() >= self._until):
            self._finding = loop.create_task(self._find())
            self._finding.add_done_callback(lambda _: self._note(loop.time()))
        return await asyncio.shield(self._finding)

    def _note(self, now: float) -> None:
        self._until = now + self._keep_s
