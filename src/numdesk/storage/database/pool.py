"""The connection pool: named transactions inside which no network call may happen, and bounded
retries of what may be repeated."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, LiteralString, Protocol, TypeVar, cast

import asyncpg
from prometheus_client import Counter, Histogram

from numdesk.domain.errors import OutcomeUnknown, Unavailable
from numdesk.kit.log import get_logger
from numdesk.kit.outgoing.network import forbid_network
from numdesk.storage.database.receipts import OUTAGES, Deal, begin, roll_back
from numdesk.storage.database.silence import Watch, is_silent

if TYPE_CHECKING:
    from asyncpg import Record

T = TypeVar("T")

#: Beyond 64 connections PostgreSQL on two cores collapses; 16 in all are enough for batched
#: commands, so a process takes 8.
CONNECTIONS_MAX = 8
#: A transaction that met a deadlock or a lock time-out is run again at most this often.
RETRIES_MAX = 5
#: How long work waits for a database that is restarting, frozen or too busy to lend a connection
#: before it gives up: from its beginning, or from the last answer to anybody when that is later.
OUTAGE_PATIENCE_S = LENT_WITHIN_S = 8.0

_CONFLICTS = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
)
#: The database answers, and cannot do this now: the disk is full or broken, memory is short, a
#: statement took too long, it takes no writes, or a sequence is at its end. Nothing was done, and
#: asking again at once does not help.
EXHAUSTED = (
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.QueryCanceledError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.SequenceGeneratorLimitExceededError,
)
#: What the database cannot do is logged once in so many seconds.
COMPLAINT_EVERY_S = 10.0

_transactions = Histogram(
    "numdesk_transaction_seconds",
    "Duration of database transactions",
    ["name"],
    buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2.0),
)
_retries = Counter("numdesk_database_retries_total", "Transactions run again", ["name", "kind"])
_exhausted = Counter(
    "numdesk_database_exhausted_total",
    "Transactions refused by a database without room or resources",
    ["kind"],
)
_log = get_logger(__name__, "kind", "transaction")


class Tx(Protocol):
    """An open transaction. SQL is a literal; values go beside it."""

    async def fetch(self, sql: LiteralString, *args: object) -> list[Record]:
        """Return all rows."""
        ...

    async def fetchrow(self, sql: LiteralString, *args: object) -> Record | None:
        """Return the first row, or None."""
        ...

    async def fetchval(self, sql: LiteralString, *args: object) -> Any:
        """Return the first column of the first row, or None."""
        ...

    async def execute(self, sql: LiteralString, *args: object) -> str:
        """Run a statement and returns its tag, such as "UPDATE 1"."""
        ...


class _Connection(asyncpg.Connection):
    """A connection that is not reset when it goes back to the pool: nothing here changes a session,
    and a reset is a round trip."""

    def get_reset_query(self) -> str:
        """Return nothing to run."""
        return ""


class Database:
    """The pool of one process."""

    def __init__(
        self, pool: asyncpg.Pool, *, is_silent: Callable[[], Awaitable[bool]] | None = None
    ) -> None:
        """Lend the connections of a pool.

        `is_silent` finds out whether the server gives no sign of life.
        """
        self._pool = pool
        self._watch = Watch(is_silent)
        self._complained_at = float("-inf")

    @classmethod
    async def open(cls, dsn: str, *, connections: int = CONNECTIONS_MAX) -> Database:
        """Connect. Raises what asyncpg raises when the server cannot be reached."""
        pool = await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=connections,
            command_timeout=60,
            connection_class=_Connection,
            server_settings={
                "application_name": "numdesk",
                "timezone": "UTC",
                "lock_timeout": "5s",
                "statement_timeout": "55s",
                "idle_in_transaction_session_timeout": "30s",
            },
        )
        return cls(pool, is_silent=lambda: is_silent(dsn))

    async def close(self) -> None:
        """Close all connections, at once when they do not end by themselves within 5 s."""
        try:
            await asyncio.wait_for(self._pool.close(), 5)
        except TimeoutError:
            self._pool.terminate()

    async def listen(self, channel: LiteralString, hear: Callable[[str], None]) -> None:
        """Call `hear` with each note on the channel until cancelled.

        Connect again when the connection is lost.
        """
        while True:
            try:
                async with self._pool.acquire() as connection:
                    await _hear_until_lost(connection, channel, hear)
            except OUTAGES:
                await asyncio.sleep(0.2)

    @asynccontextmanager
    async def transaction(self, name: str, *, snapshot: bool = False) -> AsyncIterator[Tx]:
        """Open a READ COMMITTED transaction (or, with `snapshot`, a read-only one that sees a
        single moment) and commits it.

        Raises Unavailable when the database has no room or resources for it.
        """
        async with self._connection(name) as connection:
            try:
                await connection.execute(
                    "begin isolation level repeatable read read only" if snapshot else "begin"
                )
                with forbid_network(name):
                    yield cast("Tx", connection)
                await self._commit(name, connection)
            except BaseException:
                await roll_back(connection)
                raise

    async def statement(self, name: str, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Run `work`, which is a single statement, on a connection without BEGIN and COMMIT around
        it: one round trip.

        Raises Unavailable when the database has no room or resources for it.
        """
        async with self._connection(name) as connection:
            with forbid_network(name):
                return await work(cast("Tx", connection))

    async def run(self, name: str, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Run `work` in a transaction, once: again after a conflict, and after an outage when it
        was not committed.

        When the connection is lost, also in the middle of COMMIT, this finds out what happened
        before it answers (`storage/database/receipts.py`). Raises Unavailable when nothing was
        committed, and OutcomeUnknown when that could not be found out in time.
        """
        deal = Deal()
        try:
            return await self._outlast(name, lambda: self._attempt(name, deal, work))
        except Unavailable as error:
            if deal.is_open:
                raise OutcomeUnknown from error
            raise

    async def repeat(
        self, name: str, work: Callable[[Tx], Awaitable[T]], *, books: bool = False
    ) -> T:
        """Run statements that may safely be repeated, through conflicts and through an outage of
        some seconds.

        Raises Unavailable when the database stays away, or OutcomeUnknown for a statement that
        `books` something under a key.
        """
        return await self._outlast(
            name, lambda: self.statement(name, work), OutcomeUnknown if books else Unavailable
        )

    async def read(self, name: str, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Read everything as of one moment, through an outage of some seconds.

        Raises Unavailable.
        """

        async def attempt() -> T:
            async with self.transaction(name, snapshot=True) as tx:
                return await work(tx)

        return await self._outlast(name, attempt)

    async def _outlast(
        self,
        name: str,
        attempt: Callable[[], Awaitable[T]],
        refusal: type[Unavailable] = Unavailable,
    ) -> T:
        """Await `attempt`, again after conflicts and outages.

        Raises `refusal` when the database stays away.
        """
        deadline: float | None = None
        begun = asyncio.get_running_loop().time()
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    return await retry_conflicts(name, attempt)
            except OUTAGES as error:
                now = asyncio.get_running_loop().time()
                deadline = deadline or max(begun, self._watch.heard_at) + OUTAGE_PATIENCE_S
                if now >= deadline or self._pool.is_closing():
                    raise refusal from error
                _retries.labels(name, "outage").inc()
                await asyncio.sleep(0.05 + random.random() * 0.2)  # noqa: S311 - jitter, not a secret
            except Unavailable as error:
                if deadline is None or refusal is Unavailable:
                    raise
                # An attempt was lost before this one, and may have been done.
                raise refusal from error

    @asynccontextmanager
    async def _connection(self, name: str) -> AsyncIterator[Any]:
        """Lend a connection for one transaction, and measures it.

        Raises TimeoutError when none comes free in time, and Unavailable for what the database has
        no room or resources for. When the server falls silent, the connection is ended, which
        raises what a lost connection raises.
        """
        started = time.perf_counter()
        with self._refuse_exhausted(name):
            async with asyncio.timeout(LENT_WITHIN_S):
                connection = await self._pool.acquire()
            with self._watch.over(connection):
                try:
                    yield connection
                except asyncio.CancelledError:
                    if self._watch.is_long_silent:
                        connection.terminate()
                    raise
                finally:
                    await self._pool.release(
                        connection
                    )  # after a statement that was given up, this waits for the server
        _transactions.labels(name).observe(time.perf_counter() - started)

    @contextmanager
    def _refuse_exhausted(self, name: str) -> Iterator[None]:
        """Raise Unavailable for what the database has no room or resources for, and say so in the
        log."""
        try:
            yield
        except OUTAGES:
            raise
        except EXHAUSTED as error:
            kind = type(error).__name__.removesuffix("Error")
            _exhausted.labels(kind).inc()
            now = time.monotonic()
            if now - self._complained_at > COMPLAINT_EVERY_S:
                self._complained_at = now
                _log.error(
                    "the database has no room or resources",
                    transaction=name,
                    kind=kind,
                    reason=str(error),
                )
            raise Unavailable from error

    async def _attempt(self, name: str, deal: Deal, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Run a transaction with its receipt, or returns the answer of the one before when that was
        committed."""
        async with self._connection(name) as connection:
            try:
                if await begin(connection, deal):
                    with forbid_network(name):
                        deal.answer = await work(cast("Tx", connection))
                    await self._conclude(name, deal, connection)
            except BaseException:
                await roll_back(connection)
                raise
        return deal.answer

    async def _conclude(self, name: str, deal: Deal, connection: Any) -> None:
        """Commit, and note when no answer comes."""
        deal.is_open = True
        try:
            await self._commit(name, connection)
        except (
            asyncpg.PostgresError,
            AssertionError,
        ) as error:  # an answer: unless the server is going down, it has rolled back
            deal.is_open = isinstance(error, OUTAGES)
            raise
        deal.is_open = False

    async def _commit(self, name: str, connection: Any) -> None:
        """Send COMMIT; tests lose the connection here."""
        tag = await connection.execute("commit")
        assert tag == "COMMIT", f"{name}: a statement failed and its error was ignored"


async def _hear_until_lost(connection: Any, channel: str, hear: Callable[[str], None]) -> None:
    """Call `hear` with each note on the channel until the connection is lost or the task
    cancelled."""
    lost = asyncio.Event()
    connection.add_termination_listener(lambda _: lost.set())

    def pass_on(_connection: object, _pid: int, _channel: str, note: object) -> None:
        hear(str(note))

    await connection.add_listener(channel, pass_on)
    try:
        await lost.wait()
    finally:
        if not connection.is_closed():
            await connection.remove_listener(channel, pass_on)


async def retry_conflicts(name: str, attempt: Callable[[], Awaitable[T]]) -> T:
    """Await `attempt`, again (at most RETRIES_MAX times, with jitter) when PostgreSQL chose it as a
    victim; then raises Unavailable."""
    for again in range(RETRIES_MAX):
        try:
            return await attempt()
        except _CONFLICTS as error:
            _retries.labels(name, type(error).__name__).inc()
            await asyncio.sleep(random.random() * 0.02 * (again + 1))  # noqa: S311 - jitter, not a secret
    try:
        return await attempt()
    except _CONFLICTS as error:
        raise Unavailable from error
