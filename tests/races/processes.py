"""Several processes of one desk, with pools, batchers and memories of their own on one database,
and what comes between them."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import asyncpg
from tests.support.desk import DeskOfTest, open_desks_on

from numdesk.runtime import Memory, Runtime
from numdesk.storage.database.pool import Database

T = TypeVar("T")


def another(rt: Runtime, database: Database) -> Runtime:
    """Returns a Runtime that remembers nothing, as a process that has just begun."""
    return replace(rt, database=database, memory=Memory(), batchers={}, states={})


@asynccontextmanager
async def open_desks(url: str, folder: Path, *, processes: int) -> AsyncIterator[list[DeskOfTest]]:
    """Yields one desk per process, each with a pool of its own; checks the ledger at the end."""
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(asyncpg.create_pool(url, min_size=1, max_size=4))
        databases: list[Database] = []
        for _ in range(processes):
            databases.append(await Database.open(url))
            stack.callback(
                databases[-1]._pool.terminate
            )  # what a dead process was releasing is waited for by nobody
        yield await stack.enter_async_context(open_desks_on(databases, pool=pool, folder=folder))


async def outcomes(*works: Awaitable[T]) -> tuple[list[T], Counter[type[BaseException]]]:
    """Awaits all at once; returns what succeeded, and how many met which refusal."""
    answers = await asyncio.gather(*works, return_exceptions=True)
    refused = Counter(type(answer) for answer in answers if isinstance(answer, BaseException))
    return [answer for answer in answers if not isinstance(answer, BaseException)], refused


async def undecided(
    pool: asyncpg.Pool, chance: random.Random, *, numbers: int, until: asyncio.Event
) -> None:
    """Locks some free numbers, again and again, and gives them back."""
    while not until.is_set():
        async with pool.acquire() as connection:
            locking = connection.transaction()
            await locking.start()
            await connection.fetch(
                "select id from numbers where state = 0 order by random() limit $1 for update "
                "skip locked",
                numbers,
            )
            await asyncio.sleep(chance.random() * 0.01)
            await locking.rollback()
        await asyncio.sleep(chance.random() * 0.02)


async def shelve(pool: asyncpg.Pool, numbers: int, *, first: int = 62_100_000_000) -> None:
    """Replaces our own stock by so many fresh numbers."""
    await pool.execute(
        "update numbers set state = 3, order_id = null, free_at = null where state in (0, 2)"
    )
    await pool.execute(
        "insert into numbers (msisdn, country_id, rnd) select $1::bigint + i, 6, i * 7919 from "
        "generate_series(1, $2::bigint) i",
        first,
        numbers,
    )
