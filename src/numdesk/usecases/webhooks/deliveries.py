"""Deliver webhooks: those due now, or all the time until told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from numdesk.runtime import ProcessState
from numdesk.storage.webhooks import deliveries as rows
from numdesk.usecases.webhooks.sender import Sender

if TYPE_CHECKING:
    from numdesk.runtime import Runtime

#: How soon an event that another process wrote is noticed.
POLL_S = 0.5
#: How long a stopping process waits for sends on their way.
STOP_PATIENCE_S = 8.0
#: How soon `deliver_due` notices that another process is done.
LOOK_S = 0.02
#: How long `deliver_due` goes on before it leaves the rest to the loop.
DRAIN_PATIENCE_S = 30.0


_SENDER = ProcessState(Sender)


def sender_of(rt: Runtime) -> Sender:
    """Return the sender of this process."""
    return _SENDER.of(rt)


def allow(rt: Runtime, *, addresses: Iterable[tuple[str, int]]) -> None:
    """Excuse exactly these (host, port) pairs from the address guard, and from https: our own
    inbox."""
    sender_of(rt).excused = frozenset(addresses)


def wake(rt: Runtime) -> None:
    """Begin at once with the delivery of an event that this process has just written."""
    sender_of(rt).woken.set()


async def keep_delivering(rt: Runtime, *, stop: asyncio.Event) -> None:
    """Deliver due events until `stop` is set, then wait for those on their way."""
    sender = sender_of(rt)
    while not stop.is_set():
        await sender.pump()
        await sender.rest(timeout_s=POLL_S)
    await sender.wait(timeout_s=STOP_PATIENCE_S)


async def deliver_due(rt: Runtime) -> int:
    """Deliver everything that is due now, by any process; return how many were sent from here."""
    sender = sender_of(rt)
    sent = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_PATIENCE_S):
            while True:
                sent += await sender.pump()
                if sender.is_idle() and not await rt.repeat(
                    "webhooks.due",
                    lambda tx: rows.is_anything_due(
                        tx, now=rt.clock.now(), without=sender.aside.waiting()
                    ),
                ):
                    break
                await sender.rest(timeout_s=LOOK_S)
    return sent
