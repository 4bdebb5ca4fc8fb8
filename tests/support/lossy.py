"""A database whose connection is lost once, at the commit of the transaction that a test names,
before or after the server did it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg

from numdesk.storage.database.pool import Database, Tx

T = TypeVar("T")


class LossyDatabase(Database):
    """Lends the connections of a database and ends one of them.

    `losses` counts down how often that still happens.
    """

    def __init__(self, database: Database, name: str, *, after: bool, losses: int = 1) -> None:
        """Choose the transaction, and whether the server has committed it when the connection is
        lost."""
        super().__init__(database._pool)
        self._name, self._after, self.losses = name, after, losses

    async def statement(self, name: str, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Runs a statement, which commits by itself, and may lose its answer."""
        if not self._loses(name):
            return await super().statement(name, work)
        if self._after:
            await super().statement(name, work)
        raise asyncpg.ConnectionDoesNotExistError("lost by the test")

    async def _commit(self, name: str, connection: Any) -> None:
        if not self._loses(name):
            await super()._commit(name, connection)
            return
        if self._after:
            await super()._commit(name, connection)
        connection.terminate()
        raise asyncpg.ConnectionDoesNotExistError("lost by the test")

    def _loses(self, name: str) -> bool:
        is_lost = name == self._name and self.losses > 0
        self.losses -= is_lost
        return is_lost
