"""A process that dies before or after the step of its life that a test chooses, and from then on
can do nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, TypeVar, cast

from numdesk.storage.database.pool import Database, Tx

T = TypeVar("T")


class Died(BaseException):
    """The process is no more; nothing of it may catch this."""


class Life:
    """Counts the steps of a process and ends it before or after one of them.

    Without a `step` it does not end.
    """

    def __init__(self, *, step: int = 0, after: bool = False) -> None:
        """Choose the step that is the last."""
        self.step, self.after, self.taken = step, after, 0
        self._dead = asyncio.Event()
        self._ended: int | None = None
        self._followed: set[int] = set()

    def __str__(self) -> str:
        """Name it in a failure, or a folder."""
        return (
            f"died {'after' if self.after else 'before'} step {self.step}"
            if self.step
            else "did not die"
        )

    def deaths(self) -> Iterator[Life]:
        """Yields a life for every way to die that one with these steps had.

        To die after a step that the next one followed at once is to die before that next one, and
        is not done twice.
        """
        for step in range(1, self.taken + 1):
            yield Life(step=step)
            if step not in self._followed:
                yield Life(step=step, after=True)

    async def live(self, work: Callable[[], Awaitable[T]]) -> T:
        """Takes a step, unless this is the one; the dead take none."""
        self.taken += 1
        step, is_last = self.taken, self.taken == self.step
        if self._ended is not None:
            self._followed.add(self._ended)
        self._ended = None
        self._check(die=is_last and not self.after)
        answer = await work()
        self._check(die=is_last)
        self._ended = step
        return answer

    async def lead(self, act: Coroutine[Any, Any, T]) -> T:
        """Lets a process act until that is done, or until the process is dead, and all that it has
        begun with it.

        Raises what the act raises, or Died: whoever waits for the dead goes unanswered.
        """
        others = asyncio.all_tasks()
        doing, dying = asyncio.ensure_future(act), asyncio.ensure_future(self._dead.wait())
        await asyncio.wait({doing, dying}, return_when=asyncio.FIRST_COMPLETED)
        ended = {doing, dying, *(asyncio.all_tasks() - others)} if self._dead.is_set() else {dying}
        for task in ended:
            task.cancel()
        await asyncio.gather(*ended, return_exceptions=True)
        if self._dead.is_set():
            raise Died
        return doing.result()

    def _check(self, *, die: bool) -> None:
        if die:
            self._dead.set()
        if self._dead.is_set():
            raise Died


class MortalDatabase(Database):
    """A database as a mortal process sees it: each transaction is a step, and if wanted each
    statement in it as well."""

    def __init__(self, database: Database, life: Life, *, by_statement: bool = False) -> None:
        """Lend the connections of a database."""
        super().__init__(database._pool)
        self._life = life
        self._by_statement = by_statement

    async def run(self, name: str, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Runs a transaction, as far as it lives."""
        mortal = (
            (lambda tx: work(cast("Tx", _MortalTx(tx, self._life)))) if self._by_statement else work
        )
        return await self._life.live(lambda: super(MortalDatabase, self).run(name, mortal))

    async def repeat(
        self, name: str, work: Callable[[Tx], Awaitable[T]], *, books: bool = False
    ) -> T:
        """Runs a statement, if alive."""
        return await self._life.live(
            lambda: super(MortalDatabase, self).repeat(name, work, books=books)
        )


class _MortalTx:
    """A transaction as a mortal process sees it: each statement is a step."""

    def __init__(self, tx: Tx, life: Life) -> None:
        self._tx, self._life = tx, life

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._tx, name)
        return lambda *args: self._life.live(lambda: method(*args))


class MortalUpstream:
    """A supplier or a gateway as a mortal process sees it: each call that is waited for is a
    step."""

    def __init__(self, upstream: Any, life: Life) -> None:
        """Speak for this upstream."""
        self._upstream, self._life = upstream, life

    def __getattr__(self, name: str) -> Any:
        """Returns what the upstream has by this name."""
        found = getattr(self._upstream, name)
        if not asyncio.iscoroutinefunction(found):
            return found
        return lambda *args, **kwargs: self._life.live(lambda: found(*args, **kwargs))
