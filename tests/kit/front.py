"""A guarded listener on loopback, and a raw client that says exactly what a test tells it to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.kit.waiting import until
from uvicorn.config import Config
from uvicorn.server import ServerState

from numdesk.kit.incoming.body import App, ClientGone, read_body
from numdesk.kit.incoming.connection_limits import ConnectionLimits
from numdesk.kit.incoming.guarded_protocol import GuardedProtocol, make_protocol

#: Fast enough for tests, slow enough that an honest request is never late.
QUICK: dict[str, Any] = {
    "head_s": 0.1,
    "body_s": 0.1,
    "idle_s": 0.1,
    "stall_s": 0.1,
    "linger_s": 0.05,
    "sweep_s": 0.02,
}

GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"


@dataclass(slots=True)
class Front:
    """The listener, and what its application saw."""

    port: int
    protocol: type[GuardedProtocol]
    requests: list[tuple[str, bytes]] = field(default_factory=list)
    headers: list[list[tuple[bytes, bytes]]] = field(default_factory=list)
    gone: int = 0
    clients: "list[Client]" = field(default_factory=list)
    #: Set by a test to let `/wait` answer.
    go: asyncio.Event = field(default_factory=asyncio.Event)
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        """Echo the body.

        `/wait` answers later, `/big` answers with eight megabytes, `/rude` before reading.
        """
        self.headers.append(scope["headers"])
        self.reached.set()
        body = b""
        if scope["path"] != "/rude":
            try:
                body = await read_body(scope, receive, bytes_max=10_000_000)
            except ClientGone:
                self.gone += 1
                return
        if scope["path"] == "/wait":
            await self.go.wait()
        self.requests.append((scope["path"], body))
        answer = b"x" * 8_000_000 if scope["path"] == "/big" else body
        headers = [(b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def dial(self) -> "Client":
        """Return a new connection."""
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 24))
        self.clients.append(client)
        return client


@dataclass(slots=True)
class Client:
    """One connection to the listener."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def say(self, data: bytes) -> None:
        """Send bytes."""
        self.writer.write(data)

    async def answer(self) -> tuple[int, bytes]:
        """Read one answer with a length; return its status and body."""
        async with asyncio.timeout(60):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            return int(head[9:12]), await self.reader.readexactly(length)

    async def rest(self) -> bytes:
        """Read until the listener closes; a reset counts as closing."""
        data = b""
        try:
            async with asyncio.timeout(60):
                while chunk := await self.reader.read(65536):
                    data += chunk
        except ConnectionError:
            pass
        return data

    async def drip(self, data: bytes, *, every_s: float = 0.01) -> bytes:
        """Send one byte after another for as long as the listener takes them.

        Return what it said.
        """
        reading = asyncio.ensure_future(self.rest())
        while not reading.done():
            self.writer.write(data)
            await asyncio.wait([reading], timeout=every_s)
        return reading.result()


@asynccontextmanager
async def guarded(app: App | None = None, **limits: Any) -> AsyncIterator[Front]:
    """Listen for the length of the block with quick limits, changed by `limits`."""
    protocol = make_protocol(ConnectionLimits(**{**QUICK, **limits}))
    front = Front(port=0, protocol=protocol)
    config = Config(app or front.app, interface="asgi3", ws="none", log_config=None, lifespan="off")
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: protocol(config, state, {}), "127.0.0.1", 0)
    front.port = server.sockets[0].getsockname()[1]
    try:
        yield front
    finally:
        server.close()
        for client in front.clients:
            client.writer.transport.abort()
            client.writer.close()
        for connection in list(state.connections):
            connection.transport.abort()
        for task in list(state.tasks):
            task.cancel()
        await asyncio.gather(*state.tasks, return_exceptions=True)
        await server.wait_closed()
        await until(lambda: not protocol.register.connections)
