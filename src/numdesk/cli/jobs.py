"""`numdesk jobs`: waiting and dead background jobs, and reviving dead ones."""

from __future__ import annotations

from typing import Annotated

import cyclopts
import msgspec
from cyclopts import Parameter

from numdesk.cli.arguments import JobNumber, count
from numdesk.cli.attach import Common, at_desk
from numdesk.cli.outcome import CommandRefused, print_result, table
from numdesk.usecases.jobs import queue

app = cyclopts.App(name="jobs", help="Show background jobs, and try dead ones again.")

Limit = Annotated[int, Parameter(converter=count("jobs", queue.PAGE_MAX))]


@app.command(name="list")
def show(
    *,
    dead: Annotated[bool, Parameter(negative=())] = False,
    limit: Limit = 50,
    common: Common | None = None,
) -> None:
    """List jobs, longest due first, with the last error of each.

    Parameters
    ----------
    dead
        Only dead jobs: those whose tries are used up.
    limit
        The number of jobs, at most.
    """
    common = common or Common()
    found = at_desk(common, lambda desk: queue.every(desk.rt, dead=dead, limit=limit))
    columns = ["job", "kind", "payload", "due", "attempts", "dead", "error"]
    rows = [
        (one.id, one.kind, one.payload, one.run_at, one.attempts, one.dead_at, one.last_error)
        for one in found
    ]
    facts = [
        dict(zip(columns, row, strict=True)) | {"payload": msgspec.Raw(one.payload.encode())}
        for one, row in zip(found, rows, strict=True)
    ]
    text = table(columns, rows) if rows else f"There are no {'dead' if dead else 'waiting'} jobs."
    print_result(facts, as_json=common.json, text=text)


@app.command
def revive(
    job: JobNumber | None = None,
    *,
    all_dead: Annotated[bool, Parameter(name="--all", negative=())] = False,
    common: Common | None = None,
) -> None:
    """Try dead jobs again, from the first delay.

    A dead job stays as it is if the same work is already waiting in another job.

    Parameters
    ----------
    job
        The job's number, from `numdesk jobs list --dead`.
    all_dead
        Every dead job.
    """
    common = common or Common()
    if (job is None) != all_dead:
        raise CommandRefused(
            "The arguments are incomplete; expected either a job's number or --all."
        )
    revived = at_desk(common, lambda desk: queue.revive(desk.rt, job_id=job))
    if job is not None and not revived:
        raise CommandRefused(
            f"Job {job} is not dead, or its work is waiting in another job; `numdesk jobs list "
            "--dead` shows the dead jobs."
        )
    print_result({"count": revived}, as_json=common.json, text=f"Jobs revived: {revived}.")
