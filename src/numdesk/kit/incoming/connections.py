"""Knows every open connection of one listener, counts them by peer, and sweeps out those that are
over their time."""

import asyncio
from collections import Counter
from itertools import islice
from typing import Literal, Protocol

import prometheus_client

from numdesk.kit import descriptors
from numdesk.kit.incoming.connection_limits import ConnectionLimits
from numdesk.kit.log import get_logger
from numdesk.kit.outgoing.addresses import peer_group

#: A deadline that is never reached.
NEVER = 1 << 62


#: The log says at most so often how many connections were turned away.
SAY_EVERY_S = 10.0
#: Idle connections that are looked at for one that can be closed, and that are closed when the
#: process has no descriptor left.
LOOKS_MAX = 64
CLOSED_AT_ONCE = 16

_turned_away = prometheus_client.Counter(
    "numdesk_connections_turned_away_total",
    "Connections that were refused, or closed by us, by reason or status",
    ["listener", "reason"],
)
_open = prometheus_client.Gauge("numdesk_connections", "Connections that are open", ["listener"])
_most = prometheus_client.Gauge(
    "numdesk_connections_max", "Connections that may be open", ["listener"]
)

_log = get_logger(__name__)


class Connection(Protocol):
    """The view of a connection that the register needs."""

    deadline: int
    write_deadline: int
    peer: str | None

    def expire(self) -> None:
        """End the connection."""
        ...

    def close_idle(self) -> bool:
        """Close the connection unless something is still under way on it.

        Return whether it was closed.
        """
        ...


class ConnectionRegister:
    """The connections of one listener and the one timer that all of them share."""

    def __init__(self, limits: ConnectionLimits) -> None:
        """Begin empty; the timer runs only while a connection is open."""
        self.tick = 0
        self.connections: set[Connection] = set()
        #: Those without a request under way, the one that is idle for longest first.
        self.idle: dict[Connection, None] = {}
        #: Refused ones that still have to take their answer.
        self.leaving: set[Connection] = set()
        #: How often which refusal was given, by status or reason, for the metrics.
        self.refusals: Counter[str] = Counter()
        self._limits = limits
        self._peers: dict[str, int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._unsaid: Counter[str] = Counter()
        self._said = -NEVER
        _most.labels(limits.listener).set(limits.connections_max)

    def add(
        self, connection: Connection, loop: asyncio.AbstractEventLoop, address: str
    ) -> Literal["house", "peer"] | None:
        """Take a connection in; return the limit that is reached, if any: then it only leaves.

        It is swept either way.

        When the house is full, the connection that has been idle for longest makes room.
        """
        if self._timer is None:
            self._timer = loop.call_later(self._limits.sweep_s, self._sweep, loop)
        is_counted = not (
            address in self._limits.uncounted_peers or address in self._limits.proxies
        )
        group = peer_group(address) if is_counted else None
        full = self._find_full(group)
        if full is not None:
            self.leaving.add(connection)
            return full
        self.connections.add(connection)
        self.idle[connection] = None
        if group is not None:
            connection.peer = group
            self._peers[group] = self._peers.get(group, 0) + 1
        return None

    def remove(self, connection: Connection) -> None:
        """Forget a connection that is gone."""
        self.connections.discard(connection)
        self.leaving.discard(connection)
        self.idle.pop(connection, None)
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
        """True while the timer runs."""
        return self._timer is not None

    def count(self, reason: str) -> None:
        """Count a refusal."""
        self.refusals[reason] += 1
        _turned_away.labels(self._limits.listener, reason).inc()

    def say(self, reason: str) -> None:
        """Count what an operator should know, and write it into the log before long."""
        self.count(reason)
        self._unsaid[reason] += 1

    def _find_full(self, group: str | None) -> Literal["house", "peer"] | None:
        """Return what has no place for one more connection of a group of peers."""
        if group is not None and self._peers.get(group, 0) >= self._limits.connections_per_peer_max:
            self.count("peer_full")
            return "peer"
        if len(self.connections) >= self._limits.connections_max and not self._make_room():
            self.say("house_full")
            return "house"
        return None

    def _make_room(self) -> bool:
        """Close the connection that has been idle for longest; return whether there was one."""
        for connection in list(islice(self.idle, LOOKS_MAX)):
            if connection.close_idle():
                self.remove(connection)
                self.say("idle_closed")
                return True
        return False

    def _keep_descriptor(self) -> None:
        """Close idle connections when the process has no descriptor left: the kernel would refuse
        new ones without a word."""
        if descriptors.is_one_left():
            return
        self.say("no_descriptor")
        for _ in range(CLOSED_AT_ONCE):
            self._make_room()

    def _tell(self) -> None:
        """Log the events not logged yet, but not at every tick."""
        if self._unsaid and (self.tick - self._said) * self._limits.sweep_s >= SAY_EVERY_S:
            for reason, count in self._unsaid.items():
                _log.warning("connections were turned away", reason=reason, count=count)
            self._unsaid.clear()
            self._said = self.tick

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let a tick pass and end connections over their time."""
        self.tick += 1
        tick = self.tick
        self._keep_descriptor()
        self._tell()
        _open.labels(self._limits.listener).set(len(self.connections))
        for connection in [
            c
            for c in (*self.connections, *self.leaving)
            if c.deadline <= tick or c.write_deadline <= tick
        ]:
            connection.expire()
        self._timer = (
            loop.call_later(self._limits.sweep_s, self._sweep, loop)
            if self.connections or self.leaving
            else None
        )
