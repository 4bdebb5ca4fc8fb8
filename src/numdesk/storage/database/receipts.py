"""The fate of a transaction whose connection was lost: the receipt that it commits together with
its work."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from numdesk.storage.database.old_rows import by_columns

OUTAGES = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,
    # Raised for a connection whose server was killed a moment ago.
    asyncpg.InternalClientError,
    ConnectionError,
    FileNotFoundError,
    TimeoutError,
)
#: A server that does not roll back within this time is left to notice that the connection has
#: ended.
ROLLBACK_TIMEOUT_S = 1.0


@dataclass(slots=True)
class Deal:
    """A transaction until its outcome is known.

    Each attempt begins by inserting the same receipt. So one that follows a lost connection waits
    until the server is done with the attempt before it, and then either finds that receipt,
    committed together with the work, or does the work again.
    """

    receipt: uuid.UUID = field(default_factory=uuid.uuid4)
    #: What the work of the last attempt returned.
    answer: Any = None
    #: COMMIT was sent and not answered.
    is_open: bool = False


async def begin(connection: Any, deal: Deal) -> bool:
    """Begin an attempt, in one round trip; False when an earlier one was committed.

    Raises TimeoutError while the server is still busy with an earlier one.
    """
    try:
        await connection.execute(f"begin; insert into receipts (id) values ('{deal.receipt}')")
    except asyncpg.UniqueViolationError:
        await roll_back(connection)
        return False
    except asyncpg.LockNotAvailableError as error:
        raise TimeoutError("the server is still busy with this transaction") from error
    deal.is_open = False
    return True


async def roll_back(connection: Any) -> None:
    """Roll back, or ends a connection that does not answer, which makes the server roll back."""
    try:
        if not connection.is_closed():
            await connection.execute("rollback", timeout=ROLLBACK_TIMEOUT_S)
    except OUTAGES:
        connection.terminate()


#: Receipts of transactions; the oldest stand first in the table, so no index is needed.
OLD_RECEIPTS = by_columns("receipts", "at < $1", key="id", same="o.id = (k ->> 0)::uuid")
