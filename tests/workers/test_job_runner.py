"""Working off jobs: each once, tried again by its schedule, dead in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from tests.support.breakage import break_row, break_writes, fix_writes
from tests.support.desk import DeskOfTest

from numdesk.domain.errors import RequestInProgress, Unavailable
from numdesk.ports.errors import Cause, ProviderError
from numdesk.runtime import Runtime
from numdesk.storage.jobs import queue as rows
from numdesk.usecases.jobs import queue, sweeps
from numdesk.workers.job_runner import LEASE_SLACK_S, JobRunner
from numdesk.workers.jobs import JobKind

LIMIT_S = 0.2


class Work:
    """A use case that fails as often as it is told to, and remembers what it was asked."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.payloads: list[Mapping[str, Any]] = []
        self.together = 0
        self.together_most = 0

    async def __call__(self, rt: Runtime, payload: Mapping[str, Any]) -> None:
        """Fail, or do it."""
        self.payloads.append(payload)
        self.together += 1
        self.together_most = max(self.together, self.together_most)
        await asyncio.sleep(0)
        self.together -= 1
        if self.failures:
            raise self.failures.pop(0)


def runner_of(desk: DeskOfTest, work: Any, *, parallel: int = 4) -> JobRunner:
    """Return a job runner with one kind of job."""
    return JobRunner(
        desk.rt,
        kinds={"work": JobKind(work, (10.0, 10.0), time_limit_s=LIMIT_S, parallel=parallel)},
    )


async def add(desk: DeskOfTest, count: int = 1, **said: str) -> None:
    """Adds jobs that are due, with a number each and what is said."""
    for n in range(count):
        await desk.rt.run(
            "t",
            lambda tx, n=n: rows.add(
                tx, kind="work", payload={"n": n, **said}, run_at=desk.clock.now()
            ),
        )


class TestWorkOff:
    """Everything due is done."""

    async def test_does_each_once_and_so_many_at_a_time(self, desk: DeskOfTest) -> None:
        """More jobs than room are done in turns; done jobs are gone."""
        work = Work()
        await add(desk, 20)
        assert await runner_of(desk, work, parallel=4).run_all_due() == 20
        assert sorted(payload["n"] for payload in work.payloads) == list(range(20))
        assert work.together_most <= 4
        assert await desk.pool.fetchval("select count(*) from jobs") == 0

    async def test_tries_again_by_the_schedule(self, desk: DeskOfTest) -> None:
        """A provider's failure and a refusal put the job back; the third try does it."""
        work = Work(ProviderError(Cause.PROVIDER_UNAVAILABLE, "away"), RequestInProgress())
        await add(desk)
        for tries in range(1, 4):
            await runner_of(desk, work).run_all_due()
            assert len(work.payloads) == tries
            assert await runner_of(desk, work).run_all_due() == 0
            desk.clock.advance(12.1)
        assert await desk.pool.fetchval("select count(*) from jobs") == 0

    async def test_a_poisonous_job_ends_dead(self, desk: DeskOfTest) -> None:
        """After the last try the job is kept with its error, and its neighbours are done
        meanwhile.
        """
        poison = Work(*(ValueError("poison") for _ in range(9)))
        await add(desk)
        for _ in range(5):
            await runner_of(desk, poison).run_all_due()
            desk.clock.advance(60)
        assert len(poison.payloads) == 3
        row = await desk.pool.fetchrow("select dead_at is not null as dead, last_error from jobs")
        assert row is not None
        assert (row["dead"], row["last_error"]) == (True, "ValueError: poison")

    async def test_a_job_that_kills_its_worker_ends_dead(self, desk: DeskOfTest) -> None:
        """Taken again and again without an end, it is not tried once more than its schedule has
        room for.
        """
        work = Work()
        await add(desk)
        await desk.pool.execute("update jobs set attempts = 3")
        await runner_of(desk, work).run_all_due()
        assert work.payloads == []
        assert "never ended" in await desk.pool.fetchval(
            "select last_error from jobs where dead_at is not null"
        )

    async def test_ends_a_try_that_takes_too_long(self, desk: DeskOfTest) -> None:
        """A try that hangs is ended before its lease is, and counts as failed."""

        async def hang(rt: Runtime, payload: Mapping[str, Any]) -> None:
            await asyncio.Event().wait()

        await add(desk)
        await runner_of(desk, hang).run_all_due()
        assert "took longer" in await desk.pool.fetchval("select last_error from jobs")

    async def test_leaves_a_job_whose_lease_was_lost(self, desk: DeskOfTest) -> None:
        """A worker that slept past its lease cannot end the job that somebody else has by then."""

        async def sleep_past_the_lease(rt: Runtime, payload: Mapping[str, Any]) -> None:
            desk.clock.advance(LIMIT_S + LEASE_SLACK_S)
            room = rows.Room(rt.clock.now(), rt.clock.wall(), {"work": (1, 3600.0)}, {})
            taken = await rt.repeat("t", lambda tx: rows.take(tx, room=room))
            assert len(taken) == 1

        await add(desk)
        await runner_of(desk, sleep_past_the_lease).run_all_due()
        assert (
            await desk.pool.fetchval(
                "select count(*) from jobs where lease_until > now() - interval '100 years'"
            )
            == 1
        )


