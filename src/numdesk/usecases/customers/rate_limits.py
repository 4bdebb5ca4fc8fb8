"""Rate limits: fixed windows per subject and bucket, counted in the process and exchanged between
processes twice a second.

Between two exchanges each process knows its own count only: a burst over N processes may pass up to
N times the limit before they have heard of each other; what comes after that in the window is
refused by all.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass, field

from numdesk.domain.errors import TooManyRequests
from numdesk.runtime import ProcessState, Runtime
from numdesk.storage.customers import rate_counts as rows

#: Counts of more windows than this are dropped, so that a flood of subjects cannot fill the memory.
WINDOWS_MAX = 200_000
#: Addresses are counted for all processes in windows that last so long: in shorter ones every guess
#: of a flood would become a row.
SHARED_WINDOW_S_MIN = 15 * 60


@dataclass(slots=True)
class _Window:
    """One subject's requests of one window: ours, and those that the other processes reported."""

    start: int
    length_s: int
    ours: int = 0
    others: int = 0


@dataclass(slots=True)
class Counts:
    """The windows of this process. A value that no database row is worth: a crash only forgives."""

    origin: str = field(default_factory=lambda: f"{os.getpid()}-{secrets.token_hex(4)}")
    windows: dict[tuple[int | str, str], _Window] = field(default_factory=dict)
    changed: set[tuple[int | str, str]] = field(default_factory=set)


_COUNTS = ProcessState(lambda _: Counts())


def _counts(rt: Runtime) -> Counts:
    return _COUNTS.of(rt)


def admit(rt: Runtime, *, subject: int | str, bucket: str, limit: int, window_s: int = 60) -> None:
    """Count one request of the subject (a customer's id, or an address) and refuses with
    TooManyRequests beyond the limit."""
    if not rt.settings.rate_limits:
        return
    counts = _counts(rt)
    wall = int(rt.clock.wall().timestamp())
    start = wall - wall % window_s
    name = (subject, bucket)
    window = counts.windows.get(name)
    if window is None or window.start != start:
        if len(counts.windows) >= WINDOWS_MAX:
            counts.windows.clear()
        window = counts.windows[name] = _Window(start, window_s)
    if window.ours + window.others >= limit:
        raise TooManyRequests(group=bucket, retry_after_s=max(1, start + window_s - wall))
    window.ours += 1
    counts.changed.add(name)


def refuse_exhausted(
    rt: Runtime, *, subject: int | str, bucket: str, limit: int, window_s: int = 60
) -> None:
    """Refuses as `admit` would, and counts nothing: for calls that count only when they fail."""
    window = _counts(rt).windows.get((subject, bucket))
    if window is None or not rt.settings.rate_limits:
        return
    wall = int(rt.clock.wall().timestamp())
    start = wall - wall % window_s
    if window.start == start and window.ours + window.others >= limit:
        raise TooManyRequests(group=bucket, retry_after_s=max(1, start + window_s - wall))


async def exchange(rt: Runtime) -> None:
    """Exchange counts with the other processes."""
    counts = _counts(rt)
    names = {
        (_row_id(subject), bucket): (subject, bucket)
        for subject, bucket in counts.changed
        if _is_shared(counts, (subject, bucket))
    }
    counts.changed.clear()
    if not names:
        return
    report = [
        (*row, counts.windows[name].start, counts.windows[name].ours)
        for row, name in sorted(names.items())
    ]
    others = await rt.run(
        "limits.exchange", lambda tx: rows.exchange_counts(tx, report, origin=counts.origin)
    )
    for row, total in others.items():
        window = counts.windows.get(names[row])
        if window is not None:
            window.others = total


def _is_shared(counts: Counts, name: tuple[int | str, str]) -> bool:
    window = counts.windows.get(name)
    return window is not None and (
        isinstance(name[0], int) or window.length_s >= SHARED_WINDOW_S_MIN
    )


def _row_id(subject: int | str) -> int:
    """Return what a subject is called in the table: a customer by the id, an address by a negative
    number made of it.

    Two addresses with one number share a limit between processes; in a bucket with a thousand
    addresses that happens once in 4,000 windows.
    """
    if isinstance(subject, int):
        return subject
    return -1 - int.from_bytes(hashlib.sha256(subject.encode()).digest()[:4]) % 2**31
