"""Background work in the process of a test, by the real workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from numdesk.runtime import Runtime
from numdesk.workers import runner


@asynccontextmanager
async def working(rt: Runtime) -> AsyncIterator[None]:
    """Does all background work for the length of the block; its end waits for what is under way."""
    stop = asyncio.Event()
    running = asyncio.create_task(runner.run(rt, stop=stop))
    try:
        yield
    finally:
        stop.set()
        await running
