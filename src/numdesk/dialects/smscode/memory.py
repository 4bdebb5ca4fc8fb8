"""Answers remembered for one version of the catalogue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from numdesk.domain.stock.catalogue import Catalogue

#: Answers remembered per version of the catalogue: bots ask for the same few pages many times a
#: second.
REMEMBERED_MAX = 64
T = TypeVar("T")


class Remembered(Generic[T]):
    """Answers made from one version of the catalogue, at most `most`.

    A new version empties it, and so does one answer more.
    """

    __slots__ = ("_answers", "_moment", "_most")

    def __init__(self, *, most: int = REMEMBERED_MAX) -> None:
        """Begin empty."""
        self._most = most
        self._moment: Catalogue | None = None
        self._answers: dict[object, asyncio.Task[T]] = {}

    async def answer(
        self, moment: Catalogue, name: object, make: Callable[[], Coroutine[Any, Any, T]]
    ) -> T:
        """Return the answer of that name, made at the first call; concurrent callers share it."""
        if self._moment is not moment or (
            len(self._answers) >= self._most and name not in self._answers
        ):
            self._moment = moment
            self._answers = {}
        task = self._answers.get(name)
        if task is None:
            task = self._answers[name] = asyncio.get_running_loop().create_task(make())
        return await asyncio.shield(task)
