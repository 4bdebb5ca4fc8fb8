"""Measures webhooks a second, from events in the database to recorded deliveries, against the bare
HTTP client.

Both post to the same receiver in a process of its own, with the same client under the same address
guard, in turns; the bare one has its bodies ready-made. Prints `bench webhooks RATIO 0.6` last: the
ratio that was reached and the one that is promised.
"""

from __future__ import annotations

import asyncio
import gc
import hmac
import multiprocessing
import secrets
import statistics
import tempfile
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from numdesk.config import Settings
from numdesk.kit.clock import Clock
from numdesk.kit.keyfile import Key
from numdesk.kit.outgoing.http import OutgoingHttp
from numdesk.kit.outgoing.policy import EgressPolicy
from numdesk.kit.seal import Sealer
from numdesk.ports.rendering import EventFacts
from numdesk.runtime import Runtime
from numdesk.storage.database.migrate import migrate
from numdesk.storage.database.pool import Database
from numdesk.storage.database.postgres import open_database
from numdesk.storage.webhooks import deliveries as rows
from numdesk.usecases.webhooks import deliveries
from numdesk.usecases.webhooks.attempts import secret_context

PROMISE = 0.6
ROUNDS = 7
EVENTS = 12_000
ENDPOINTS = 8
CONCURRENCY = 64
SECRET = b"0123456789abcdef" * 4
DOCUMENT = {
    "order_id": 1042, "phone_number": "+6281234567890", "otp_code": "493817", "otp_message": "Your code is 493817. Do not share it.",
    "sms_revision": 1, "product_id": 77, "catalog_product_id": 12, "country": "Indonesia", "platform": "WhatsApp", "operator_id": 3,
    "operator_name": "Telkomsel", "can_cancel": False, "can_finish": True, "can_resend": True, "can_replace": False,
}  # fmt: skip


class Renderer:
    """A dialect's renderer of usual cost: JSON and an HMAC."""

    timeout_s = 3.0
    retry_delays_s = (1.0, 5.0, 30.0, 120.0)
    failures_max = 10
    disabled_reason = "consecutive_failed_user_endpoint"

    def render(self, facts: EventFacts) -> bytes | None:
        """Write the event as JSON."""
        return msgspec.json.encode(
            {"event": facts.kind, "timestamp": facts.at, "data": facts.document}
        )

    def headers(self, body: bytes, *, secret: bytes | None, delivery_id: str) -> Mapping[str, str]:
        """Sign the body."""
        signature = hmac.digest(secret or b"", body, "sha256").hex()
        return {
            "Content-Type": "application/json",
            "X-Webhook-Signature": f"sha256={signature}",
            "Webhook-Id": delivery_id,
        }


class Receiver(asyncio.Protocol):
    """Answers 200 to every POST, as fast as Python can."""

    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    def connection_made(self, transport: Any) -> None:
        """Begin with nothing received."""
        self.transport, self.received = transport, b""

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            start = self.received.lower().find(b"content-length:", 0, end)
            length = int(self.received[start + 15 : self.received.find(b"\r\n", start)])
            if len(self.received) < end + 4 + length:
                return
            self.received = self.received[end + 4 + length :]
            self.transport.write(self.answer)


def receive(pipe: Connection) -> None:
    """Listen in a process of its own, tell the port, and end with the parent."""

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    uvloop.run(serve())


async def post_bare(rt: Runtime, *, port: int) -> float:
    """Post ready-made bodies with the same client; return posts a second."""
    policy = EgressPolicy(
        allowed=frozenset({("127.0.0.1", port)}), total_timeout_s=3.0, connect_timeout_s=3.0
    )
    facts = EventFacts(1, "order.otp_received", rt.clock.now(), DOCUMENT)
    body = Renderer().render(facts)
    assert body is not None
    headers = Renderer().headers(body, secret=SECRET, delivery_id="whd_1")
    left = iter(range(EVENTS))

    async def work() -> None:
        for _ in left:
            answer = await rt.http.post(
                f"http://127.0.0.1:{port}/hook", body=body, headers=headers, policy=policy
            )
            assert answer.status == 200

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
    return EVENTS / (time.perf_counter() - started)