class TestLanes:
    """Each provider has its own slots."""

    async def test_a_provider_that_hangs_takes_no_slot_of_another(self, desk: DeskOfTest) -> None:
        """While one provider's jobs hang, older and more than there are slots, all others are done;
        then its own go on.
        """
        released, others_done, done = asyncio.Event(), asyncio.Event(), []

        async def work(rt: Runtime, payload: Mapping[str, Any]) -> None:
            if payload.get("provider") == "stuck":
                await released.wait()
            done.append(payload.get("provider"))
            if len(done) == 18:
                others_done.set()

        await add(desk, 9, provider="stuck")
        desk.clock.advance(1)
        await add(desk, 9, provider="well")
        await add(desk, 9)
        workers = JobRunner(
            desk.rt, kinds={"work": JobKind(work, (10.0,), time_limit_s=30.0, parallel=4)}
        )
        working = asyncio.create_task(workers.run_all_due())
        async with asyncio.timeout(20):
            await others_done.wait()
        assert (done.count("well"), done.count(None)) == (9, 9)
        released.set()
        assert await working == 27
        assert done.count("stuck") == 9

    async def test_two_pumps_fill_one_room(self, desk: DeskOfTest) -> None:
        """Pumped twice at a time, a job runner takes no more than it has slots."""
        work = Work()
        await add(desk, 20)
        workers = runner_of(desk, work, parallel=4)
        assert sum(await asyncio.gather(workers.pump(), workers.pump())) <= 8
        await workers.run_all_due()
        assert work.together_most <= 4


class TestBrokenRows:
    """A row that cannot be worked with stops no other."""

    @pytest.mark.parametrize(
        "payload",
        ["[1]", '"text"', "null", '{"n": ' + "[" * 3000 + "]" * 3000 + "}"],
        ids=["list", "text", "null", "deep"],
    )
    async def test_one_that_cannot_be_read_is_dead_at_once(
        self, desk: DeskOfTest, payload: str
    ) -> None:
        """It is kept with the reason, and the others are done."""
        work = Work()
        await add(desk, 2)
        await desk.pool.execute(
            "update jobs set payload = $1::text::jsonb where id = (select min(id) from jobs)",
            payload,
        )
        await runner_of(desk, work).run_all_due()
        assert len(work.payloads) == 1
        assert "cannot be read" in await desk.pool.fetchval(
            "select last_error from jobs where dead_at is not null"
        )

    async def test_one_that_cannot_be_taken_is_set_aside_and_named(self, desk: DeskOfTest) -> None:
        """The others of every kind are taken; it is tried again by itself, less and less often, and
        done when its fault is gone.
        """
        work = Work()
        await add(desk, 3)
        broken = await desk.pool.fetchval("select min(id) from jobs")
        await break_row(desk.pool, "jobs", broken)
        assert await runner_of(desk, work).run_all_due() == 2
        for failures in (1, 2):
            (aside,) = await sweeps.every(desk.rt)
            assert (aside.sweep, aside.item, aside.failures) == ("jobs", str(broken), failures)
            assert "is broken" in aside.reason
            assert await runner_of(desk, work).run_all_due() == 0
            desk.clock.advance(61)
            await runner_of(desk, work).run_all_due()
        await fix_writes(desk.pool, "jobs")
        desk.clock.advance(3600)
        assert await runner_of(desk, work).run_all_due() == 1
        assert await sweeps.every(desk.rt) == []

    async def test_one_whose_counter_is_full_is_set_aside(self, desk: DeskOfTest) -> None:
        """Whatever the row lacks room for, the others are taken."""
        work = Work()
        await add(desk, 2)
        await desk.pool.execute(
            "update jobs set attempts = 2147483647 where id = (select min(id) from jobs)"
        )
        assert await runner_of(desk, work).run_all_due() == 1
        assert len(await sweeps.every(desk.rt)) == 1

    async def test_one_that_cannot_be_ended_is_set_aside(self, desk: DeskOfTest) -> None:
        """Done or failed, it does not come back again and again, and what was done beside it is
        ended.
        """
        work = Work()
        await add(desk, 3)
        broken = await desk.pool.fetchval("select min(id) from jobs")
        await desk.pool.execute(
            f"""create function kept() returns trigger language plpgsql as
                $$ begin if old.id = {broken}
                  then raise exception 'row % is kept', old.id; end if; return old; end $$;
                create trigger kept before delete on jobs for each row execute function kept()"""
        )
        await runner_of(desk, work).run_all_due()
        assert [one.item for one in await sweeps.every(desk.rt)] == [str(broken)]
        assert [row[0] for row in await desk.pool.fetch("select id from jobs")] == [broken]

    async def test_one_that_cannot_be_revived_stays_dead(self, desk: DeskOfTest) -> None:
        """All others that were given up are put back."""
        await add(desk, 3)
        await desk.pool.execute("update jobs set dead_at = now()")
        broken = await desk.pool.fetchval("select min(id) from jobs")
        await break_row(desk.pool, "jobs", broken)
        assert await queue.revive(desk.rt, job_id=None) == 2
        assert [
            row[0] for row in await desk.pool.fetch("select id from jobs where dead_at is not null")
        ] == [broken]

    async def test_an_outage_sets_nothing_aside(self, desk: DeskOfTest) -> None:
        """When the database cannot write, the take fails as a whole."""
        await add(desk)
        await break_writes(desk.pool, "jobs", "53100")
        with pytest.raises(Unavailable):
            await runner_of(desk, Work()).pump()
        assert await sweeps.every(desk.rt) == []
