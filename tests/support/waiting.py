"""Waits for what a server does in the background and does not announce."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

#: Between two looks.
LOOK_EVERY_S = 0.02
WITHIN_S = 60.0


async def eventually(
    look: Callable[[], Awaitable[T]],
    *,
    but: type[BaseException] | tuple[type[BaseException], ...] = AssertionError,
    within_s: float = WITHIN_S,
    every_s: float = LOOK_EVERY_S,
) -> T:
    """Returns what `look()` returns as soon as it no longer raises `but`.

    That exception is let through once a look which was begun after `within_s` raises it, so that a
    slow look is not the last one.
    """
    loop = asyncio.get_running_loop()
    give_up = loop.time() + within_s
    while True:
        is_last = loop.time() > give_up
        try:
            return await look()
        except but:
            if is_last:
                raise
        await asyncio.sleep(every_s)
