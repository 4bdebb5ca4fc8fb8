"""Rate limits: fixed windows per subject and bucket, counted in the process and exchanged between processes twice a second.

Between two exchanges each process knows its own count only: a burst over N processes may pass up to N times the limit before they have
heard of each other; what comes after that in the window is refused by all.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field

from numdesk.domain.errors import TooManyRequests
from numdesk.runtime import Runtime
from numdesk.storage import customers as rows

#: Counts of more windows than this are dropped, so that a flood of subjects cannot fill the memory.
WINDOWS_MAX = 200_000


@dataclass(slots=True)
class _Window:
    """One subject's requests of one window: ours, and those that the other processes reported."""

    start: int
    ours: int = 0
    others: int = 0


@dataclass(slots=True)
class Counts:
    """The windows of this process. A value that no database row is worth: a crash only forgives."""

    origin: str = field(default_factory=lambda: f"{os.getpid()}-{secrets.token_hex(4)}")
    windows: dict[tuple[int | str, str], _Window] = field(default_factory=dict)
    changed: set[tuple[int | str, str]] = field(default_factory=set)


def _counts(rt: Runtime) -> Counts:
    counts = rt.local.get("limits")
    if counts is None:
        counts = rt.local["limits"] = Counts()
    return counts


def admit(rt: Runtime, *, subject: int | str, bucket: str, limit: int, window_s: int = 60) -> None:
    """Counts one request of the subject (a customer's id, or an address) and refuses with TooManyRequests beyond the limit."""
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
        window = counts.windows[name] = _Window(start)
    if window.ours + window.others >= limit:
        raise TooManyRequests(group=bucket, retry_after_s=max(1, start + window_s - wall))
    window.ours += 1
    counts.changed.add(name)


def refuse_exhausted(rt: Runtime, *, subject: int | str, bucket: str, limit: int, window_s: int = 60) -> None:
    """Refuses as `admit` would, and counts nothing: for what is counted only when it has failed."""
    window = _counts(rt).windows.get((subject, bucket))
    if window is None or not rt.settings.rate_limits:
        return
    wall = int(rt.clock.wall().timestamp())
    start = wall - wall % window_s
    if window.start == start and window.ours + window.others >= limit:
        raise TooManyRequests(group=bucket, retry_after_s=max(1, start + window_s - wall))


async def exchange(rt: Runtime) -> None:
    """Tells the other processes what this one counted, and learns what they did."""
    counts = _counts(rt)
    changed = [name for name in counts.changed if isinstance(name[0], int)]
    counts.changed.clear()
    report = [
        (subject, bucket, counts.windows[subject, bucket].start, counts.windows[subject, bucket].ours)
        for subject, bucket in changed
        if isinstance(subject, int) and (subject, bucket) in counts.windows
    ]
    if not report:
        return
    others = await rt.run("limits.exchange", lambda tx: rows.exchange_counts(tx, sorted(report), origin=counts.origin))
    for name, total in others.items():
        window = counts.windows.get(name)
        if window is not None:
            window.others = total
