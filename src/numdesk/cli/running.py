"""The parts of one server process: its plan, its desk, its signals, its answers to a parent."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from numdesk.asgi.readiness import Readiness
from numdesk.bootstrap import Desk, enter, open_desk
from numdesk.cli.lines import Answers
from numdesk.cli.listening import (
    address_of,
)
from numdesk.config import Settings
from numdesk.kit import metrics
from numdesk.kit.private import tighten
from numdesk.sandbox.seed import Credential
from numdesk.storage.database.migrate import migrate
from numdesk.storage.database.postgres import open_database
from numdesk.usecases.desk import clock, installation

#: Rarer collection costs some memory and saves pauses; objects made before the start are never
#: scanned again.
GC_THRESHOLD = (50_000, 20, 100)


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


def answers_of(readiness: Readiness) -> Answers:
    """Return the answers of this process to its parent."""

    async def counted() -> bytes:
        return metrics.pack(await metrics.collect())

    async def ready() -> bytes:
        return msgspec.json.encode(await readiness.report(), enc_hook=str)

    return {"metrics": counted, "ready": ready}


async def run_until(stop: asyncio.Event, desk: Desk, *parts: Coroutine[Any, Any, object]) -> None:
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
async def entered_desk(
    plan: Plan, *, dsn: str, alone: bool
) -> AsyncIterator[tuple[Desk, Sequence[Credential] | None]]:
    """Bring the database up to date and enter it, with seed data in a new sandbox."""
    await migrate(dsn)
    async with open_desk(plan.settings, dsn=dsn, sandbox=plan.sandbox, alone=alone) as desk:
        yield desk, await enter(desk)


@asynccontextmanager
async def attached_desk(plan: Plan) -> AsyncIterator[Desk]:
    """Open a desk on a database that another process runs.

    Raises SandboxRefused and MoneyIsMakeBelieve.
    """
    async with (
        plan.database(attach=True) as dsn,
        open_desk(plan.settings, dsn=dsn, sandbox=plan.sandbox) as desk,
    ):
        await installation.require_mode(desk.rt, sandbox=desk.sandbox)
        yield desk


def stop_on_signals() -> asyncio.Event:
    """Return an event that SIGTERM and Ctrl-C set."""
    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    return stop


def settle_memory() -> None:
    """Exempt all present objects from garbage collection."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)
