"""The queue as its workers see it: take what is due, say how it went."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from prometheus_client import Counter

from numdesk.domain.webhooks import next_attempt
from numdesk.kit.log import get_logger
from numdesk.storage import jobs as rows
from numdesk.storage.jobs import Job, JobLine

if TYPE_CHECKING:
    from numdesk.runtime import Runtime
    from numdesk.storage.commands import Batcher

__all__ = ["Job", "JobLine", "every", "fail", "finish", "revive", "take"]

#: Finished jobs deleted by one command.
FINISH_BATCH = 100
#: Jobs shown by one list.
PAGE_MAX = 1000
#: Dead jobs put back by one transaction.
REVIVE_BATCH = 1000

_log = get_logger(__name__, "attempts", "job_id", "kind")
_jobs = Counter("numdesk_jobs_total", "Jobs worked on, by how it went", ["kind", "result"])


async def take(rt: Runtime, *, rooms: Mapping[str, tuple[int, float]]) -> list[Job]:
    """Takes due jobs under a lease; `rooms` says for each kind how many at most and for how many seconds."""
    if not rooms:
        return []
    return await rt.repeat("jobs.take", lambda tx: rows.take(tx, now=rt.clock.now(), wall=rt.clock.steady(), rooms=rooms))


async def finish(rt: Runtime, *, job: Job) -> None:
    """Ends a job that is done. One whose lease was lost is left to whoever holds it now."""

    async def run(batch: list[tuple[int, int]]) -> list[bool]:
        finished = await rt.repeat("jobs.finish", lambda tx: rows.finish(tx, jobs=batch))
        return [job_id in finished for job_id, _ in batch]

    batcher: Batcher[tuple[int, int], bool] = rt.batch("jobs.finish", run, batch_max=FINISH_BATCH)
    _count(job, "done" if await batcher.submit((job.id, job.lease_no)) else "fenced")


async def fail(rt: Runtime, *, job: Job, error: str, delays_s: Sequence[float]) -> None:
    """Puts a failed job back by the schedule of its kind; after the last delay it is dead, kept with its error for a person to look at."""
    delay_s = next_attempt(delays_s, attempt=job.attempts, random=random.random())  # noqa: S311 - jitter, not a secret
    now = rt.clock.now()
    if delay_s is None:
        _log.error("job is dead", job_id=job.id, kind=job.kind, attempts=job.attempts, error=error)
        held = await rt.repeat("jobs.bury", lambda tx: rows.bury(tx, job=job, now=now, error=error))
        _count(job, "dead" if held else "fenced")
        return
    run_at = now + timedelta(seconds=delay_s)
    held = await rt.repeat("jobs.postpone", lambda tx: rows.postpone(tx, job=job, run_at=run_at, error=error))
    _count(job, "failed" if held else "fenced")


async def every(rt: Runtime, *, dead: bool, limit: int) -> list[JobLine]:
    """Returns up to `limit` jobs, those due longest first; with `dead` only those that were given up."""
    return await rt.repeat("jobs.list", lambda tx: rows.listed(tx, dead=dead, limit=limit))


async def revive(rt: Runtime, *, job_id: int | None) -> int:
    """Puts back one dead job, or (with None) all of them, to be done now with all their tries before them; returns how many."""
    total = 0
    while count := await rt.run("jobs.revive", lambda tx: rows.revive(tx, job_id=job_id, now=rt.clock.now(), limit=REVIVE_BATCH)):
        total += count
        if job_id is not None:
            break
    return total


def _count(job: Job, result: str) -> None:
    _jobs.labels(job.kind, result).inc()
