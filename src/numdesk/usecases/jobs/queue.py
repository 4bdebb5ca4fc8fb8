"""The queue as its workers see it: take due jobs, record their results."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import msgspec
from prometheus_client import Counter

from numdesk.domain.errors import Unavailable
from numdesk.domain.webhooks import next_attempt
from numdesk.kit.log import get_logger
from numdesk.runtime import Batch, Runtime
from numdesk.storage.jobs import queue as rows
from numdesk.storage.jobs.queue import Job, JobLine, Room
from numdesk.usecases.jobs import sweeps

__all__ = ["Job", "JobLine", "every", "fail", "finish", "payload_of", "revive", "take"]

Done = TypeVar("Done")

#: Finished jobs deleted by one command.
FINISH_BATCH = 100
#: Jobs shown by one list.
PAGE_MAX = 1000
#: Dead jobs put back by one transaction.
REVIVE_BATCH = 1000

_log = get_logger(__name__, "attempts", "job_id", "kind")
_jobs = Counter("numdesk_jobs_total", "Jobs worked on, by how it went", ["kind", "result"])


async def take(
    rt: Runtime,
    *,
    kinds: Mapping[str, tuple[int, float]],
    busy: Mapping[tuple[str, str], int] | None = None,
) -> list[Job]:
    """Take due jobs under a lease. One that cannot be taken is set aside, and the others are taken.

    `kinds` says for each kind how many of a provider may be under way and for how many seconds each
    is leased, `busy` how many of a (kind, provider) are under way.
    """
    room = Room(rt.clock.now(), rt.clock.steady(), kinds, busy or {})
    try:
        return await rt.repeat("jobs.take", lambda tx: rows.take(tx, room=room))
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 - one job is to blame: the others are taken by themselves
        _log.warning("jobs are taken one by one", error=type(error).__name__, reason=str(error))
    taken: list[Job] = []
    for job_id in await rt.repeat("jobs.due", lambda tx: rows.due(tx, room=room)):
        taken += await _attempt(rt, job_id, partial(_take_one, rt, room, job_id)) or []
    return taken


def payload_of(job: Job) -> Mapping[str, Any] | None:
    """Return what a job was told, or None when that cannot be read."""
    try:
        return msgspec.json.decode(job.payload, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        return None


async def _finish_many(rt: Runtime, batch: list[tuple[int, int]]) -> list[bool]:
    """Delete jobs by (id, number of the lease); answer whether the lease was still held."""
    finished = await rt.repeat("jobs.finish", lambda tx: rows.finish(tx, jobs=batch))
    return [job_id in finished for job_id, _ in batch]


_FINISHED = Batch(_finish_many, batch_max=FINISH_BATCH)


async def finish(rt: Runtime, *, job: Job) -> None:
    """Delete a job that is done, unless its lease was lost to another process.

    A job that cannot be deleted is set aside.
    """
    done = await _attempt(rt, job.id, lambda: _FINISHED.submit(rt, (job.id, job.lease_no)))
    _count(job, {True: "done", False: "fenced", None: "stuck"}[done])


async def fail(rt: Runtime, *, job: Job, error: str, delays_s: Sequence[float]) -> None:
    """Put a failed job back by the schedule of its kind.

    After the last delay it is dead, kept with its error for a person to look at.

    One that cannot be put back is set aside.
    """
    _count(
        job, await _attempt(rt, job.id, partial(_give_back, rt, job, error, delays_s)) or "stuck"
    )


async def every(rt: Runtime, *, dead: bool, limit: int) -> list[JobLine]:
    """Return up to `limit` jobs, those due longest first.

    With `dead` only those that were given up.
    """
    return await rt.repeat("jobs.list", lambda tx: rows.listed(tx, dead=dead, limit=limit))


async def revive(rt: Runtime, *, job_id: int | None) -> int:
    """Put back one dead job, or (with None) all of them, to be done now with all their tries before
    them; return how many.

    One of all that cannot be put back is set aside, and the others are put back.
    """
    if job_id is not None:
        return await _revive(rt, job_id)
    total = 0
    try:
        while count := await _revive(rt, None):
            total += count
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 - one job is to blame: the others are put back by themselves
        _log.warning("jobs are revived one by one", error=type(error).__name__, reason=str(error))
        for dead in await every(rt, dead=True, limit=PAGE_MAX):
            total += await _attempt(rt, dead.id, partial(_revive, rt, dead.id)) or 0
    return total


async def _revive(rt: Runtime, job_id: int | None) -> int:
    return await rt.run(
        "jobs.revive",
        lambda tx: rows.revive(tx, job_id=job_id, now=rt.clock.now(), limit=REVIVE_BATCH),
    )


async def _take_one(rt: Runtime, room: Room, job_id: int) -> list[Job]:
    return await rt.repeat("jobs.take", lambda tx: rows.take(tx, room=room, only=[job_id]))


async def _give_back(rt: Runtime, job: Job, error: str, delays_s: Sequence[float]) -> str:
    """Put a failed job back, or bury it; return what became of it."""
    delay_s = next_attempt(delays_s, attempt=job.attempts, random=random.random())  # noqa: S311 - jitter, not a secret
    now = rt.clock.now()
    if delay_s is None:
        _log.error("job is dead", job_id=job.id, kind=job.kind, attempts=job.attempts, error=error)
        held = await rt.repeat("jobs.bury", lambda tx: rows.bury(tx, job=job, now=now, error=error))
        return "dead" if held else "fenced"
    run_at = now + timedelta(seconds=delay_s)
    held = await rt.repeat(
        "jobs.postpone", lambda tx: rows.postpone(tx, job=job, run_at=run_at, error=error)
    )
    return "failed" if held else "fenced"


async def _attempt(rt: Runtime, job_id: int, work: Callable[[], Awaitable[Done]]) -> Done | None:
    """Do something with a job that stops no other when it fails: then it is set aside, and taken
    again later by itself."""
    return await sweeps.attempt(rt, rows.SWEEP, str(job_id), work, is_aside=False)


def _count(job: Job, result: str) -> None:
    _jobs.labels(job.kind, result).inc()
