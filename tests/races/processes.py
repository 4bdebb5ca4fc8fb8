"""Several processes of one desk: Runtimes with pools, batchers and memories of their own on one database, beside one upstream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import asyncpg
from tests.support.desk import CATALOGUE, START, DeskOfTest, runtime
from tests.support.ledger import assert_clean

from numdesk.kit.clock import FakeClock
from numdesk.kit.http import OutgoingHttp
from numdesk.providers.simulator.adapter import Simulator, SimulatorSettings
from numdesk.providers.simulator.world import World
from numdesk.runtime import Memory, Runtime
from numdesk.storage.pool import Database


def another(rt: Runtime, database: Database) -> Runtime:
    """Returns a Runtime that remembers nothing, as a process that has just begun."""
    return replace(rt, database=database, memory=Memory(), batchers={}, local={})


@asynccontextmanager
async def open_desks(url: str, folder: Path, *, processes: int) -> AsyncIterator[list[DeskOfTest]]:
    """Yields one desk per process, all with the small catalogue and one clock; checks the ledger at the end."""
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(asyncpg.create_pool(url, min_size=1, max_size=4))
        await pool.execute(CATALOGUE)
        clock, world = FakeClock(START), World(folder / "world.sqlite")
        stack.callback(world._file.close)
        simulator = Simulator(world, SimulatorSettings(delay_s=0), sleep=lambda _: asyncio.sleep(0))
        http = OutgoingHttp(clock)
        stack.push_async_callback(http.close)
        desks: list[DeskOfTest] = []
        for _ in range(processes):
            database = await Database.open(url)
            stack.push_async_callback(database.close)
            rt = runtime(database, clock=clock, http=http, simulator=simulator, folder=folder)
            desks.append(DeskOfTest(rt, clock, simulator, pool))
        yield desks
        await assert_clean(desks[0].rt)


async def shelve(pool: asyncpg.Pool, numbers: int, *, first: int = 62_100_000_000) -> None:
    """Replaces our own stock by so many fresh numbers."""
    await pool.execute("update numbers set state = 3, order_id = null, free_at = null where state in (0, 2)")
    await pool.execute(
        "insert into numbers (msisdn, country_id, rnd) select $1::bigint + i, 6, i * 7919 from generate_series(1, $2::bigint) i",
        first,
        numbers,
    )
