"""Turns by key: so many at once may work for one host, customer or provider, and the next waits, in
order, holding nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class _Line:
    """The turns of one key, and how many have one or wait for one."""

    __slots__ = ("free", "users")

    def __init__(self, each_max: int) -> None:
        self.free = asyncio.Semaphore(each_max)
        self.users = 0


class Turns(Generic[K]):
    """Gives each key `each_max` turns at a time.

    A key is remembered for as long as somebody has or awaits its turn.
    """

    __slots__ = ("_each_max", "_lines")

    def __init__(self, each_max: int) -> None:
        """Begin with every turn free."""
        self._each_max = each_max
        self._lines: dict[K, _Line] = {}

    def used(self, key: K) -> int:
        """Return how many have a turn of this key, or wait for one."""
        line = self._lines.get(key)
        return 0 if line is None else line.users

    def __len__(self) -> int:
        """Return how many keys are in use."""
        return len(self._lines)

    @asynccontextmanager
    async def hold(self, key: K) -> AsyncIterator[None]:
        """Wait for a turn and keep it for the length of the block."""
        await self.enter(key)
        try:
            yield
        finally:
            self.leave(key)

    async def enter(self, key: K, *, patience_s: float | None = None) -> None:
        """Wait for a turn, to be given back by `leave`.

        Raise TimeoutError when none comes within `patience_s`.
        """
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = _Line(self._each_max)
        line.users += 1
        try:
            if not line.free.locked():  # at once, and no timer
                patience_s = None
            async with asyncio.timeout(patience_s):
                await line.free.acquire()
        except BaseException:
            self._let_go(key, line)
            raise

    def leave(self, key: K) -> None:
        """Give a turn to the next."""
        line = self._lines[key]
        line.free.release()
        self._let_go(key, line)

    def _let_go(self, key: K, line: _Line) -> None:
        line.users -= 1
        if not line.users:
            del self._lines[key]
