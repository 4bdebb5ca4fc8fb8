"""The pool when the database answers and cannot do what it is asked: no room, no resources, no
writes, no more serials."""

from __future__ import annotations

import asyncpg
import pytest
from structlog.testing import capture_logs
from tests.support.breakage import break_writes, fix_writes

from numdesk.domain.errors import OutcomeUnknown, Unavailable
from numdesk.storage.database.pool import Database, Tx

#: SQLSTATE of each kind: disk full, out of memory, too many locks, I/O error, statement time-out,
#: read-only, serial at its end.
EXHAUSTED = ["53100", "53200", "53000", "58030", "58000", "57014", "25006", "2200H"]


async def write(tx: Tx) -> None:
    """Writes a row."""
    await tx.execute("insert into settings (name, value) values ('a', '1')")


@pytest.mark.parametrize("sqlstate", EXHAUSTED)
async def test_answers_that_it_cannot_now(
    database: Database, pool: asyncpg.Pool, sqlstate: str
) -> None:
    """Whatever the database is short of, a write is refused as unavailable at once, and reads go
    on."""
    await break_writes(pool, "settings", sqlstate)
    for attempt in (database.run, database.repeat):
        with pytest.raises(Unavailable):
            await attempt("test.write", write)
    assert await database.run("test.read", lambda tx: tx.fetchval("select 1")) == 1
    await fix_writes(pool, "settings")
    await database.run("test.write", write)


async def test_a_fault_of_ours_stays_one(database: Database, pool: asyncpg.Pool) -> None:
    """What is no shortage (a constraint, a wrong statement) is not taken for one."""
    await break_writes(pool, "settings", "23514")
    with pytest.raises(asyncpg.CheckViolationError):
        await database.run("test.write", write)


async def test_a_lock_that_never_comes_is_no_fault(database: Database, pool: asyncpg.Pool) -> None:
    """Who meets a deadlock or a lock time-out again and again is told to come later."""
    await break_writes(pool, "settings", "55P03")
    with pytest.raises(Unavailable):
        await database.run("test.write", write)


async def test_says_it_once_in_a_while(database: Database, pool: asyncpg.Pool) -> None:
    """A full disk is one line of the log, not one for every request."""
    await break_writes(pool, "settings", "53100")
    with capture_logs() as lines:
        for _ in range(5):
            with pytest.raises(Unavailable):
                await database.run("test.write", write)
    assert [(line["log_level"], line["kind"]) for line in lines] == [("error", "DiskFull")]


@pytest.mark.parametrize(("books", "refusal"), [(True, OutcomeUnknown), (False, Unavailable)])
async def test_what_may_have_been_booked_before_is_never_refused(
    database: Database, books: bool, refusal: type[Unavailable]
) -> None:
    """When the answer to a statement that books was lost, and the next attempt finds no room,
    nobody says that nothing was booked."""
    attempts: list[Exception] = [
        asyncpg.DiskFullError("no room"),
        asyncpg.ConnectionDoesNotExistError("lost"),
    ]

    async def book(_tx: Tx) -> None:
        raise attempts.pop()

    with pytest.raises(Unavailable) as raised:
        await database.repeat("test.book", book, books=books)
    assert (type(raised.value), attempts) == (refusal, [])
