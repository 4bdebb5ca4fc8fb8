"""The ledger's proof of itself: the chain loses nothing, and whatever is tampered with is found and
named."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import LiteralString, cast

import asyncpg
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs
from tests.support.ledger import NOW, assert_clean, funded_wallet, runtime_on
from tests.support.orders import insert_order

from numdesk.domain.errors import Unavailable
from numdesk.domain.ledger import chart
from numdesk.domain.ledger.journals import Report
from numdesk.runtime import Runtime
from numdesk.storage.database.cluster import binaries
from numdesk.storage.database.pool import Database, Tx
from numdesk.storage.ledger import check as ledger_check
from numdesk.storage.ledger import journals
from numdesk.storage.orders import check as order_check
from numdesk.usecases import ledger_check as usecase_ledger_check


async def book(database: Database, count: int, *, start: int = 0) -> None:
    """Books this many credits, one journal and two entries each."""
    for number in range(start, start + count):
        journal = chart.adjustment(customer_id=1, currency="IDR", units=10, ref=f"b{number}")
        await database.run("test", lambda tx, journal=journal: journals.apply(tx, journal, now=NOW))


async def seal(rt: Runtime) -> int:
    """Looks anew, as a fresh process would, and ticks until all that was seen is in blocks.

    Returns how many were added.

    It may take some ticks: transactions of the other tests on the same server are waited for as
    well.
    """
    usecase_ledger_check.PROGRESS.of(rt).sight = None
    added = await usecase_ledger_check.extend_chain(rt)
    progress = usecase_ledger_check.PROGRESS.of(rt)
    sight = progress.sight
    while progress.sight is sight:
        added += await usecase_ledger_check.extend_chain(rt)
    return added


@asynccontextmanager
async def unguarded(pool: asyncpg.Pool) -> AsyncIterator[Tx]:
    """Yields a connection on which no trigger fires, as a superuser can have it."""
    async with pool.acquire() as connection:
        await connection.execute("set session_replication_role = replica")
        yield cast("Tx", connection)
        await connection.execute("set session_replication_role = default")


def broken(report: Report) -> dict[str, tuple[str, ...]]:
    """Returns the rules that were broken, with what was named."""
    return {name: check.examples for name, check in report.checks.items() if check.violations}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes blocks so small that a handful of entries fills some, and lets each tick build a
    partial one."""
    monkeypatch.setattr(ledger_check, "BLOCK_SIZE", 5)
    monkeypatch.setattr(usecase_ledger_check, "PARTIAL_BLOCK_EVERY_S", 0)


@pytest.fixture
async def rt(database: Database) -> Runtime:
    """A runtime on a ledger with twelve credits (24 entries), all of them in blocks."""
    await funded_wallet(database)
    await book(database, 12)
    runtime = runtime_on(database)
    assert await seal(runtime) == 5
    return runtime


