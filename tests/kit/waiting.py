"""Waits for something that another part of the process does and does not announce."""

import asyncio
from collections.abc import Callable


async def until(is_so: Callable[[], bool], *, within_s: float = 60.0) -> None:
    """Return as soon as `is_so()`; raise TimeoutError when that does not come."""
    async with asyncio.timeout(within_s):
        while not is_so():  # noqa: ASYNC110 - what is waited for has no event to set
            await asyncio.sleep(0.002)
