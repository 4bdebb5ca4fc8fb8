"""The same HTTP server as numdesk's, guard and all, with an application that answers constant
bytes: what a read can cost at least."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator

import uvicorn
import uvloop

from numdesk.kit.incoming.guarded_protocol import ConnectionLimits, make_protocol


def serve(port: int, size: int) -> None:
    """Answers every request with `size` bytes, until killed."""
    body = b"x" * size
    head = {
        "type": "http.response.start",
        "status": 200,
        "headers": [
            (b"content-type", b"application/json"),
            (b"content-length", str(size).encode()),
            (b"x-request-id", b"0123456789abcdef"),
        ],
    }
    tail = {"type": "http.response.body", "body": body}

    async def app(_scope: object, _receive: object, send: object) -> None:
        await send(head)  # type: ignore[operator]
        await send(tail)  # type: ignore[operator]

    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        http=make_protocol(ConnectionLimits()),
        loop="uvloop",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=False,
    )
    uvloop.run(uvicorn.Server(config).serve())


@contextlib.contextmanager
def started(size: int) -> Iterator[int]:
    """Starts the server in a process of its own and yields its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.support.constant", str(port), str(size)]
    )
    try:
        asyncio.run(_open(port))
        yield port
    finally:
        process.terminate()
        process.wait(10)


async def _open(port: int) -> None:
    """Waits until the port answers."""
    for _ in range(200):
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.05)
    raise SystemExit("the constant server did not start")


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))