class TestExtendChain:
    async def test_puts_every_entry_into_one_block(self, rt: Runtime, pool: asyncpg.Pool) -> None:
        """Blocks follow each other without gap, the last may be short, and the rollups are the sums
        of what is in them."""
        blocks = await pool.fetch(
            "select number, last_entry_id, entries from ledger_blocks order by number"
        )
        assert [tuple(block) for block in blocks] == [
            (1, 5, 5),
            (2, 10, 5),
            (3, 15, 5),
            (4, 20, 5),
            (5, 24, 4),
        ]
        assert await pool.fetchval("select sum(balance) from ledger_rollups") == 0
        report = await assert_clean(rt)
        assert (report.block, len(report.block_hash)) == (5, 64)

    async def test_has_nothing_to_do_twice(self, rt: Runtime) -> None:
        """Without new entries there are no new blocks."""
        assert await seal(rt) == 0

    async def test_builds_full_blocks_only_between_minutes(
        self, rt: Runtime, monkeypatch: pytest.MonkeyPatch, database: Database
    ) -> None:
        """A block that is not full waits for its minute, so an idle desk makes few."""
        await book(database, 3, start=50)
        monkeypatch.setattr(usecase_ledger_check, "PARTIAL_BLOCK_EVERY_S", float("inf"))
        assert await seal(rt) == 1
        monkeypatch.setattr(usecase_ledger_check, "PARTIAL_BLOCK_EVERY_S", 0)
        assert await seal(rt) == 1

    @pytest.mark.parametrize("elder", [False, True])
    async def test_waits_for_a_slow_transaction(
        self, database: Database, pool: asyncpg.Pool, elder: bool
    ) -> None:
        """Entries of a transaction that is slow to commit are not left out, although younger
        entries are long committed.

        With `elder`, the younger entries belong to a transaction that began before the slow one and
        ended after it drew its ids: the slow one then lies above the newest ended transaction,
        where the upper bound of a snapshot does not see it.
        """
        await funded_wallet(database, customer_id=1)
        await funded_wallet(database, customer_id=2)
        rt = runtime_on(database)
        slow_journal = chart.adjustment(customer_id=2, currency="IDR", units=10, ref="slow")
        quick_journal = chart.adjustment(customer_id=1, currency="IDR", units=10, ref="quick")
        await pool.execute("select system_account_v1('funding', 'manual', 'IDR')")
        async with pool.acquire() as quick, pool.acquire() as slow:
            quick_transaction, slow_transaction = quick.transaction(), slow.transaction()
            await quick_transaction.start()
            if elder:
                await quick.fetchval("select pg_current_xact_id()")
            await slow_transaction.start()
            await journals.apply(cast("Tx", slow), slow_journal, now=NOW)
            await journals.apply(cast("Tx", quick), quick_journal, now=NOW)
            await quick_transaction.commit()

            assert [await usecase_ledger_check.extend_chain(rt) for _ in range(3)] == [0, 0, 0]
            await slow_transaction.commit()

        await seal(rt)
        assert await pool.fetchval("select sum(entries) from ledger_blocks") == 4
        await assert_clean(rt)

    async def test_is_done_by_one_at_a_time(
        self, rt: Runtime, database: Database, pool: asyncpg.Pool
    ) -> None:
        """While another process builds, this one leaves it alone and loses nothing by it."""
        await book(database, 5, start=50)
        await usecase_ledger_check.extend_chain(rt)
        async with pool.acquire() as other, other.transaction():
            await other.execute("select pg_advisory_xact_lock(hashtext('numdesk ledger chain'))")
            assert await usecase_ledger_check.extend_chain(rt) == 0
        assert await seal(rt) == 2
        await assert_clean(rt)

    async def test_takes_turns_with_other_processes(self, rt: Runtime, database: Database) -> None:
        """Two processes that extend in turns make one chain."""
        other = runtime_on(database)
        for turn in range(6):
            await book(database, 2, start=100 + turn * 10)
            await usecase_ledger_check.extend_chain(rt if turn % 2 else other)
        await seal(other)
        await assert_clean(rt)


class TestRestore:
    async def test_goes_on_with_the_chain(
        self, rt: Runtime, database_url: str, empty_database_url: str
    ) -> None:
        """A dump restored elsewhere verifies and goes on growing: nothing in it depends on the
        server it came from."""
        dump = await asyncio.to_thread(
            subprocess.run,
            [str(binaries() / "pg_dump"), database_url],
            capture_output=True,
            text=True,
            check=True,
        )
        await asyncio.to_thread(
            subprocess.run,
            [str(binaries() / "psql"), "-q", "-v", "ON_ERROR_STOP=1", empty_database_url],
            input=dump.stdout,
            capture_output=True,
            text=True,
            check=True,
        )
        restored = await Database.open(empty_database_url)
        assert (await assert_clean(restored)).block == 5
        await book(restored, 5, start=50)
        assert await seal(runtime_on(restored)) == 2
        await assert_clean(restored)
        await restored.close()


