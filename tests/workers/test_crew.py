"""Working off jobs: each once, tried again by its schedule, dead in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from tests.support.desk import DeskOfTest

from numdesk.domain.errors import RequestInProgress
from numdesk.ports.errors import Cause, ProviderError
from numdesk.runtime import Runtime
from numdesk.storage import jobs as rows
from numdesk.workers.crew import LEASE_SLACK_S, Crew
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


def crew(desk: DeskOfTest, work: Any, *, parallel: int = 4) -> Crew:
    """Returns a crew that knows one kind of job."""
    return Crew(desk.rt, kinds={"work": JobKind(work, (10.0, 10.0), time_limit_s=LIMIT_S, parallel=parallel)})


async def add(desk: DeskOfTest, count: int = 1) -> None:
    """Adds jobs that are due."""
    for n in range(count):
        await desk.rt.run("t", lambda tx, n=n: rows.add(tx, kind="work", payload={"n": n}, run_at=desk.clock.now()))


class TestWorkOff:
    """Everything due is done."""

    async def test_does_each_once_and_so_many_at_a_time(self, desk: DeskOfTest) -> None:
        """More jobs than room are done in turns; done jobs are gone."""
        work = Work()
        await add(desk, 20)
        assert await crew(desk, work, parallel=4).work_off() == 20
        assert sorted(payload["n"] for payload in work.payloads) == list(range(20))
        assert work.together_most <= 4
        assert await desk.pool.fetchval("select count(*) from jobs") == 0

    async def test_tries_again_by_the_schedule(self, desk: DeskOfTest) -> None:
        """A provider's failure and a refusal put the job back; the third try does it."""
        work = Work(ProviderError(Cause.PROVIDER_UNAVAILABLE, "away"), RequestInProgress())
        await add(desk)
        for tries in range(1, 4):
            await crew(desk, work).work_off()
            assert len(work.payloads) == tries
            assert await crew(desk, work).work_off() == 0
            desk.clock.advance(12.1)
        assert await desk.pool.fetchval("select count(*) from jobs") == 0

    async def test_a_poisonous_job_ends_dead(self, desk: DeskOfTest) -> None:
        """After the last try the job is kept with its error, and its neighbours are done meanwhile."""
        poison = Work(*(ValueError("poison") for _ in range(9)))
        await add(desk)
        for _ in range(5):
            await crew(desk, poison).work_off()
            desk.clock.advance(60)
        assert len(poison.payloads) == 3
        row = await desk.pool.fetchrow("select dead_at is not null as dead, last_error from jobs")
        assert row is not None
        assert (row["dead"], row["last_error"]) == (True, "ValueError: poison")

    async def test_a_job_that_kills_its_worker_ends_dead(self, desk: DeskOfTest) -> None:
        """Taken again and again without an end, it is not tried once more than its schedule has room for."""
        work = Work()
        await add(desk)
        await desk.pool.execute("update jobs set attempts = 3")
        await crew(desk, work).work_off()
        assert work.payloads == []
        assert "never ended" in await desk.pool.fetchval("select last_error from jobs where dead_at is not null")

    async def test_ends_a_try_that_takes_too_long(self, desk: DeskOfTest) -> None:
        """A try that hangs is ended before its lease is, and counts as failed."""

        async def hang(rt: Runtime, payload: Mapping[str, Any]) -> None:
            await asyncio.Event().wait()

        await add(desk)
        await crew(desk, hang).work_off()
        assert "took longer" in await desk.pool.fetchval("select last_error from jobs")

    async def test_leaves_a_job_whose_lease_was_lost(self, desk: DeskOfTest) -> None:
        """A worker that slept past its lease cannot end the job that somebody else has by then."""

        async def sleep_past_the_lease(rt: Runtime, payload: Mapping[str, Any]) -> None:
            desk.clock.advance(LIMIT_S + LEASE_SLACK_S)
            taken = await rt.repeat("t", lambda tx: rows.take(tx, now=rt.clock.now(), wall=rt.clock.wall(), rooms={"work": (1, 3600.0)}))
            assert len(taken) == 1

        await add(desk)
        await crew(desk, sleep_past_the_lease).work_off()
        assert await desk.pool.fetchval("select count(*) from jobs where lease_until > now() - interval '100 years'") == 1
