"""Process supervision: a parent that restarts its children, children that end with their parent."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from numdesk.cli.lines import Line
from numdesk.kit.log import get_logger

#: The pause before a restart doubles with each quick death, up to this.
PAUSE_MIN_S = 0.2
PAUSE_MAX_S = 5.0
#: A child that lived this long gets the shortest pause again.
HEALTHY_AFTER_S = 30.0
#: Time for children to finish the work under way.
STOP_PATIENCE_S = 9.0
#: The interval at which a child checks its parent, where the kernel cannot signal it.
PARENT_CHECK_S = 1.0

_PR_SET_PDEATHSIG = 1
_log = get_logger(__name__, "child", "exit_code")


@dataclass(frozen=True, slots=True)
class Child:
    """A supervised process: its name, and the arguments after `python -m numdesk`."""

    name: str
    arguments: tuple[str, ...]
    #: The socket to the child; the child gets its end's descriptor as `--line`.
    line: Line


async def keep_alive(children: Sequence[Child], *, stop: asyncio.Event) -> None:
    """Start the children and restart those that die, until `stop` is set; then end them all."""
    async with asyncio.TaskGroup() as group:
        for child in children:
            group.create_task(_keep_one(child, stop))


async def _keep_one(child: Child, stop: asyncio.Event) -> None:
    pause_s = PAUSE_MIN_S
    loop = asyncio.get_running_loop()
    while not stop.is_set():
        started = loop.time()
        process = await _start(child)
        ended = asyncio.create_task(process.wait())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            await _end(process, ended)
            child.line.close()
            return
        stopping.cancel()
        pause_s = (
            PAUSE_MIN_S
            if loop.time() - started > HEALTHY_AFTER_S
            else min(pause_s * 2, PAUSE_MAX_S)
        )
        _log.warning(
            "child process ended; restarting it",
            child=child.name,
            exit_code=process.returncode,
        )
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause_s)


async def _start(child: Child) -> asyncio.subprocess.Process:
    with await child.line.open() as theirs:
        line = theirs.fileno()
        arguments = ("-m", "numdesk", *child.arguments, "--line", str(line))
        return await asyncio.create_subprocess_exec(sys.executable, *arguments, pass_fds=(line,))


async def _end(process: asyncio.subprocess.Process, ended: asyncio.Task[int]) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(sign)
        done, _ = await asyncio.wait({ended}, timeout=STOP_PATIENCE_S)
        if done:
            return


def die_with_parent(parent: int) -> None:
    """Ask the kernel to end this process with the thread that started it.

    Linux only; elsewhere `watch_parent` does it.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(0)  # the parent died before the request to the kernel


async def watch_parent(parent: int, *, stop: asyncio.Event) -> None:
    """Set `stop` when the parent is gone."""
    while os.getppid() == parent:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), PARENT_CHECK_S)
        if stop.is_set():
            return
    stop.set()
