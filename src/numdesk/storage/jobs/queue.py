"""The queue: work is added in the transaction that wants it, taken under a lease, and ended by
whoever still holds the lease."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from numdesk.storage.database.pool import Tx

#: How much of an error is kept with a job.
ERROR_CHARS_MAX = 2000
#: Under this name the commands look for jobs that were set aside.
SWEEP = "jobs"


@dataclass(frozen=True, slots=True)
class Job:
    """A job that was taken: `attempts` counts this one, `lease_no` is the proof that it is still
    ours.

    `lane` is the provider that it asks, or empty; `payload` is JSON text.
    """

    id: int
    kind: str
    lane: str
    payload: str
    attempts: int
    lease_no: int


@dataclass(frozen=True, slots=True)
class Room:
    """The number of jobs to take at `now`, with leases in the real time `wall`.

    `kinds` says for each kind how many of a lane may be under way and for how many seconds each is
    leased, `busy` how many of a (kind, lane) are under way.
    """

    now: datetime
    wall: datetime
    kinds: Mapping[str, tuple[int, float]]
    busy: Mapping[tuple[str, str], int]

    def columns(self) -> tuple[object, ...]:
        """Return the arguments of the commands."""
        return (
            self.now,
            self.wall,
            list(self.kinds),
            [size for size, _ in self.kinds.values()],
            [timedelta(seconds=lease_s) for _, lease_s in self.kinds.values()],
            [kind for kind, _ in self.busy],
            [lane for _, lane in self.busy],
            list(self.busy.values()),
        )


@dataclass(frozen=True, slots=True)
class JobLine:
    """A job as the operator sees it; the payload is JSON text."""

    id: int
    kind: str
    payload: str
    run_at: datetime
    attempts: int
    dead_at: datetime | None
    last_error: str | None


async def add(
    tx: Tx,
    *,
    kind: str,
    payload: Mapping[str, Any],
    run_at: datetime,
    unique_key: str | None = None,
) -> None:
    """Add a job to the caller's transaction.

    One with the same kind and unique key that is still waiting stays the only one.

    A job that asks a provider names it in its payload as `provider`: that is its lane.
    """
    await tx.execute(
        """insert into jobs (kind, payload, run_at, unique_key) values ($1, $2, $3, $4)
           on conflict (kind, unique_key) where unique_key is not null and dead_at is null
             do nothing""",
        kind,
        msgspec.json.encode(payload).decode(),
        run_at,
        unique_key,
    )


async def take(tx: Tx, *, room: Room, only: Sequence[int] | None = None) -> list[Job]:
    """Take due jobs as far as there is room; of those named only, if any are."""
    rows = await tx.fetch(
        "select id, kind, lane, payload, attempts, lease_no from take_jobs_v2($1, $2, $3, $4, $5, "
        "$6, $7, $8, $9) order by id",
        *room.columns(),
        only,
    )
    return [Job(*row) for row in rows]


async def due(tx: Tx, *, room: Room) -> list[int]:
    """Return the jobs that `take` would take."""
    rows = await tx.fetch(
        "select id from due_jobs_v1($1, $2, $3, $4, $5, $6, $7, $8, null) order by id",
        *room.columns(),
    )
    return [row["id"] for row in rows]


async def finish(tx: Tx, *, jobs: list[tuple[int, int]]) -> set[int]:
    """Delete finished jobs, given as (id, lease number), and return the ids of those whose lease
    was still held."""
    rows = await tx.fetch(
        """delete from jobs j using unnest($1::bigint[], $2::int[]) as f (id, lease_no)
           where j.id = f.id and j.lease_no = f.lease_no and j.dead_at is null returning j.id""",
        [job for job, _ in jobs],
        [lease_no for _, lease_no in jobs],
    )
    return {row["id"] for row in rows}


async def postpone(tx: Tx, *, job: Job, run_at: datetime, error: str) -> bool:
    """Give a job back to be taken again at `run_at`; say whether its lease was still held."""
    return await _give_back(tx, job, error, run_at=run_at, dead_at=None)


async def bury(tx: Tx, *, job: Job, now: datetime, error: str) -> bool:
    """Mark a job dead, with its error, to be looked at by a person.

    Say whether its lease was still held.
    """
    return await _give_back(tx, job, error, run_at=None, dead_at=now)


async def listed(tx: Tx, *, dead: bool, limit: int) -> list[JobLine]:
    """Return jobs, those due longest first; with `dead` only those that were given up."""
    rows = await tx.fetch(
        """select id, kind, payload::text as payload, run_at, attempts, dead_at, last_error
            from jobs
             where dead_at is not null or not $1 order by run_at, id limit $2""",
        dead,
        limit,
    )
    return [JobLine(**row) for row in rows]


async def revive(tx: Tx, *, job_id: int | None, now: datetime, limit: int) -> int:
    """Put back one dead job, or (with None) up to `limit`, as if never tried, and return how many.

    One whose unique key a living job has, or an older dead one that is put back with it, stays
    dead.
    """
    rows = await tx.fetch(
        """update jobs set dead_at = null, run_at = $2, attempts = 0, lease_until = null,
            lease_no = lease_no + 1
             where dead_at is not null and id in (
               select min(d.id) from jobs d where d.dead_at is not null and ($1::bigint is null
                 or d.id = $1)
                  and not exists (select from jobs w where w.kind = d.kind
                    and w.unique_key = d.unique_key and w.dead_at is null)
                  group by d.kind, coalesce(d.unique_key, d.id::text), d.unique_key is null
                    order by 1 limit $3)
             returning id""",
        job_id,
        now,
        limit,
    )
    return len(rows)


async def _give_back(
    tx: Tx, job: Job, error: str, *, run_at: datetime | None, dead_at: datetime | None
) -> bool:
    """End the lease of a job that failed; say whether it was still held.

    Without `run_at` the job stays due as it was.
    """
    given = await tx.fetchval(
        """update jobs set run_at = coalesce($3, run_at), dead_at = $4, last_error = $5,
            lease_until = null, lease_no = lease_no + 1
           where id = $1 and lease_no = $2 and dead_at is null returning true""",
        job.id,
        job.lease_no,
        run_at,
        dead_at,
        _clean(error),
    )
    return given is True


def _clean(error: str) -> str:
    """Return what PostgreSQL can hold of an error's text."""
    return error.replace("\0", "")[:ERROR_CHARS_MAX]
