"""Tells a frozen server from a slow statement, and ends the connections on which an answer would be
waited for in vain."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg

from numdesk.kit.log import get_logger
from numdesk.storage.database.receipts import OUTAGES

#: A statement without an answer for so long may be slow, or the server may be frozen: then it is
#: asked for a sign of life ...
SILENCE_S = 4.0
#: ... which it gives within this time. Both, and the time between two looks, are together no more
#: than `pool.OUTAGE_PATIENCE_S`.
SIGN_OF_LIFE_S = 3.0
LOOK_EVERY_S = 1.0

_log = get_logger(__name__)


class Watch:
    """The connections of one pool that are lent, and when the server last answered."""

    def __init__(self, is_silent: Callable[[], Awaitable[bool]] | None) -> None:
        """Ask `is_silent` about the server; without it, nothing is ended."""
        self._is_silent = is_silent
        #: When the server last answered anybody, by the clock of the loop.
        self.heard_at = float("-inf")
        self._lent: dict[Any, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[None] | None = None

    @contextmanager
    def over(self, connection: Any) -> Iterator[None]:
        """Watch a connection within the block, which ends with an answer unless it is cancelled or
        the connection lost."""
        loop = asyncio.get_running_loop()
        self._lent[connection] = loop.time()
        if self._timer is None and self._is_silent is not None:
            self._timer = loop.call_later(LOOK_EVERY_S, self._look)
        try:
            yield
        except (asyncio.CancelledError, *OUTAGES):
            raise
        except BaseException:
            self.heard_at = loop.time()  # a refusal is an answer, too
            raise
        else:
            self.heard_at = loop.time()
        finally:
            del self._lent[connection]

    @property
    def is_long_silent(self) -> bool:
        """True when the server has answered nobody for long; perhaps it was asked nothing."""
        return asyncio.get_running_loop().time() - self.heard_at >= SILENCE_S

    def _look(self) -> None:
        """Look for connections that have waited long, for as long as any is lent."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(LOOK_EVERY_S, self._look) if self._lent else None
        doubted = {
            connection: since
            for connection, since in self._lent.items()
            if loop.time() - since >= SILENCE_S
        }
        if doubted and (self._asking is None or self._asking.done()):
            self._asking = loop.create_task(self._end_silent(doubted))

    async def _end_silent(self, doubted: dict[Any, float]) -> None:
        """End connections that still wait when the server gives no sign of life."""
        assert self._is_silent is not None, "only then is anything looked at"
        asked_at = asyncio.get_running_loop().time()
        if await self._is_silent() and self.heard_at < asked_at:
            _log.error(
                "the database gives no sign of life: statements that wait for it are given up"
            )
            for connection, since in doubted.items():
                if self._lent.get(connection) == since:
                    connection.terminate()


async def is_silent(dsn: str) -> bool:
    """Return whether a server says nothing to a new connection.

    One that refuses it says something.
    """
    try:
        async with asyncio.timeout(SIGN_OF_LIFE_S):
            connection = await asyncpg.connect(dsn)
    except TimeoutError:
        return True
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
        return False
    connection.terminate()
    return False
