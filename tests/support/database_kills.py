"""Kills of the embedded PostgreSQL under a running server: of its first process, or of a backend in
the middle of COMMIT."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable

import asyncpg
import psutil
from tests.support.serving import READY_WITHIN_S, Server
from tests.support.waiting import eventually

from numdesk.storage.database.cluster import Cluster
from numdesk.storage.database.receipts import OUTAGES

#: A commit is caught within so long under load; without one any busy backend is killed.
CATCH_WITHIN_S = 60.0


async def outlast(server: Server, kill: Callable[[Server], object]) -> float:
    """Kills, and returns after how many seconds the database could be reached again."""
    dsn = Cluster.of(server.data).dsn()
    witness = await asyncpg.connect(dsn)
    lost = asyncio.Event()
    witness.add_termination_listener(lambda _: lost.set())
    killed = await asyncio.to_thread(_timed, server, kill)
    await lost.wait()
    again = await eventually(lambda: asyncpg.connect(dsn), but=OUTAGES, within_s=READY_WITHIN_S)
    away = time.monotonic() - killed
    await again.close()
    return away


def kill_postmaster(server: Server) -> None:
    """Kills the first process.

    The others end by themselves, and the server starts PostgreSQL again.
    """
    server.kill9_postgres()


def kill_in_commit(server: Server) -> None:
    """Kills a backend that is in the middle of COMMIT, if one can be caught.

    PostgreSQL ends all others, and starts again by itself.
    """
    postmaster = psutil.Process(server.postmaster())
    give_up = time.monotonic() + CATCH_WITHIN_S
    while True:
        is_last = time.monotonic() > give_up
        for backend in _backends(postmaster):
            with contextlib.suppress(psutil.NoSuchProcess):
                if is_last or _caught(backend):
                    backend.kill()
                    return


def _backends(postmaster: psutil.Process) -> list[psutil.Process]:
    """Returns the processes that serve connections to numdesk's database."""
    return [process for process in postmaster.children() if "numdesk" in _title(process)]


def _caught(backend: psutil.Process) -> bool:
    """Stops a backend that says it is in COMMIT and looks again.

    Lets it go on when it has left that meanwhile.
    """
    if not _title(backend).endswith("COMMIT"):
        return False
    backend.send_signal(signal.SIGSTOP)
    if _title(backend).endswith("COMMIT"):
        return True
    backend.send_signal(signal.SIGCONT)
    return False


def _title(process: psutil.Process) -> str:
    """Returns what a process of PostgreSQL says that it does, such as "postgres: numdesk numdesk
    [local] COMMIT"."""
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline()).strip()
    return ""


def _timed(server: Server, kill: Callable[[Server], object]) -> float:
    """Kills and returns when that was."""
    kill(server)
    return time.monotonic()
