"""The desk's time: how far its clock runs ahead of the real one, the same in every process.

And that it never goes back in the books.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from prometheus_client import Gauge

from numdesk.domain.errors import InvalidInput, Unavailable
from numdesk.kit.log import get_logger
from numdesk.storage.desk import installation
from numdesk.storage.desk import settings as rows

if TYPE_CHECKING:
    from numdesk.runtime import Runtime

#: Every process knows of a moved clock after at most twice this.
FOLLOW_EVERY_S = 0.1
#: The clock may be moved by ten years in all; PostgreSQL and Python would take more, but a slip of
#: the finger should not.
OFFSET_MAX_S = 10 * 366 * 24 * 3600.0

#: A lag of the system clock that is not worth a word: clocks of two machines differ by as much.
LAG_UNNOTICED = timedelta(milliseconds=500)

_NAME = "clock.offset_s"
_log = get_logger(__name__, "seconds")
_lag = Gauge(
    "numdesk_clock_lag_seconds",
    "How far the system clock is behind the latest time in the books; must be 0",
)


async def advance(rt: Runtime, seconds: float) -> None:
    """Move the desk's clock forward for every process. Raises InvalidInput."""
    if not 0 <= seconds <= OFFSET_MAX_S:
        raise InvalidInput(
            field="advance_s", reason=f"must be a number of seconds from 0 to {OFFSET_MAX_S:.0f}"
        )
    if rt.clock.offset.total_seconds() + seconds > OFFSET_MAX_S:
        raise InvalidInput(field="advance_s", reason="the clock is as far ahead as it may be")
    total = await rt.run(
        "clock.advance", lambda tx: rows.add_number(tx, name=_NAME, amount=seconds)
    )
    _set(rt, total)


async def look(rt: Runtime) -> None:
    """Take over the clock's offset as it was last set, by whatever process."""
    offset = await rt.repeat("clock.look", lambda tx: rows.read(tx, name=_NAME))
    if offset is not None:
        _set(rt, offset)


async def heed_books(rt: Runtime) -> timedelta:
    """Let this process's time not stay behind the books, and return how far the system clock did,
    at most, since the last call.

    A system clock that was set back is told of in the log and the metrics.
    """
    latest = await rt.repeat("clock.latest_booked", installation.latest_booked)
    await look(rt)  # after the books, so that the offset is no older than what it was booked under
    if latest is not None:
        rt.clock.learn(latest)
    rt.clock.steady()
    lag = rt.clock.take_lag()
    _lag.set(lag.total_seconds())
    if lag > LAG_UNNOTICED:
        rule = "the desk's time " + (
            "runs on at half speed"
            if lag <= rt.clock.set_back_max
            else "follows it at once: it would take too long to catch up"
        )
        _log.error(
            "the system clock is behind the books",
            seconds=round(lag.total_seconds(), 1),
            reason=rule,
        )
    return lag


async def follow(rt: Runtime) -> None:
    """Keep taking over the clock's offset until cancelled."""
    while True:
        with suppress(Unavailable):  # the database is restarting; the offset stays as it was
            await look(rt)
        await asyncio.sleep(FOLLOW_EVERY_S)


def _set(rt: Runtime, seconds: float) -> None:
    """Move this process's clock, but never back: a value read before an advance may come in
    later."""
    rt.clock.set_offset(max(rt.clock.offset, timedelta(seconds=seconds)))
