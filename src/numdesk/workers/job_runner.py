"""The job runner: run jobs side by side, each under its lease and time limit.

The number of parallel jobs is limited per kind and provider.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

from numdesk.domain.errors import Refusal
from numdesk.kit.log import get_logger
from numdesk.ports.errors import ProviderError
from numdesk.runtime import Runtime
from numdesk.usecases.jobs import queue
from numdesk.workers.jobs import JobKind

#: A lease outlives the longest try by this much, to leave time for recording the result.
LEASE_SLACK_S = 10.0

_log = get_logger(__name__, "job_id", "kind")


class JobRunner:
    """The jobs under way in this process."""

    def __init__(self, rt: Runtime, *, kinds: Mapping[str, JobKind]) -> None:
        self._rt = rt
        self._kinds = kinds
        self._rooms = {
            name: (kind.parallel, kind.time_limit_s + LEASE_SLACK_S) for name, kind in kinds.items()
        }
        #: How many jobs are under way, by kind and lane.
        self._busy: Counter[tuple[str, str]] = Counter()
        self._pumping = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._freed = asyncio.Event()

    async def pump(self) -> int:
        """Start as many due jobs as there is room for, and return their number."""
        self._freed.clear()
        async with self._pumping:  # Two concurrent pumps would both fill the same room.
            taken = await queue.take(self._rt, kinds=self._rooms, busy=+self._busy)
            self._busy.update((job.kind, job.lane) for job in taken)
        for job in taken:
            task = asyncio.create_task(self._do(job, self._kinds[job.kind]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return len(taken)

    async def wait_freed(self, *, timeout_s: float) -> None:
        """Wait until a job has ended since the last pump, but at most `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._freed.wait()
        except TimeoutError:
            return

    async def wait_idle(self, *, timeout_s: float) -> None:
        """Wait until no job is under way, but at most `timeout_s`."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)

    async def run_all_due(self) -> int:
        """Run all due jobs, and return how many were started."""
        begun = 0
        while (count := await self.pump()) or self._tasks:
            begun += count
            await self.wait_idle(timeout_s=0.05)
        return begun

    async def _do(self, job: queue.Job, kind: JobKind) -> None:
        """Run one job and record its result."""
        try:
            payload = queue.payload_of(job)
            if payload is None:
                await queue.fail(
                    self._rt,
                    job=job,
                    error="the payload cannot be read; expected a JSON object",
                    delays_s=(),
                )
            elif (error := await _try(self._rt, job, kind, payload)) is None:
                await queue.finish(self._rt, job=job)
            else:
                await queue.fail(self._rt, job=job, error=error, delays_s=kind.delays_s)
        except Refusal as refusal:
            _log.warning(
                "job outcome not recorded", job_id=job.id, kind=job.kind, reason=refusal.code
            )
        finally:
            self._busy[job.kind, job.lane] -= 1
            self._freed.set()


async def _try(
    rt: Runtime, job: queue.Job, kind: JobKind, payload: Mapping[str, Any]
) -> str | None:
    """Run one try of a job, and return the error text, or None after a success."""
    if job.attempts > len(kind.delays_s) + 1:
        return f"started {job.attempts - 1} times and never ended: it may crash its worker"
    try:
        async with asyncio.timeout(kind.time_limit_s):
            await kind.do(rt, payload)
    except TimeoutError:
        return f"took longer than {kind.time_limit_s:.0f} s"
    except (ProviderError, Refusal) as error:
        return f"{type(error).__name__}: {error}"
    except Exception as error:  # noqa: BLE001 - whatever it is is written down with the job
        _log.exception("job failed", job_id=job.id, kind=job.kind)
        return f"{type(error).__name__}: {error}"
    return None
