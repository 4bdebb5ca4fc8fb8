"""Measures the check of a ledger of a million entries: in full, and of what is new since the last
block of the chain.

The ledger is written by the product's own triggers and commands: 50,000 orders of 1,000 customers,
most of them completed, 400,000 credits by the operator, then entries that are in no block yet.
Prints `bench ledger_check_full SECONDS 5` and `bench ledger_check_incremental SECONDS 0.2` last:
what was reached (the median of the runs) and what is promised.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, cast

import asyncpg

from numdesk.config import Settings
from numdesk.kit.clock import Clock
from numdesk.runtime import Runtime
from numdesk.storage.database.migrate import migrate
from numdesk.storage.database.pool import Database
from numdesk.storage.database.postgres import open_database
from numdesk.usecases import ledger_check

PROMISED_FULL_S = 5
PROMISED_INCREMENTAL_S = 0.2
CUSTOMERS = 1_000
ROUNDS = 50
CREDITS = 40
RUNS = 5

#: A thousand wallets with money in them.
PREPARE = f"""
insert into accounts (kind, owner, currency, live) select 'wallet', i, 'IDR', true
  from generate_series(1, {CUSTOMERS}) i;
with j as (insert into journals (reason, ref, at) select 'adjustment', 'bench:' || a.id, now()
  from accounts a returning id, ref)
insert into transfers (journal_id, debit_id, credit_id, amount, currency)
  select j.id, system_account_v1('funding', 'manual', 'IDR'), substr(j.ref, 7)::bigint, 1000000,
    'IDR' from j;
"""  # noqa: S608 - constants of this file

#: Ten thousand credits, each a journal of its own with two entries.
CREDIT = f"""
with j as (insert into journals (reason, ref, at)
  select 'adjustment', 'credit:' || $1::text || ':' || i, now() from generate_series(1, 10000) i
             returning id),
     w as (select array_agg(id order by id) ids from accounts where kind = 'wallet')
insert into transfers (journal_id, debit_id, credit_id, amount, currency)
  select j.id, system_account_v1('funding', 'manual', 'IDR'), w.ids[1 + j.id % {CUSTOMERS}], 10,
    'IDR' from j, w
"""  # noqa: S608 - constants of this file

#: One order of every customer: held, earned and, but for the last rounds, completed. Four entries
#: each.
ROUND = """
with o as (insert into orders (customer_id, dialect, state, offer_id, catalogue_id, country_id,
  service_id, provider, msisdn, wallet_id,
                               currency, price, cost, created_at, expires_at)
             select a.owner, 'bench', 1, 1, 1, 1, 1, 'local', 628000000000 + a.owner, a.id, 'IDR',
               100, 40, now(), now() + interval '20 min'
               from accounts a where a.kind = 'wallet' returning id, wallet_id),
     h as (insert into holds (kind, ref, account_id, amount, opened_at)
       select 'order', id, wallet_id, 100, now() from o)
select array_agg(id) from o
"""


async def main() -> None:
    """Fills a new database, measures, and prints the two lines."""
    with tempfile.TemporaryDirectory(prefix="numdesk-bench-") as folder:
        await asyncio.to_thread(Path(folder).chmod, 0o711)  # the server may run as another user
        async with open_database(None, data=Path(folder)) as dsn:
            await migrate(dsn)
            await fill(dsn)
            database = await Database.open(dsn)
            nothing = cast("Any", None)  # the ledger asks neither for HTTP nor for keys
            rt = Runtime(
                settings=Settings(),
                clock=Clock(),
                http=nothing,
                keys=nothing,
                suppliers={},
                renderers={},
                rate_sources={},
                database=database,
            )
            await measure(rt, dsn)
            await database.close()


async def fill(dsn: str) -> None:
    """Writes a million entries."""
    started = time.perf_counter()
    connection = await asyncpg.connect(dsn)
    await connection.execute("set synchronous_commit = off")
    await connection.execute(PREPARE)
    for number in range(ROUNDS):
        await round_of_orders(connection, complete=number < ROUNDS - 5)
        if number == 0:
            await connection.execute("analyze")  # an empty database tells the planner nothing
    for number in range(CREDITS):
        await connection.execute(CREDIT, str(number))
    await connection.execute("vacuum analyze")
    entries = await connection.fetchval("select count(*) from entries")
    print(f"{entries} entries written in {time.perf_counter() - started:.0f} s")
    await connection.close()


async def round_of_orders(connection: asyncpg.Connection, *, complete: bool) -> None:
    """Sells a number to every customer and lets a message arrive."""
    async with connection.transaction():
        ids = await connection.fetchval(ROUND)
        await connection.execute("select earn_orders_v1(now(), $1)", ids)
        await connection.execute(
            "update orders set state = 2, first_sms_at = now() where id = any($1)", ids
        )
        if complete:
            await connection.execute(
                "update orders set state = 4, ended_at = now() where id = any($1)", ids
            )


async def measure(rt: Runtime, dsn: str) -> None:
    """Builds the chain, adds what is new, and checks both ways."""
    await ledger_check.extend_chain(rt)
    started = time.perf_counter()
    blocks = await ledger_check.extend_chain(rt) + await ledger_check.extend_chain(rt)
    print(f"{blocks} blocks built in {time.perf_counter() - started:.1f} s")
    connection = await asyncpg.connect(dsn)
    for _ in range(2):
        await round_of_orders(connection, complete=True)
    await connection.execute("vacuum analyze")
    await connection.close()
    for full, name, promised in (
        (True, "full", PROMISED_FULL_S),
        (False, "incremental", PROMISED_INCREMENTAL_S),
    ):
        reports = [await ledger_check.check_ledger(rt, full=full) for _ in range(RUNS)]
        assert all(report.violations == 0 for report in reports), reports[0]
        print(f"runs: {[report.seconds for report in reports]}")
        print(
            f"bench ledger_check_{name} "
            f"{statistics.median(report.seconds for report in reports):.3f} {promised}"
        )


if __name__ == "__main__":
    asyncio.run(main())
