"""The loops of background work until the stop: deliveries, jobs and the timetable."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from prometheus_client import Counter

from numdesk.kit.log import get_logger
from numdesk.runtime import ProcessState, Runtime
from numdesk.usecases.orders import changes
from numdesk.usecases.webhooks import endpoints
from numdesk.workers.job_runner import JobRunner
from numdesk.workers.jobs import ASKING, KINDS, TIMETABLE, UPKEEP, Recurring

#: Time limit for work under way at a stop; whatever has not ended by then is left to the next
#: process.
STOP_PATIENCE_S = 9.0
#: The part of it that running jobs may use.
JOBS_PATIENCE_S = 8.0
#: Delay until a job that another process added is noticed.
POLL_S = 0.5
#: A line that keeps failing is retried at growing intervals, up to this one.
PAUSE_MAX_S = 30.0
#: Time limit of `run_due`; the loops do the rest.
DUE_PATIENCE_S = 60.0

_log = get_logger(__name__, "seconds", "work")
_failures = Counter(
    "numdesk_background_failures_total", "Background work that failed and is tried again", ["name"]
)


async def run(rt: Runtime, *, stop: asyncio.Event) -> None:
    """Do all background work until `stop` is set, then end the work under way in ten seconds."""
    await _run_together(
        stop,
        *_upkeep(rt, stop),
        *(_repeat(rt, item, stop) for item in (*TIMETABLE, *_asking(rt))),
        _restart_on_failure("jobs", lambda: _work_jobs(rt, stop), stop),
        _restart_on_failure("webhooks", lambda: endpoints.keep_delivering(rt, stop=stop), stop),
    )


async def run_upkeep(rt: Runtime, *, stop: asyncio.Event) -> None:
    """Do the recurring work of a process that only answers requests, until `stop` is set.

    `run` includes it.
    """
    await _run_together(stop, *_upkeep(rt, stop))


async def run_due(rt: Runtime) -> None:
    """Do everything that is due by the desk's clock, and everything that becomes due through it."""
    due, asking = ([item for item in items if item.by_clock] for items in (TIMETABLE, _asking(rt)))
    try:
        async with asyncio.timeout(DUE_PATIENCE_S):
            while True:
                done = sum([await _do(rt, item) or 0 for item in due])
                done += sum(
                    count or 0
                    for count in await asyncio.gather(*(_do(rt, item) for item in asking))
                )
                done += await job_runner_of(rt).run_all_due()
                done += await endpoints.deliver_due(rt)
                if not done:
                    return
    except TimeoutError:
        _log.warning("due work not finished in time", seconds=DUE_PATIENCE_S)


_JOBS = ProcessState(lambda rt: JobRunner(rt, kinds=KINDS))


def job_runner_of(rt: Runtime) -> JobRunner:
    """Return the job runner of this process."""
    return _JOBS.of(rt)


def _asking(rt: Runtime) -> list[Recurring]:
    """Return the timetable lines of this process that ask providers, for every provider."""
    return [line for item in ASKING for line in item.lines(rt)]


def _upkeep(rt: Runtime, stop: asyncio.Event) -> list[Coroutine[Any, Any, None]]:
    """Return the recurring work of every process."""
    tending: list[Coroutine[Any, Any, None]] = [_repeat(rt, item, stop) for item in UPKEEP]
    if not rt.alone:
        tending.append(
            _restart_on_failure("news", lambda: _run_until(stop, changes.listen(rt)), stop)
        )
    return tending


async def _run_together(stop: asyncio.Event, *parts: Coroutine[Any, Any, None]) -> None:
    """Run the parts until `stop` is set and they have ended; cancel those that take too long."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        await stop.wait()
        await asyncio.wait(tasks, timeout=STOP_PATIENCE_S)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _repeat(rt: Runtime, item: Recurring, stop: asyncio.Event) -> None:
    """Do one line of the timetable repeatedly."""
    failures = 0
    while not stop.is_set():
        failures = 0 if await _do(rt, item) is not None else failures + 1
        await _pause(stop, _interval_s(item.every_s, failures))


async def _restart_on_failure(
    name: str, work: Callable[[], Awaitable[None]], stop: asyncio.Event
) -> None:
    """Run `work` until the stop, and restart it when it fails."""
    failures = 0
    while not stop.is_set():
        try:
            await work()
            failures = 0
        except Exception as error:  # noqa: BLE001 - one that fails must not stop the others
            failures += 1
            _report(name, error, failures)
            await _pause(stop, _interval_s(POLL_S, failures))


_LOCKS = ProcessState[dict[str, asyncio.Lock]](lambda _: {})


async def _do(rt: Runtime, item: Recurring) -> int | None:
    """Do one line of the timetable once; return the number of things done, or None after a failure.

    Two runs at a time are not allowed: one would skip rows locked by the other and report that
    nothing is left.
    """
    locks = _LOCKS.of(rt)
    try:
        async with locks.setdefault(item.name, asyncio.Lock()):
            done = await item.do(rt)
    except Exception as error:  # noqa: BLE001 - one that fails must not stop the others
        _report(item.name, error, 1)
        return None
    return done if isinstance(done, int) else 0


async def _work_jobs(rt: Runtime, stop: asyncio.Event) -> None:
    """Do jobs as they become due."""
    jobs = job_runner_of(rt)
    while not stop.is_set():
        if not await jobs.pump():
            await jobs.wait_freed(timeout_s=POLL_S)
    await jobs.wait_idle(timeout_s=JOBS_PATIENCE_S)


async def _run_until(stop: asyncio.Event, endless: Coroutine[Any, Any, None]) -> None:
    """Run an endless coroutine until `stop` is set, and raise what it raises."""
    work, stopping = asyncio.create_task(endless), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((work, stopping), return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
    finally:
        work.cancel()
        stopping.cancel()
        await asyncio.gather(work, stopping, return_exceptions=True)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but not past the stop."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


def _interval_s(every_s: float, failures: int) -> float:
    """Return the delay before the next run: doubled for each failure in a row."""
    return (
        every_s
        if failures == 0
        else max(every_s, min(every_s * 2 ** min(failures, 10), PAUSE_MAX_S))
    )


def _report(name: str, error: Exception, failures: int) -> None:
    _failures.labels(name).inc()
    _log.error(
        "background work failed",
        work=name,
        error=type(error).__name__,
        count=failures,
        exc_info=error,
    )