async def deliver(rt: Runtime, *, customers: list[int]) -> float:
    """Deliver as many events from the database; return deliveries a second."""
    document = msgspec.json.encode(DOCUMENT).decode()
    async with rt.transaction("bench.events") as tx:
        await tx.execute(
            """insert into events (customer_id, dialect, kind, document, at)
               select c, 'bench', 'order.otp_received', $2::jsonb, now()
                 from unnest($1::int[]) c, generate_series(1, $3)""",
            customers, document, EVENTS // len(customers))  # fmt: skip
    stop = asyncio.Event()
    started = time.perf_counter()
    loop = asyncio.create_task(deliveries.keep_delivering(rt, stop=stop))
    deliveries.wake(rt)
    sender = deliveries.sender_of(rt)
    while not sender.is_idle() or await rt.repeat(
        "bench.due", lambda tx: rows.is_anything_due(tx, now=rt.clock.now(), without=())
    ):
        await asyncio.sleep(0.005)
    elapsed = time.perf_counter() - started
    stop.set()
    deliveries.wake(rt)
    await loop
    return EVENTS / elapsed


async def arrange(rt: Runtime, *, port: int) -> list[int]:
    """Make customers, each with an endpoint."""
    async with rt.transaction("bench.arrange") as tx:
        customers = [
            row["id"]
            for row in await tx.fetch(
                "insert into customers (name, state, created_at) select 'bench', 1, now() from "
                "generate_series(1, $1) returning id",
                ENDPOINTS,
            )
        ]
        for customer in customers:
            await tx.execute(
                "insert into webhook_endpoints (customer_id, dialect, url, secret, updated_at) "
                "values ($1, 'bench', $2, $3, now())",
                customer, f"http://127.0.0.1:{port}/hook/{customer}", rt.keys.seal(SECRET, context=secret_context(customer, "bench")))  # fmt: skip
    deliveries.allow(rt, addresses=[("127.0.0.1", port)])
    return customers


async def measure(port: int, *, folder: Path) -> float:
    """Run both in turns and return the median ratio."""
    clock = Clock()
    async with open_database(None, data=folder) as dsn:
        await migrate(dsn)
        database = await Database.open(dsn)
        rt = Runtime(
            settings=Settings(), clock=clock, http=OutgoingHttp(clock), keys=Sealer([Key(b"\0\0\0\1", secrets.token_bytes(32))]),
            suppliers={}, renderers={"bench": Renderer()}, rate_sources={}, database=database)  # fmt: skip
        customers = await arrange(rt, port=port)
        settle_memory()
        ratios = []
        for _ in range(ROUNDS):
            bare = await post_bare(rt, port=port)
            ours = await deliver(rt, customers=customers)
            ratios.append(ours / bare)
            print(f"bare client {bare:.0f}/s, webhooks {ours:.0f}/s, ratio {ours / bare:.2f}")
        failed = await rt.repeat(
            "bench.failed",
            lambda tx: tx.fetchval(
                "select count(*) from webhook_deliveries where state <> 1 or attempts <> 1"
            ),
        )
        assert failed == 0, f"{failed} deliveries did not arrive at once"
        await rt.http.close()
        await database.close()
    return statistics.median(ratios)


def settle_memory() -> None:
    """Do as `numdesk serve` does once it has started."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def main() -> None:
    """Measure and print the ratio."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=receive, args=(theirs,), daemon=True
    )
    process.start()
    try:
        with tempfile.TemporaryDirectory(prefix="numdesk-bench-") as folder:
            Path(folder).chmod(0o711)
            ratio = uvloop.run(measure(ours.recv(), folder=Path(folder)))
    finally:
        process.terminate()
        process.join()
    print(f"bench webhooks {ratio:.2f} {PROMISE}")


if __name__ == "__main__":
    main()
