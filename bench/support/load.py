"""A load generator for loopback HTTP: raw bytes over kept-open connections, a few microseconds a
request, so that it measures the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import uvloop


@dataclass(slots=True)
class Result:
    """What a run came to."""

    seconds: float
    answers: int = 0
    refused: int = 0
    #: Requests sent, those of the warm-up too.
    sent: int = 0
    latencies: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Returns good answers a second."""
        return self.answers / self.seconds

    def percentile(self, share: float) -> float:
        """Returns the latency below which this share of the answers lay, in seconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class _Connection(asyncio.Protocol):
    """One client: sends a request when the last one is answered."""

    __slots__ = ("_buffer", "_ends", "_make", "_result", "_sent", "_transport", "_warm")

    def __init__(
        self, make: Callable[[], bytes], result: Result, *, warm: float, ends: float
    ) -> None:
        self._make = make
        self._result = result
        self._warm = warm
        self._ends = ends
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        """Count a whole answer and send the next request."""
        if self._buffer:
            data = self._buffer + data
        head = data.find(b"\r\n\r\n")
        at = data.find(b"content-length: ")
        if head < 0 or at < 0 or len(data) < head + 4 + int(data[at + 16 : data.find(b"\r", at)]):
            self._buffer = data
            return
        self._buffer = b""
        now = time.perf_counter()
        if self._sent >= self._warm:
            if data.startswith(b"HTTP/1.1 200"):
                self._result.answers += 1
                self._result.latencies.append(now - self._sent)
            else:
                self._result.refused += 1
        if now < self._ends:
            self._send()
        else:
            self._transport.close()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._result.sent += 1
        self._transport.write(self._make())  # type: ignore[attr-defined]


def run(
    port: int,
    make: Callable[[], bytes],
    *,
    connections: int,
    seconds: float = 6.0,
    warm_up: float = 2.0,
) -> Result:
    """Returns how a server fared under so many connections that each send what `make` returns, one
    request after the other."""
    result = Result(seconds)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        start = time.perf_counter()
        open_ones = [
            await loop.create_connection(
                lambda: _Connection(
                    make, result, warm=start + warm_up, ends=start + warm_up + seconds
                ),
                "127.0.0.1",
                port,
            )
            for _ in range(connections)
        ]
        await asyncio.sleep(warm_up + seconds)
        while any(not transport.is_closing() for transport, _ in open_ones):
            await asyncio.sleep(0.05)
            if time.perf_counter() > start + warm_up + seconds + 10:
                raise SystemExit("the server left requests unanswered for 10 s")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
    return result


def get(path: str, token: str) -> bytes:
    """Returns a GET request."""
    return f"GET {path} HTTP/1.1\r\nHost: desk\r\nAuthorization: Bearer {token}\r\nAccept: application/json\r\n\r\n".encode()


def post(path: str, token: str, body: bytes, *, key: str) -> bytes:
    """Returns a POST request with an idempotency key, as the vendor's SDK sends it."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: desk\r\nAuthorization: Bearer {token}\r\nAccept: "
        f"application/json\r\n"
        f"Content-Type: application/json\r\nidempotency-key: {key}\r\nContent-Length: "
        f"{len(body)}\r\n\r\n"
    )
    return head.encode() + body
