"""The queue's rows: added with the work that wants them, held by one, ended by whoever still holds
the lease."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from numdesk.storage.database.pool import Database
from numdesk.storage.jobs import queue
from numdesk.storage.jobs.queue import Job, Room

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LEASE_S = 30.0


async def add(
    database: Database,
    n: int = 1,
    *,
    kind: str = "work",
    run_at: datetime = NOW,
    unique_key: str | None = None,
) -> None:
    """Adds a job in a transaction of its own."""
    await database.run(
        "t",
        lambda tx: queue.add(tx, kind=kind, payload={"n": n}, run_at=run_at, unique_key=unique_key),
    )


async def take(
    database: Database, *, now: datetime = NOW, wall: datetime = NOW, **limits: int
) -> list[Job]:
    """Takes jobs of the kinds named, so many of each."""
    room = Room(
        now, wall, {kind: (limit, LEASE_S) for kind, limit in (limits or {"work": 10}).items()}, {}
    )
    return await database.repeat("t", lambda tx: queue.take(tx, room=room))


class TestAdd:
    """Adding belongs to the caller's transaction."""

    async def test_is_undone_with_it(self, database: Database) -> None:
        """A job of a transaction that was rolled back does not exist."""

        async def change_our_mind() -> None:
            async with database.transaction("t") as tx:
                await queue.add(tx, kind="work", payload={}, run_at=NOW)
                raise RuntimeError("changed our mind")

        with pytest.raises(RuntimeError):
            await change_our_mind()
        assert await take(database) == []

    async def test_keeps_one_of_a_unique_key(self, database: Database) -> None:
        """The same work asked for twice is done once, and may be asked for again when it is
        done."""
        for _ in range(2):
            await add(database, unique_key="only")
        (job,) = await take(database)
        await database.run("t", lambda tx: queue.finish(tx, jobs=[(job.id, job.lease_no)]))
        await add(database, unique_key="only")
        assert len(await take(database)) == 1


class TestTake:
    """What is due is taken, once, for as long as the lease."""

    async def test_in_the_order_of_time(self, database: Database) -> None:
        """The longest due comes first; what is not due yet stays."""
        await add(database, 1, run_at=NOW)
        await add(database, 2, run_at=NOW - timedelta(hours=1))
        await add(database, 3, run_at=NOW + timedelta(seconds=1))
        assert [json.loads(job.payload)["n"] for job in await take(database, work=1)] == [2]
        assert [json.loads(job.payload)["n"] for job in await take(database)] == [1]
        assert await take(database) == []

    async def test_each_kind_has_its_own_room(self, database: Database) -> None:
        """A thousand of one kind do not stand before the one of another."""
        for n in range(20):
            await add(database, n, run_at=NOW - timedelta(days=1))
        await add(database, kind="rare")
        kinds = [job.kind for job in await take(database, work=3, rare=3)]
        assert sorted(kinds) == ["rare", "work", "work", "work"]

    async def test_an_expired_lease_is_free(self, database: Database) -> None:
        """The lease runs in real time.

        When it is over somebody else takes the job, with a higher number.
        """
        await add(database)
        (first,) = await take(database)
        assert await take(database, now=NOW + timedelta(days=1)) == []
        (second,) = await take(database, wall=NOW + timedelta(seconds=LEASE_S))
        assert (second.id, second.attempts) == (first.id, 2)
        assert second.lease_no > first.lease_no


class TestFencing:
    """Whoever lost the lease cannot end the job in any way."""

    async def test_refuses_every_end(self, database: Database) -> None:
        """Finish, postpone and bury of the former holder change nothing.

        Those of the present one count.
        """
        await add(database)
        (lost,) = await take(database)
        (held,) = await take(database, wall=NOW + timedelta(seconds=LEASE_S))
        assert (
            await database.run("t", lambda tx: queue.finish(tx, jobs=[(lost.id, lost.lease_no)]))
            == set()
        )
        assert not await database.run(
            "t", lambda tx: queue.postpone(tx, job=lost, run_at=NOW, error="x")
        )
        assert not await database.run("t", lambda tx: queue.bury(tx, job=lost, now=NOW, error="x"))
        assert await database.run(
            "t", lambda tx: queue.finish(tx, jobs=[(held.id, held.lease_no)])
        ) == {held.id}

    async def test_refuses_the_same_word_twice(self, database: Database) -> None:
        """A postponement that is repeated after a lost connection does not move the job again."""
        await add(database)
        (job,) = await take(database)
        assert await database.run(
            "t", lambda tx: queue.postpone(tx, job=job, run_at=NOW, error="x")
        )
        assert not await database.run(
            "t", lambda tx: queue.postpone(tx, job=job, run_at=NOW + timedelta(days=9), error="y")
        )
        assert len(await take(database)) == 1


class TestBury:
    """A dead job is kept."""

    async def test_keeps_the_error_and_is_never_taken(self, database: Database) -> None:
        """Its error stays to be read, cut to a bound and without what the database cannot hold."""
        await add(database, unique_key="only")
        (job,) = await take(database)
        await database.run(
            "t", lambda tx: queue.bury(tx, job=job, now=NOW, error="\0" + "why" * 5000)
        )
        assert await take(database, wall=NOW + timedelta(days=9)) == []
        async with database.transaction("t") as tx:
            row = await tx.fetchrow("select dead_at, last_error from jobs")
        assert row is not None
        assert (row["dead_at"], row["last_error"]) == (NOW, ("why" * 5000)[: queue.ERROR_CHARS_MAX])
        await add(database, unique_key="only")
        assert len(await take(database)) == 1
