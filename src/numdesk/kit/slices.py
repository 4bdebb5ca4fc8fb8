"""Long lists are read, sorted and rendered in slices, so that no answer holds up the other requests of its process."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable, Iterable
from itertools import islice
from typing import Any, TypeVar

T = TypeVar("T")

#: Rows between two turns of the event loop: rendering one takes some 20 us, and no answer may hold the loop for 20 ms.
SLICE = 250


async def slices(rows: Iterable[T], *, length: int = SLICE) -> AsyncIterator[list[T]]:
    """Yields the rows in slices and lets other requests be answered after each full one."""
    left = iter(rows)
    while part := list(islice(left, length)):
        yield part
        if len(part) == length:
            await asyncio.sleep(0)


async def sort(rows: Iterable[T], *, key: Callable[[T], Any], reverse: bool = False) -> list[T]:
    """Returns what `sorted` would, rows that compare equal in their order included."""
    runs = [sorted(part, key=key, reverse=reverse) async for part in slices(rows, length=8 * SLICE)]
    if len(runs) == 1:
        return runs[0]
    return [row async for part in slices(heapq.merge(*runs, key=key, reverse=reverse)) for row in part]
