"""`numdesk serve` and `numdesk work`: the server, in one process or several."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Annotated, Any

import msgspec
import uvloop
from cyclopts import Parameter

from numdesk.asgi import Readiness
from numdesk.bootstrap import Desk, enter, open_desk
from numdesk.cli import banner, ops
from numdesk.cli.arguments import Inner, count
from numdesk.cli.attach import Common
from numdesk.cli.lines import Answers, Line, answering
from numdesk.cli.listening import (
    HttpServer,
    address_of,
    allow_inbox,
    claim_port,
    listen_socket,
    ops_socket,
    reached_by_others,
)
from numdesk.cli.outcome import CommandRefused
from numdesk.cli.processes import Child, die_with_parent, keep_alive, watch_parent
from numdesk.config import Settings, parse_address
from numdesk.kit import metrics
from numdesk.kit.log import configure_logging, get_logger
from numdesk.kit.output import never_wait_for_readers
from numdesk.kit.private import tighten
from numdesk.sandbox.seed import Credential
from numdesk.storage.database.migrate import migrate
from numdesk.storage.database.postgres import open_database
from numdesk.usecases.desk import clock, installation
from numdesk.workers import runner

#: More processes do not help one machine, and each opens connections to the database.
WORKERS_MAX = 16
Workers = Annotated[int, Parameter(converter=count("processes", WORKERS_MAX))]
#: Rarer collection costs some memory and saves pauses; objects made before the start are never
#: scanned again.
GC_THRESHOLD = (50_000, 20, 100)

_log = get_logger(__name__, "listen")

Flag = Annotated[bool, Parameter(negative="")]


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of this process; `works` says whether it does background work too."""

    settings: Settings
    sandbox: bool
    as_json: bool = False
    works: bool = True

    def at(self, listener: socket.socket) -> Plan:
        """Return this plan with the listener's actual port, which differs for port 0."""
        return replace(
            self,
            settings=replace(self.settings, listen=address_of(listener, self.settings.listen.host)),
        )

    def database(self, *, attach: bool = False) -> AbstractAsyncContextManager[str]:
        """Open the database; with `attach`, beside the process that runs it."""
        if not attach:
            tighten(self.settings.data, apart=self.settings.guarded_paths)
        return open_database(self.settings.database_url, data=self.settings.data, attach=attach)


def serve(  # noqa: PLR0913 - one for each option
    *,
    listen: str | None = None,
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
    *, listen: str, parent: Inner, line: Inner, sandbox: Flag = False, common: Common | None = None
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
            _entered_desk(plan, dsn=dsn, alone=plan.works) as (desk, credentials),
        ):
            stop = _stop_on_signals()
            server = HttpServer(desk, plan.settings, listener)
            background = runner.run if plan.works else runner.tend
            _settle_memory()

            def ready() -> None:
                banner.show(plan.settings, credentials, ops=ops_listener, as_json=plan.as_json)

            async with ops.serving(
                ops_listener, ops.OpsApp(collect=metrics.collect, report=server.readiness.report)
            ):
                await _run_until(
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
            async with _entered_desk(plan, dsn=dsn, alone=False) as (_, credentials):
                pass
            stop = _stop_on_signals()
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
    stop = _stop_on_signals()
    with listen_socket(plan.settings.listen, shared=True) as listener:
        async with _attached_desk(plan) as desk:
            server = HttpServer(desk, plan.settings, listener)
            _settle_memory()
            parts = (
                server.run(stop),
                runner.tend(desk.rt, stop=stop),
                watch_parent(parent, stop=stop),
            )
            async with answering(line, _answers(server.readiness)):
                await _run_until(stop, desk, *parts)
    return 0


async def _work_alone(plan: Plan, *, parent: int | None, line: int | None) -> int:
    if parent is not None:
        die_with_parent(parent)
    stop = _stop_on_signals()
    async with _attached_desk(plan) as desk:
        allow_inbox(desk, plan.settings)
        _settle_memory()
        watching = [watch_parent(parent, stop=stop)] if parent is not None else []
        async with answering(line, _answers(Readiness(desk.rt))):
            await _run_until(stop, desk, runner.run(desk.rt, stop=stop), *watching)
    return 0


def _answers(readiness: Readiness) -> Answers:
    """Return the answers of this process to its parent."""

    async def counted() -> bytes:
        return metrics.pack(await metrics.collect())

    async def ready() -> bytes:
        return msgspec.json.encode(await readiness.report(), enc_hook=str)

    return {"metrics": counted, "ready": ready}


async def _run_until(stop: asyncio.Event, desk: Desk, *parts: Coroutine[Any, Any, object]) -> None:
    """Run the parts until `stop` is set; follow a sandbox's clock meanwhile.

    A part that fails stops the others, and the failure is the command's.
    """
    following = asyncio.create_task(clock.follow(desk.rt)) if desk.sandbox else None
    tasks = [asyncio.create_task(part) for part in parts]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    await asyncio.wait(tasks)
    if following is not None:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
    for task in tasks:
        task.result()


@asynccontextmanager
async def _entered_desk(
    plan: Plan, *, dsn: str, alone: bool
) -> AsyncIterator[tuple[Desk, Sequence[Credential] | None]]:
    """Bring the database up to date and enter it, with seed data in a new sandbox."""
    await migrate(dsn)
    async with open_desk(plan.settings, dsn=dsn, sandbox=plan.sandbox, alone=alone) as desk:
        yield desk, await enter(desk)


@asynccontextmanager
async def _attached_desk(plan: Plan) -> AsyncIterator[Desk]:
    """Open a desk on a database that another process runs.

    Raises SandboxRefused and MoneyIsMakeBelieve.
    """
    async with (
        plan.database(attach=True) as dsn,
        open_desk(plan.settings, dsn=dsn, sandbox=plan.sandbox) as desk,
    ):
        await installation.require_mode(desk.rt, sandbox=desk.sandbox)
        yield desk


def _plan(common: Common, *, listen: str | None = None, sandbox: bool, works: bool = True) -> Plan:
    """Return the plan of this process, and configure logging. Raises CommandRefused."""
    settings = common.settings()
    try:
        settings = (
            replace(settings, listen=parse_address(listen)) if listen is not None else settings
        )
    except ValueError as wanted:
        raise CommandRefused(f"--listen {listen} cannot be used: it must be {wanted}.") from wanted
    never_wait_for_readers()
    configure_logging(style=settings.log, level=settings.log_level.upper())
    return Plan(settings, sandbox=sandbox, as_json=common.json, works=works)


def _stop_on_signals() -> asyncio.Event:
    """Return an event that SIGTERM and Ctrl-C set."""
    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    return stop


def _settle_memory() -> None:
    """Exempt all present objects from garbage collection."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)
