"""Counts how often the event loop turns: what work leaves to others, on a machine of any speed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


async def turns_during(work: Coroutine[Any, Any, object]) -> int:
    """Returns how many turns of the event loop another task had while the work was done."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.create_task(count())
    await asyncio.sleep(0)
    await work
    counting.cancel()
    return turns
