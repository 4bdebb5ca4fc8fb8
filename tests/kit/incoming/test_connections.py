"""Rules of the register of connections."""

import asyncio
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs
from tests.kit.waiting import until

from numdesk.kit import descriptors
from numdesk.kit.incoming.connection_limits import ConnectionLimits
from numdesk.kit.incoming.connections import CLOSED_AT_ONCE, NEVER, ConnectionRegister


@dataclass(eq=False, slots=True)
class FakeConnection:
    """A connection that remembers when it was told to end."""

    register: ConnectionRegister
    deadline: int = NEVER
    write_deadline: int = NEVER
    peer: str | None = None
    expired_at: list[int] = field(default_factory=list)

    def expire(self) -> None:
        """End at once."""
        self.expired_at.append(self.register.tick)
        self.register.remove(self)

    def close_idle(self) -> bool:
        """Close, which is always possible."""
        self.expire()
        return True


class TestConnectionRegister:
    async def test_ends_each_connection_at_its_own_tick(self) -> None:
        """A deadline ends its connection at that tick, a deadline of NEVER ends none."""
        register = ConnectionRegister(ConnectionLimits(sweep_s=0.001))
        loop = asyncio.get_running_loop()
        soon, later, stuck, patient = (FakeConnection(register) for _ in range(4))
        soon.deadline, later.deadline, stuck.write_deadline = 2, 5, 3
        for connection in (soon, later, stuck, patient):
            register.add(connection, loop, "8.8.8.8")
        await until(lambda: register.tick >= 8)
        ended = [connection.expired_at for connection in (soon, stuck, later, patient)]
        assert ended == [[2], [3], [5], []]
        register.remove(patient)
        await until(lambda: not register.is_sweeping)

    async def test_counts_peers_exactly(self) -> None:
        """A peer's count rises and falls with its connections, and removing twice counts once."""
        register = ConnectionRegister(ConnectionLimits(connections_per_peer_max=2, sweep_s=0.001))
        loop = asyncio.get_running_loop()
        connections = [FakeConnection(register) for _ in range(4)]
        full = [register.add(connection, loop, "8.8.8.8") for connection in connections[:3]]
        assert full == [None, None, "peer"]
        for _ in range(2):
            register.remove(connections[0])
            register.remove(connections[2])
        assert register.add(connections[3], loop, "8.8.8.8") is None
        assert register.refusals == {"peer_full": 1}
        for connection in connections:
            register.remove(connection)
        await until(lambda: not register.is_sweeping)

    async def test_counts_refused_ones_neither_for_their_peer_nor_for_the_house(self) -> None:
        """However many connections of one peer are refused, and stay to take their answer, others
        find room."""
        register = ConnectionRegister(
            ConnectionLimits(connections_per_peer_max=2, connections_max=4, sweep_s=0.001)
        )
        loop = asyncio.get_running_loop()
        greedy, others = ([FakeConnection(register) for _ in range(count)] for count in (20, 2))
        assert [register.add(one, loop, "8.8.8.8") for one in greedy] == [None] * 2 + ["peer"] * 18
        assert [register.add(one, loop, "8.8.4.4") for one in others] == [None, None]
        assert len(register.connections) == 4
        assert register.refusals == {"peer_full": 18}
        for one in greedy[:2]:
            register.remove(one)
        late = FakeConnection(register)
        assert register.add(late, loop, "8.8.8.8") is None
        for one in (*greedy, *others, late):
            register.remove(one)
        await until(lambda: not register.is_sweeping)

    async def test_makes_room_when_the_process_has_no_descriptor_left(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Idle connections are closed then, oldest first, and the log says so."""
        monkeypatch.setattr(descriptors, "is_one_left", lambda: False)
        register = ConnectionRegister(ConnectionLimits(sweep_s=0.001))
        connections = [FakeConnection(register) for _ in range(CLOSED_AT_ONCE + 1)]
        with capture_logs() as log:
            for connection in connections:
                register.add(connection, asyncio.get_running_loop(), "127.0.0.1")
            await until(lambda: register.tick >= 1)
        assert [len(connection.expired_at) for connection in connections][:CLOSED_AT_ONCE] == [
            1
        ] * CLOSED_AT_ONCE
        assert {line["reason"] for line in log} >= {"no_descriptor"}
        for connection in connections:
            register.remove(connection)
        await until(lambda: not register.is_sweeping)
