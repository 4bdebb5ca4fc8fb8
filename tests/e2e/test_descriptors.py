"""A server that may open few files: it says so, serves whoever asks, and closes its front door to
nobody without a word."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import httpx
from tests.e2e.conftest import StartServer
from tests.support.serving import Server
from tests.support.waiting import eventually

from numdesk.kit.descriptors import room_for_connections

DESCRIPTORS = 256
ROOM = room_for_connections(DESCRIPTORS)


@contextmanager
def connections(server: Server, count: int, sent: bytes = b"") -> Iterator[list[socket.socket]]:
    """Yields so many connections that have sent this and no more."""
    with ExitStack() as stack:
        made = [
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            for _ in range(count)
        ]
        for one in made:
            one.sendall(sent)
        yield made


def status(server: Server) -> int:
    """Returns how a request on a connection of its own is answered."""
    return httpx.get(f"{server.base_url}/healthz", trust_env=False).status_code


async def comes_true(is_so: Callable[[], bool]) -> None:
    """Waits until it is so."""

    async def look() -> None:
        assert is_so()

    await eventually(look, within_s=60)


def turned_away(server: Server, reason: str) -> int:
    """Returns how many connections were turned away for a reason, by the metrics."""
    text = httpx.get(f"{server.ops_url}/metrics", trust_env=False).text
    found = re.search(
        rf'numdesk_connections_turned_away_total\{{listener="customers",reason="{reason}"\}} (\S+)',
        text,
    )
    return int(float(found[1])) if found else 0


async def test_few_descriptors_close_the_door_to_nobody(start_server: StartServer) -> None:
    """Idle connections make room, oldest first.

    Where none is idle the next gets a 503 and is counted, until there is room again.
    """
    server = start_server(after=f"ulimit -n {DESCRIPTORS}")
    with connections(server, 2 * ROOM) as idle:
        assert status(server) == 200
        idle[0].settimeout(60)
        assert idle[0].recv(1) == b""
        await comes_true(lambda: turned_away(server, "idle_closed") >= ROOM)
    with connections(server, ROOM, b"GET /healthz HTTP/1.1\r\n"):
        await comes_true(lambda: status(server) == 503)
        await comes_true(lambda: turned_away(server, "house_full") >= 1)
    await comes_true(lambda: status(server) == 200)
