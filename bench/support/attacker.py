"""An attacker in a process of its own: sends requests over some connections, or only holds
connections, until it is ended."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import itertools
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from typing import Any

import uvloop

#: Connections of one address that only stay open: fewer than an address may have.
IDLE_PER_ADDRESS = 200
#: After this time the attacker ends by itself, whatever became of the bench.
LIFE_S = 30.0
REOPEN_S = 0.005


@dataclass(frozen=True, slots=True)
class Flood:
    """Requests without a pause, over so many connections, from another address of this machine than
    the bench's."""

    port: int
    requests: tuple[bytes, ...]
    connections: int = 16

    async def run(self) -> None:
        """Send one request after the other on each connection."""
        turns = itertools.cycle(self.requests)
        await asyncio.gather(
            *(_send_for_ever(self.port, lambda: next(turns)) for _ in range(self.connections))
        )


@dataclass(frozen=True, slots=True)
class SignedFlood:
    """One signed request of a partner again and again, signed anew each time, over 16
    connections."""

    port: int
    key: str
    secret: bytes
    body: bytes

    async def run(self) -> None:
        """Sign and send."""
        await asyncio.gather(*(_send_for_ever(self.port, self._sign) for _ in range(16)))

    def _sign(self) -> bytes:
        at_ms = int(time.time() * 1000)
        signature = hmac.new(
            self.secret, f"{at_ms}POST/numbers/rent".encode() + self.body, hashlib.sha256
        ).hexdigest()
        lines = f"X-Api-Key: {self.key}\r\nX-Signature: {signature}\r\nX-Timestamp: {at_ms}\r\n"
        return request("POST", "/numbers/rent", lines, self.body)


@dataclass(frozen=True, slots=True)
class HangingNames:
    """A customer who moves the webhook from one host to the next.

    Their name servers never answer.
    """

    port: int
    token: str

    async def run(self) -> None:
        """Name host after host."""
        hosts = itertools.count()
        await asyncio.gather(
            *(_send_for_ever(self.port, lambda: self._move(next(hosts))) for _ in range(64))
        )

    def _move(self, number: int) -> bytes:
        body = b'{"webhook_url":"https://hook-%d.silent-names.com/"}' % number
        return request(
            "PATCH",
            "/v1/webhook",
            f"Authorization: Bearer {self.token}\r\nContent-Type: application/json\r\n",
            body,
        )


@dataclass(frozen=True, slots=True)
class Idle:
    """Connections from several addresses that never send a byte, and are opened again when they are
    closed."""

    port: int
    connections: int

    async def run(self) -> None:
        """Open and hold them."""
        await asyncio.gather(
            *(self._hold(f"127.0.0.{2 + n // IDLE_PER_ADDRESS}") for n in range(self.connections))
        )

    async def _hold(self, address: str) -> None:
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1", self.port, local_addr=(address, 0)
                )
                await reader.read()
                writer.close()
            await asyncio.sleep(0.5)


#: The attacker's process: how many answers began with each digit.
_counts: ContextVar[Any] = ContextVar("counts")

Attack = Flood | SignedFlood | HangingNames | Idle


@contextlib.contextmanager
def attacking(attack: Attack, answers: Counter[str]) -> Iterator[None]:
    """Attacks from a process of its own, until the block ends.

    Adds how the attacker was answered, such as "4xx", to `answers`.
    """
    context = multiprocessing.get_context("spawn")
    begun, counts = context.Event(), context.Array("q", 10)
    process = context.Process(target=_main, args=(attack, begun, counts), daemon=True)
    process.start()
    try:
        assert begun.wait(LIFE_S), "the attack began"
        yield
        assert process.is_alive(), "the attack lasted as long as the measurement"
    finally:
        process.kill()
        process.join()
        answers.update({f"{digit}xx": count for digit, count in enumerate(counts) if count})


def request(method: str, path: str, lines: str = "", body: bytes = b"") -> bytes:
    """Returns the bytes of a request."""
    return (
        f"{method} {path} HTTP/1.1\r\nHost: desk\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )


def _main(attack: Attack, begun: Event, counts: Any) -> None:
    async def attack_for_a_while() -> None:
        _counts.set(counts)
        begun.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(attack.run(), LIFE_S)

    uvloop.run(attack_for_a_while())


async def _send_for_ever(port: int, make: Callable[[], bytes]) -> None:
    """Send requests on one connection, each when the last one is answered.

    A connection that is closed is opened again.
    """
    while True:
        with contextlib.suppress(OSError, EOFError):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, local_addr=("127.0.0.2", 0)
            )
            try:
                await _send_on(reader, writer, make)
            finally:
                writer.close()
        await asyncio.sleep(REOPEN_S)


async def _send_on(reader: asyncio.StreamReader, writer: Any, make: Callable[[], bytes]) -> None:
    counts = _counts.get()
    while True:
        writer.write(make())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        counts[head[9] - ord("0")] += 1
        await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        if b"connection: close" in head:
            return
