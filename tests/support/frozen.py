"""A way to PostgreSQL that a test can freeze: what is on it stays, nothing moves, and nothing is
refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs, urlsplit


class FrozenWay:
    """Passes bytes between clients and a server while it is open."""

    def __init__(self, dsn: str) -> None:
        """Lead to the server of a URL with a socket's folder in it."""
        self._url = urlsplit(dsn)
        self._query = {name: values[-1] for name, values in parse_qs(self._url.query).items()}
        self._open = asyncio.Event()
        self._open.set()
        self._clients: set[asyncio.Task[None]] = set()
        self.port = 0

    @property
    def dsn(self) -> str:
        """The same database by this way."""
        return f"postgresql://{self._url.username}:{self._url.password or ''}@127.0.0.1:{self.port}{self._url.path}?sslmode=disable"

    def freeze(self) -> None:
        """Let nothing through from now on."""
        self._open.clear()

    def thaw(self) -> None:
        """Let through what has waited, and what comes."""
        self._open.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass the bytes of one client on, both ways, until either side ends."""
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        there = f"{self._query['host']}/.s.PGSQL.{self._query.get('port', '5432')}"
        from_server, to_server = await asyncio.open_unix_connection(there)
        ways = [
            asyncio.ensure_future(self._pass(reader, to_server)),
            asyncio.ensure_future(self._pass(from_server, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (writer, to_server):
                end.close()
            self._clients.discard(task)

    async def close(self) -> None:
        """End all clients."""
        for task in list(self._clients):
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                await self._open.wait()
                writer.write(data)
                await writer.drain()


@asynccontextmanager
async def way_to(dsn: str) -> AsyncIterator[FrozenWay]:
    """Listen for the length of the block."""
    way = FrozenWay(dsn)
    server = await asyncio.start_server(way.serve, "127.0.0.1", 0)
    way.port = server.sockets[0].getsockname()[1]
    try:
        yield way
    finally:
        server.close()
        await way.close()
