"""`numdesk jobs`: the work that waits, the work that was given up, and trying that again."""

from __future__ import annotations

from typing import Annotated

import cyclopts
import msgspec
from cyclopts import Parameter

from numdesk.cli.attach import Common, at_desk
from numdesk.cli.given import Whole
from numdesk.cli.outcome import CommandRefused, table, tell
from numdesk.usecases.jobs import queue

app = cyclopts.App(
    name="jobs", help="Look at the background jobs, and try those again that were given up."
)


@app.command(name="list")
def show(
    *,
    dead: Annotated[bool, Parameter(negative=())] = False,
    limit: Whole = 50,
    common: Common | None = None,
) -> None:
    """Show jobs, those that are due longest first, with the last error of each.

    Parameters
    ----------
    dead
        Only those that were given up.
    limit
        How many.
    """
    common = common or Common()
    if not 1 <= limit <= queue.PAGE_MAX:
        raise CommandRefused(f"--limit {limit} cannot be used: it must be 1 to {queue.PAGE_MAX}.")
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
    text = table(columns, rows) if rows else f"No job {'was given up' if dead else 'waits'}."
    tell(facts, as_json=common.json, text=text)


@app.command
def revive(
    job: Whole | None = None,
    *,
    all_dead: Annotated[bool, Parameter(name="--all", negative=())] = False,
    common: Common | None = None,
) -> None:
    """Try a job again that was given up, or all of them; its delays begin anew.

    A job whose work already waits once more, in a job of its own, stays as it is.

    Parameters
    ----------
    job
        The job's number.
    all_dead
        Every job that was given up.
    """
    common = common or Common()
    if (job is None) != all_dead:
        raise CommandRefused("Name either one job by its number, or --all.")
    count = at_desk(common, lambda desk: queue.revive(desk.rt, job_id=job))
    if job is not None and not count:
        raise CommandRefused(
            f"There is no dead job {job} whose work does not wait already: `numdesk jobs list --dead` shows all."
        )
    tell({"count": count}, as_json=common.json, text=f"Jobs to be tried again: {count}.")
