"""Knows every open connection of one listener, counts them by peer, and sweeps out those that are over their time."""

import asyncio
from collections import Counter
from typing import Literal, Protocol

from numdesk.kit.addresses import peer_group
from numdesk.kit.limits import ConnectionLimits

#: A deadline that is never reached.
NEVER = 1 << 62


class Connection(Protocol):
    """What the register needs to know of a connection."""

    deadline: int
    write_deadline: int
    peer: str | None

    def expire(self) -> None:
        """End the connection."""
        ...


class ConnectionRegister:
    """The connections of one listener and the one timer that all of them share."""

    def __init__(self, limits: ConnectionLimits) -> None:
        """Begin empty; the timer runs only while a connection is open."""
        self.tick = 0
        self.connections: set[Connection] = set()
        #: How often which refusal was given, by status or reason, for the metrics.
        self.refusals: Counter[str] = Counter()
        self._limits = limits
        self._peers: dict[str, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: Connection, loop: asyncio.AbstractEventLoop, address: str) -> Literal["house", "peer"] | None:
        """Take a connection in; return what is full, if anything is. It is swept either way."""
        limits = self._limits
        self.connections.add(connection)
        if self._timer is None:
            self._timer = loop.call_later(limits.sweep_s, self._sweep, loop)
        if len(self.connections) > limits.connections_max:
            self.count("house_full")
            return "house"
        if address in limits.uncounted_peers or address in limits.proxies:
            return None
        group = connection.peer = peer_group(address)
        count = self._peers[group] = self._peers.get(group, 0) + 1
        if count > limits.connections_per_peer_max:
            self.count("peer_full")
            return "peer"
        return None

    def remove(self, connection: Connection) -> None:
        """Forget a connection that is gone."""
        self.connections.discard(connection)
        group, connection.peer = connection.peer, None
        if group is None:
            return
        left = self._peers[group] - 1
        if left:
            self._peers[group] = left
        else:
            del self._peers[group]

    @property
    def is_sweeping(self) -> bool:
        """Whether the timer runs."""
        return self._timer is not None

    def count(self, reason: str) -> None:
        """Count a refusal."""
        self.refusals[reason] += 1

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let a tick pass and end what is over its time."""
        self.tick += 1
        tick = self.tick
        for connection in [c for c in self.connections if c.deadline <= tick or c.write_deadline <= tick]:
            connection.expire()
        self._timer = loop.call_later(self._limits.sweep_s, self._sweep, loop) if self.connections else None
