"""A database that is frozen, neither answering nor refusing: nobody waits for it longer than for
one that restarts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from tests.support.frozen import FrozenWay, way_to

from numdesk.domain.errors import OutcomeUnknown, Unavailable
from numdesk.storage.database import pool as pool_module
from numdesk.storage.database import silence
from numdesk.storage.database.pool import (
    CONNECTIONS_MAX,
    LENT_WITHIN_S,
    OUTAGE_PATIENCE_S,
    Database,
    Tx,
)
from numdesk.storage.database.silence import LOOK_EVERY_S, SIGN_OF_LIFE_S, SILENCE_S

#: How much faster than in earnest a test waits.
HASTE = 20
#: Far longer than the patience, and far shorter than the time limit of a statement.
AT_MOST_S = 30.0


@pytest.fixture
async def way(database_url: str) -> AsyncIterator[FrozenWay]:
    """A way to the database that can be frozen."""
    async with way_to(database_url) as made:
        yield made


@pytest.fixture
async def hasty(way: FrozenWay, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """A pool by that way, whose patience is short."""
    for module, name in (
        (pool_module, "OUTAGE_PATIENCE_S"),
        (pool_module, "LENT_WITHIN_S"),
        (silence, "SILENCE_S"),
        (silence, "SIGN_OF_LIFE_S"),
        (silence, "LOOK_EVERY_S"),
    ):
        monkeypatch.setattr(module, name, getattr(module, name) / HASTE)
    opened = await Database.open(way.dsn)
    yield opened
    way.thaw()
    await opened.close()


async def nothing(tx: Tx) -> object:
    """Asks for little."""
    return await tx.fetchval("select 1")


def test_the_parts_of_the_patience_fit() -> None:
    """A frozen server is found out about before the patience is over."""
    assert SILENCE_S + SIGN_OF_LIFE_S + LOOK_EVERY_S <= OUTAGE_PATIENCE_S
    assert LENT_WITHIN_S <= OUTAGE_PATIENCE_S


@pytest.mark.parametrize("attempt", ["run", "repeat", "read"])
@pytest.mark.parametrize("lent", [1, 3 * CONNECTIONS_MAX])
async def test_nobody_waits_long(hasty: Database, way: FrozenWay, attempt: str, lent: int) -> None:
    """Whether a connection is free, open or still to be opened, all are told that the database is
    not available."""
    ask: Callable[[str, Any], Awaitable[object]] = getattr(hasty, attempt)
    await ask("test.ask", nothing)
    way.freeze()
    async with asyncio.timeout(AT_MOST_S):
        told = await asyncio.gather(
            *(ask("test.ask", nothing) for _ in range(lent)), return_exceptions=True
        )
    assert {type(one) for one in told} == {Unavailable}
    way.thaw()
    async with asyncio.timeout(AT_MOST_S):
        assert await asyncio.gather(*(ask("test.ask", nothing) for _ in range(lent))) == [1] * lent


async def test_an_outcome_that_nobody_knows_is_told_as_one(
    hasty: Database, way: FrozenWay, pool: asyncpg.Pool
) -> None:
    """Frozen in the middle of COMMIT, the answer is that the outcome is unknown."""

    async def work(tx: Tx) -> None:
        await tx.execute("insert into settings (name, value) values ('a', '1')")
        way.freeze()

    async with asyncio.timeout(AT_MOST_S):
        with pytest.raises(OutcomeUnknown):
            await hasty.run("test.write", work)
    assert await pool.fetchval("select count(*) from settings where name = 'a'") in {0, 1}


async def test_a_freeze_that_ends_in_time_shows_as_latency(hasty: Database, way: FrozenWay) -> None:
    """What waits when the server goes on is answered."""
    way.freeze()
    waiting = asyncio.create_task(hasty.run("test.ask", nothing))
    await asyncio.sleep(0)
    way.thaw()
    async with asyncio.timeout(AT_MOST_S):
        assert await waiting == 1


async def test_a_slow_statement_is_let_be(hasty: Database) -> None:
    """Of a server that lives, an answer is waited for longer than for a sign of life."""
    asked = 0

    async def is_silent() -> bool:
        nonlocal asked
        asked += 1
        return False

    hasty._watch = silence.Watch(is_silent)

    async def slow(tx: Tx) -> object:
        while asked < 3:
            await tx.fetchval("select pg_sleep(0.01)")
        return "done"

    assert await hasty.run("test.slow", slow) == "done"


async def test_a_caller_who_leaves_leaves_no_connection_behind(
    hasty: Database, way: FrozenWay
) -> None:
    """Requests that were given up while the server was frozen cost the pool nothing."""
    await hasty.repeat("test.ask", nothing)
    way.freeze()
    waiting = [
        asyncio.create_task(hasty.repeat("test.ask", nothing)) for _ in range(CONNECTIONS_MAX)
    ]
    await asyncio.sleep(0.05)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    way.thaw()
    async with asyncio.timeout(AT_MOST_S):
        await asyncio.gather(*(hasty.repeat("test.ask", nothing) for _ in range(CONNECTIONS_MAX)))