class TestTampering:
    @pytest.mark.parametrize(("statement", "rule", "named"), [
        ("update entries set amount = amount + 5 where id = 7", "chain_verifies", "block 2 (entries 6 to 10)"),
        ("update entries set amount = amount + 5 where id = 7", "transfers_have_two_entries", "transfer 4"),
        ("update entries set account_id = 99 where id = 8", "accounts_exist", "account 99"),
        ("delete from entries where id = 7", "chain_verifies", "block 2 (entries 6 to 10): 4 entries, 5 were recorded"),
        ("delete from entries where id = 7", "transfers_have_two_entries", "transfer 4: has 1 entries"),
        ("delete from entries where transfer_id = 4", "transfers_have_two_entries", "transfer 4: has 0 entries"),
        ("insert into entries (id, transfer_id, account_id, amount) overriding system value values (-3, 4, 1, 9)",
         "transfers_have_two_entries", "transfer 4: has 3 entries"),
        ("update journals set ref = 'other' where id = 4", "chain_verifies", "block 2"),
        ("update journals set at = at + interval '1 us' where id = 4", "chain_verifies", "block 2"),
        ("update transfers set amount = 11 where id = 4", "transfers_have_two_entries", "transfer 4: its entries say otherwise"),
        ("update transfers set amount = 11 where id = 4", "chain_verifies", "block 2"),
        ("update transfers set journal_id = 999 where id = 4", "transfers_have_a_journal", "transfer 4: journal 999"),
        ("update transfers set currency = 'EUR' where id = 4", "transfers_keep_to_one_currency", "transfer 4"),
        ("delete from transfers where id = 4", "transfers_have_two_entries", "transfer 4: does not exist"),
        ("update accounts set owner = 77 where kind = 'wallet'", "chain_verifies", "block 1"),
        ("update accounts set balance = balance + 1 where kind = 'wallet'", "balances_equal_entries", "account 1 (wallet/1 IDR)"),
        ("update accounts set balance = 1 where not live", "balances_equal_entries", "the balance is 1"),
        ("update accounts set held = 3 where kind = 'wallet'", "held_equals_open_holds", "3 is held"),
        ("update accounts set lines = lines + 1 where kind = 'wallet'", "histories_count_their_journals", "customer 1:"),
        ("update ledger_rollups set balance = balance + 1 where balance > 0", "rollups_equal_entries", "the rollup is"),
        ("update ledger_blocks set hash = sha256('x') where number = 3", "chain_verifies", "block 3"),
        ("delete from ledger_blocks where number = 3", "chain_verifies", "block 3: it or the one before it is missing"),
    ])  # fmt: skip
    async def test_is_found_and_named(
        self, rt: Runtime, pool: asyncpg.Pool, statement: LiteralString, rule: str, named: str
    ) -> None:
        """Whatever a superuser changes behind the triggers, a full check names the rule and the
        place."""
        async with unguarded(pool) as connection:
            await connection.execute(statement)
        found = broken(await usecase_ledger_check.check_ledger(rt, full=True))
        assert any(named in example for example in found.get(rule, ())), found

    async def test_of_a_whole_consistent_journal_is_found_by_the_chain(
        self, rt: Runtime, pool: asyncpg.Pool
    ) -> None:
        """Who changes a transfer, its entries, the balance and the rollup all alike, still has the
        chain against them."""
        async with unguarded(pool) as connection:
            await connection.execute("update transfers set amount = 15 where id = 4")
            await connection.execute(
                "update entries set amount = case when amount < 0 then -15 else 15 end where "
                "transfer_id = 4"
            )
            await connection.execute(
                "update accounts set balance = balance + 5 where kind = 'wallet'"
            )
            await connection.execute(
                "update ledger_rollups set balance = balance + case when balance < 0 then -5 else "
                "5 end"
            )
        assert list(broken(await usecase_ledger_check.check_ledger(rt, full=True))) == [
            "chain_verifies"
        ]

    async def test_of_what_is_new_is_found_by_an_incremental_check(
        self, rt: Runtime, database: Database, pool: asyncpg.Pool
    ) -> None:
        """The check of every minute sees what happened since the last block."""
        await book(database, 3, start=50)
        async with unguarded(pool) as connection:
            await connection.execute("delete from entries where id = 28")
        found = broken(await usecase_ledger_check.check_ledger(rt, full=False))
        assert found["transfers_have_two_entries"] == ("transfer 14: has 1 entries",)
        assert "currencies_sum_to_zero" in found
        assert found["journals_sum_to_zero"][0].startswith("journal 14: sums to ")

    async def test_is_not_seen_where_a_block_parts_a_transfer(
        self, rt: Runtime, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A transfer with one entry in the last block and one after it is whole, and an incremental
        check knows."""
        monkeypatch.setattr(usecase_ledger_check, "PARTIAL_BLOCK_EVERY_S", float("inf"))
        await book(database, 3, start=50)
        assert await seal(rt) == 1
        report = await usecase_ledger_check.check_ledger(rt, full=False)
        assert report.checks["transfers_have_two_entries"].checked == 1
        assert broken(report) == {}


class TestOrders:
    @pytest.mark.parametrize(("statement", "rule"), [
        ("update holds set amount = 99", "open_orders_match_holds"),
        ("update holds set state = 2, ended_at = now()", "open_orders_match_holds"),
        ("delete from holds", "open_orders_match_holds"),
        ("delete from orders", "open_orders_match_holds"),
        ("update orders set state = 5, ended_at = now()", "orders_match_holds"),
        ("update orders set state = 2", "open_orders_match_holds"),
        ("update orders set number_id = 1", "open_orders_own_their_numbers"),
        ("insert into numbers (msisdn, country_id, rnd, state, order_id) values (6281, 1, 1, 1, 1)", "taken_numbers_belong_to_open_orders"),
        ("update holds set state = 1, ended_at = now(), journal_id = 1", "posted_holds_have_their_journal"),
    ])  # fmt: skip
    async def test_that_disagree_with_their_holds_are_named(
        self, database: Database, pool: asyncpg.Pool, statement: LiteralString, rule: str
    ) -> None:
        """An order and its money cannot go separate ways unseen."""
        wallet_id = await funded_wallet(database, units=900)
        await insert_order(pool, customer_id=1, wallet_id=wallet_id, price=100)
        await assert_clean(database)
        async with unguarded(pool) as connection:
            await connection.execute(statement)
        found = broken(await usecase_ledger_check.check_ledger(runtime_on(database), full=True))
        assert rule in found
        assert found[rule][0]


class TestTick:
    async def test_checks_when_it_is_time_and_makes_the_result_known(
        self, rt: Runtime, pool: asyncpg.Pool
    ) -> None:
        """The first full tick checks in full, the next has nothing to do.

        The report is in memory and in the database.
        """
        with capture_logs() as lines:
            report = await usecase_ledger_check.tick_full(rt)
        assert report is not None
        assert report.full
        assert lines[-1]["block_hash"] == report.block_hash
        assert report.violations == 0
        assert usecase_ledger_check.last_report(rt) == report
        assert await usecase_ledger_check.tick_full(rt) is None
        assert (
            await pool.fetchval("select report->>'ok' from ledger_checks where scope = 'full'")
            == "true"
        )

    async def test_checks_what_is_new_although_the_full_check_fails(
        self, rt: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A full check that fails is tried again and takes nothing from the incremental one, which
        keeps its own time."""

        async def broken_down(tx: Tx) -> None:
            raise TimeoutError

        monkeypatch.setattr(order_check, "check_all_orders", broken_down)
        for _ in range(2):
            with pytest.raises(Unavailable):
                await usecase_ledger_check.tick_full(rt)
        report = await usecase_ledger_check.tick(rt)
        assert report is not None
        assert not report.full
        assert await usecase_ledger_check.tick(rt) is None
        monkeypatch.undo()
        assert await usecase_ledger_check.tick_full(rt) is not None

    async def test_says_loudly_what_is_wrong(self, rt: Runtime, pool: asyncpg.Pool) -> None:
        """A broken rule is an error in the log with its name and the place."""
        async with unguarded(pool) as connection:
            await connection.execute(
                "update accounts set balance = balance + 1 where kind = 'wallet'"
            )
        with capture_logs() as lines:
            report = await usecase_ledger_check.tick(rt)
        assert report is not None
        assert report.violations == 1
        (line,) = [line for line in lines if line["log_level"] == "error"]
        assert (line["rule"], line["violations"]) == ("balances_equal_entries", 1)
        assert "account 1" in "; ".join(line["examples"])


class TestKeepReport:
    async def test_lets_what_a_full_check_found_stand_until_the_next_one(
        self, rt: Runtime, pool: asyncpg.Pool
    ) -> None:
        """A check of what is new says nothing of what lies further back, in this process and in any
        other; a full one does."""
        async with unguarded(pool) as connection:
            await connection.execute("update journals set at = at + interval '1 us' where id = 4")
        assert broken(
            await usecase_ledger_check.keep_report(
                rt, await usecase_ledger_check.check_ledger(rt, full=True)
            )
        )
        assert broken(await usecase_ledger_check.check_ledger(rt, full=False)) == {}
        for process in (rt, runtime_on(rt.database)):
            report = await usecase_ledger_check.tick(process)
            assert report is not None
            assert list(broken(report)) == ["chain_verifies"]
            assert usecase_ledger_check.last_report(process) == report
        async with unguarded(pool) as connection:
            await connection.execute("update journals set at = at - interval '1 us' where id = 4")
        assert (
            broken(
                await usecase_ledger_check.keep_report(
                    rt, await usecase_ledger_check.check_ledger(rt, full=True)
                )
            )
            == {}
        )

    async def test_lets_what_is_new_stand_when_it_has_gone_into_a_block(
        self, rt: Runtime, database: Database, pool: asyncpg.Pool
    ) -> None:
        """What the check of one minute found is not forgotten by that of the next, which begins
        behind it."""
        await book(database, 1, start=50)
        async with unguarded(pool) as connection:
            await connection.execute(
                "update transfers set journal_id = 999 where id = (select max(id) from transfers)"
            )
        assert "transfers_have_a_journal" in broken(
            await usecase_ledger_check.keep_report(
                rt, await usecase_ledger_check.check_ledger(rt, full=False)
            )
        )
        await seal(rt)
        assert broken(await usecase_ledger_check.check_ledger(rt, full=False)) == {}
        assert "transfers_have_a_journal" in broken(
            await usecase_ledger_check.keep_report(
                rt, await usecase_ledger_check.check_ledger(rt, full=False)
            )
        )

    async def test_takes_back_what_every_check_looks_at_as_a_whole(
        self, rt: Runtime, pool: asyncpg.Pool
    ) -> None:
        """What is held is compared for every account each minute: once it is right again, that is
        said at once."""
        async with unguarded(pool) as connection:
            await connection.execute("update accounts set held = 3 where kind = 'wallet'")
        assert broken(
            await usecase_ledger_check.keep_report(
                rt, await usecase_ledger_check.check_ledger(rt, full=True)
            )
        )
        async with unguarded(pool) as connection:
            await connection.execute("update accounts set held = 0 where kind = 'wallet'")
        assert (
            broken(
                await usecase_ledger_check.keep_report(
                    rt, await usecase_ledger_check.check_ledger(rt, full=False)
                )
            )
            == {}
        )

    async def test_does_not_believe_a_full_check_of_an_earlier_moment(
        self, rt: Runtime, database: Database, pool: asyncpg.Pool
    ) -> None:
        """A full check that takes long and saw less than the one that found something does not
        clear it."""
        earlier = await usecase_ledger_check.check_ledger(rt, full=True)
        await book(database, 1, start=50)
        async with unguarded(pool) as connection:
            await connection.execute(
                "update transfers set journal_id = 999 where id = (select max(id) from transfers)"
            )
        await usecase_ledger_check.keep_report(
            rt, await usecase_ledger_check.check_ledger(rt, full=False)
        )
        assert broken(await usecase_ledger_check.keep_report(rt, earlier))


class TestLearnReport:
    def gauges(self) -> tuple[float | None, float | None]:
        """Returns what /metrics says of imbalance and age."""
        return REGISTRY.get_sample_value("numdesk_ledger_imbalance"), REGISTRY.get_sample_value(
            "numdesk_ledger_check_age_seconds"
        )

    async def test_tells_a_process_what_another_one_found(
        self, rt: Runtime, database: Database, pool: asyncpg.Pool
    ) -> None:
        """A door that never checks knows the violations and the age of the worker's last check."""
        async with unguarded(pool) as connection:
            await connection.execute(
                "update accounts set balance = balance + 1 where kind = 'wallet'"
            )
        found = await usecase_ledger_check.tick(rt)
        await pool.execute(
            "update ledger_checks set report = report || jsonb_build_object('at', at - interval "
            "'5 minutes')"
        )
        door = runtime_on(database)
        assert usecase_ledger_check.last_report(door) is None
        await usecase_ledger_check.learn_report(door)
        learnt = usecase_ledger_check.last_report(door)
        assert found is not None
        assert learnt is not None
        assert (learnt.checks, learnt.block_hash) == (found.checks, found.block_hash)
        imbalance, age_s = self.gauges()
        assert imbalance == 1
        assert age_s == pytest.approx(300, abs=30)

    async def test_keeps_what_is_newer(self, rt: Runtime) -> None:
        """A process that checks for itself is not taken back to what it wrote down before."""
        report = await usecase_ledger_check.tick(rt)
        await usecase_ledger_check.learn_report(rt)
        assert usecase_ledger_check.last_report(rt) is report

    async def test_lets_the_age_grow_where_nobody_ever_checked(
        self, rt: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A desk without a worker shows an age that an alarm will notice, not 0 for ever."""
        door = runtime_on(rt.database)
        await usecase_ledger_check.learn_report(door)
        usecase_ledger_check.PROGRESS.of(door).began -= 1000
        await usecase_ledger_check.learn_report(door)
        _, age_s = self.gauges()
        assert age_s is not None
        assert age_s >= 1000
