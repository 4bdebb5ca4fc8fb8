"""`numdesk serve` and `numdesk work`: the server, in one process or several."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import Annotated

import uvloop
from cyclopts import Parameter

from numdesk.asgi.readiness import Readiness
from numdesk.cli import banner, ops
from numdesk.cli.arguments import Inner, ListenAddress, count
from numdesk.cli.attach import Common
from numdesk.cli.lines import Line, answering
from numdesk.cli.listening import (
    HttpServer,
    allow_inbox,
    claim_port,
    listen_socket,
    ops_socket,
    reached_by_others,
)
from numdesk.cli.outcome import CommandRefused
from numdesk.cli.processes import Child, die_with_parent, keep_alive, watch_parent
from numdesk.cli.running import (
    Plan,
    answers_of,
    attached_desk,
    entered_desk,
    run_until,
    settle_memory,
    stop_on_signals,
)
from numdesk.config import parse_address
from numdesk.kit import metrics
from numdesk.kit.log import configure_logging, get_logger
from numdesk.kit.output import never_wait_for_readers
from numdesk.workers import runner

#: More processes do not help one machine, and each opens connections to the database.
WORKERS_MAX = 16
Workers = Annotated[int, Parameter(converter=count("processes", WORKERS_MAX))]

_log = get_logger(__name__, "listen")

Flag = Annotated[bool, Parameter(negative="")]


def serve(  # noqa: PLR0913 - one for each option
    *,
    listen: ListenAddress | None = None,
    sandbox: Flag = False,
    public_sandbox: Flag = False,
    workers: Workers = 1,
    no_work: Flag = False,
    common: Common | None = None,
) -> int:
    """Run the server: doors and background work in one process tree.

    Parameters
    ----------
    listen
        HOST:PORT of the HTTP server; default: NUMDESK_LISTEN, or 127.0.0.1:8080. Metrics and
        detailed readiness are for operators: on 127.0.0.1 and the next port, unless
        NUMDESK_OPS_LISTEN is HOST:PORT or off.
    sandbox
        Seed data, fake money and phones, and the sandbox API; needs a database of its own.
    public_sandbox
        Let a sandbox listen where other machines reach it: its API has no password.
    workers
        The number of processes that answer HTTP, 1 to 16; 1 answers and works in a single process.
    no_work
        Only answer requests; `numdesk work` does the background work.
    """
    common = common or Common()
    plan = _plan(common, listen=listen, sandbox=sandbox, works=not no_work)
    if sandbox and (place := reached_by_others(plan.settings)):
        if not public_sandbox:
            raise CommandRefused(
                f"A sandbox on {place} could be used by other machines without a password: "
                "listen on a loopback address such as 127.0.0.1:8080 without NUMDESK_PUBLIC_URL, "
                "or add --public-sandbox."
            )
        _log.warning("sandbox open to other machines without a password", listen=place)
    return uvloop.run(
        _serve_alone(plan) if workers == 1 else _serve_together(plan, workers=workers)
    )


def work(
    *,
    sandbox: Flag = False,
    parent: Inner | None = None,
    line: Inner | None = None,
    common: Common | None = None,
) -> int:
    """Do the background work only, beside `numdesk serve --no-work` on the same database."""
    return uvloop.run(
        _work_alone(_plan(common or Common(), sandbox=sandbox), parent=parent, line=line)
    )


def door(
    *,
    listen: ListenAddress,
    parent: Inner,
    line: Inner,
    sandbox: Flag = False,
    common: Common | None = None,
) -> int:
    """Answer HTTP as one of several processes; started by `numdesk serve --workers`."""
    return uvloop.run(
        _serve_beside(
            _plan(common or Common(), listen=listen, sandbox=sandbox), parent=parent, line=line
        )
    )


async def _serve_alone(plan: Plan) -> int:
    """Run everything in this process."""
    with (
        claim_port(plan.settings.listen, shared=False) as listener,
        ops_socket(plan.at(listener).settings) as ops_listener,
    ):
        plan = plan.at(listener)
        async with (
            plan.database(attach=not plan.works) as dsn,
            entered_desk(plan, dsn=dsn, alone=plan.works) as (desk, credentials),
        ):
            stop = stop_on_signals()
            server = HttpServer(desk, plan.settings, listener)
            background = runner.run if plan.works else runner.run_upkeep
            settle_memory()

            def ready() -> None:
                banner.show(plan.settings, credentials, ops=ops_listener, as_json=plan.as_json)

            async with ops.serving(
                ops_listener, ops.OpsApp(collect=metrics.collect, report=server.readiness.report)
            ):
                await run_until(
                    stop, desk, server.run(stop, ready=ready), background(desk.rt, stop=stop)
                )
    return 0


async def _serve_together(plan: Plan, *, workers: int) -> int:
    """Prepare the database, then supervise the doors and the worker as child processes."""
    with (
        claim_port(plan.settings.listen, shared=True) as reserved,
        ops_socket(plan.at(reserved).settings) as ops_listener,
    ):
        plan = plan.at(reserved)
        async with plan.database(attach=not plan.works) as dsn:
            async with entered_desk(plan, dsn=dsn, alone=False) as (_, credentials):
                pass
            stop = stop_on_signals()
            children = _children(plan, workers=workers)
            together = ops.Together([child.line for child in children])
            announcing = asyncio.create_task(
                banner.show_when_open(
                    plan.settings, credentials, ops=ops_listener, as_json=plan.as_json
                )
            )
            async with ops.serving(
                ops_listener, ops.OpsApp(collect=together.collect, report=together.report)
            ):
                await keep_alive(children, stop=stop)
            announcing.cancel()
    return 0


def _children(plan: Plan, *, workers: int) -> list[Child]:
    """Return the child processes that answer and work together."""
    common = ["--data", str(plan.settings.data), "--parent", str(os.getpid())]
    if plan.sandbox:
        common.append("--sandbox")
    listen = ["--listen", str(plan.settings.listen)]
    children = [(f"door {number}", ("door", *listen, *common)) for number in range(1, workers + 1)]
    if plan.works:
        children.append(("work", ("work", *common)))
    return [Child(name, arguments, Line(name)) for name, arguments in children]


async def _serve_beside(plan: Plan, *, parent: int, line: int | None) -> int:
    die_with_parent(parent)
    stop = stop_on_signals()
    with listen_socket(plan.settings.listen, shared=True) as listener:
        async with attached_desk(plan) as desk:
            server = HttpServer(desk, plan.settings, listener)
            settle_memory()
            parts = (
                server.run(stop),
                runner.run_upkeep(desk.rt, stop=stop),
                watch_parent(parent, stop=stop),
            )
            async with answering(line, answers_of(server.readiness)):
                await run_until(stop, desk, *parts)
    return 0


async def _work_alone(plan: Plan, *, parent: int | None, line: int | None) -> int:
    if parent is not None:
        die_with_parent(parent)
    stop = stop_on_signals()
    async with attached_desk(plan) as desk:
        allow_inbox(desk, plan.settings)
        settle_memory()
        watching = [watch_parent(parent, stop=stop)] if parent is not None else []
        async with answering(line, answers_of(Readiness(desk.rt))):
            await run_until(stop, desk, runner.run(desk.rt, stop=stop), *watching)
    return 0


def _plan(common: Common, *, listen: str | None = None, sandbox: bool, works: bool = True) -> Plan:
    """Return the plan of this process, and configure logging."""
    settings = common.settings()
    if listen is not None:
        settings = replace(settings, listen=parse_address(listen))
    never_wait_for_readers()
    configure_logging(style=settings.log, level=settings.log_level.upper())
    return Plan(settings, sandbox=sandbox, as_json=common.json, works=works)
