"""Webhooks for tests: a renderer with a short schedule, events, and a receiver that answers as a
test scripts it."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.kit.receiver import Receiver, receiving
from tests.support.desk import DIALECT, DeskOfTest

from numdesk.domain.customers.callers import Caller
from numdesk.ports.rendering import EventFacts
from numdesk.usecases.webhooks import deliveries, endpoints

#: An event that the dialect has no word for, and one at which its renderer breaks.
UNSPOKEN, BROKEN = "order.unspoken", "order.broken"


@dataclass
class RendererOfTest:
    """A dialect's renderer; the numbers are a test's to choose."""

    timeout_s: float = 3.0
    retry_delays_s: tuple[float, ...] = (10.0,) * 4
    failures_max: int = 10
    disabled_reason: str = "too_many_failures"

    def render(self, facts: EventFacts) -> bytes | None:
        """Write the event as JSON, or nothing."""
        if facts.kind == BROKEN:
            raise KeyError("a fault of ours")
        return (
            None
            if facts.kind == UNSPOKEN
            else json.dumps({"event": facts.kind, "data": facts.document}).encode()
        )

    def headers(self, body: bytes, *, secret: bytes | None, delivery_id: str) -> Mapping[str, str]:
        """Sign with the secret."""
        signature = (
            {} if secret is None else {"X-Signature": hmac.digest(secret, body, "sha256").hex()}
        )
        return {"Content-Type": "application/json", "X-Delivery": delivery_id, **signature}


@dataclass(frozen=True)
class Post:
    """One request as the receiver saw it."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def data(self) -> dict[str, Any]:
        """What the event said."""
        return json.loads(self.body)["data"]


@dataclass
class Inbox:
    """A receiver and how it answers: `script` gives what to do with the n-th request, a status, a
    word, or the bytes to end with."""

    script: Callable[[int], int | str | bytes] = lambda _: 200
    answered: int = 0
    hanging: int = 0
    receiver: Receiver = field(default_factory=Receiver)
    _answered: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def have_answered(self, count: int) -> None:
        """Wait until so many requests were answered, or left hanging."""
        async with self._answered:
            await self._answered.wait_for(lambda: self.answered >= count)

    @property
    def posts(self) -> list[Post]:
        """Every request so far."""
        return [_parse(raw) for raw in self.receiver.requests]

    async def answer(self, writer: asyncio.StreamWriter) -> None:
        """Do with this request what the script says."""
        async with self._answered:
            self.answered += 1
            self._answered.notify_all()
        match self.script(self.answered):
            case "reset":
                writer.transport.abort()
            case "close":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok")
                writer.close()
            case "hang":
                self.hanging += 1
                await asyncio.Event().wait()
            case bytes() as answer:
                writer.write(answer)
                writer.close()
            case status:
                writer.write(f"HTTP/1.1 {status} Word\r\nContent-Length: 6\r\n\r\nanswer".encode())


@asynccontextmanager
async def open_inbox(
    desk: DeskOfTest, script: Callable[[int], int | str | bytes] = lambda _: 200
) -> AsyncIterator[Inbox]:
    """Listen for the length of the block; the desk's address guard lets webhooks through to it."""
    inbox = Inbox(script)
    async with receiving(inbox.answer) as receiver:
        inbox.receiver = receiver
        excused = deliveries.sender_of(desk.rt).excused
        deliveries.allow(desk.rt, addresses=[*excused, ("127.0.0.1", receiver.port)])
        yield inbox


async def subscribe(desk: DeskOfTest, inbox: Inbox) -> Caller:
    """Makes a customer whose webhooks go to the inbox."""
    caller = await desk.customer()
    await endpoints.change_endpoint(desk.rt, caller, url=inbox.receiver.url(), secret="s3cret")
    return caller


async def write_events(
    desk: DeskOfTest, caller: Caller, count: int = 1, *, kind: str = "order.received"
) -> None:
    """Writes events with the data {"n": 1}, {"n": 2}..."""
    await desk.pool.execute(
        """insert into events (customer_id, dialect, kind, document, at)
           select $1, $2, $3, jsonb_build_object('n', n), now() from generate_series(1, $4) n""",
        caller.customer_id,
        DIALECT,
        kind,
        count,
    )


def _parse(raw: bytes) -> Post:
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = [line.partition(": ") for line in head.decode().split("\r\n")[1:]]
    return Post({name.lower(): value for name, _, value in lines}, body)
