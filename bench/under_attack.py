"""The median that other customers see while one attacks, against the same in a calm run, in turns
on one server with its rate limits.

For each attack a line `bench under_attack_NAME RATIO <=1.00`: the median under attack, as a share
of what is promised, which is twice the calm median plus 5 ms. Other customers read balances, 100 a
second; where the attack is on webhooks, they wait for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import socket
import statistics
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence

import uvloop
from bench.support.attacker import (
    Attack,
    Flood,
    HangingNames,
    Idle,
    SignedFlood,
    attacking,
    request,
)
from bench.support.desk import Bench, Bencher, started, tell
from bench.support.load import get, post

ROUNDS = 2
MEASURE_S = 0.7
#: How long an attack, or the quiet after it, lasts before others are measured.
SETTLE_S = 0.4
CONNECTIONS = 4
PAUSE_S = 0.04
WEBHOOKS = 8
OPEN_ORDERS = 2_000
#: More orders at once are not sold.
ORDERS_AT_ONCE = 50
#: What the server may open, and how many connections the attacker wants.
DESCRIPTORS, IDLE = 1024, 1100
PROMISED_FACTOR, PROMISED_S = 2, 0.005

Measure = Callable[[], Awaitable[list[float]]]


def main() -> None:
    """Prints the lines."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as names,
        _hook() as hook,
        _free_port() as ops,
    ):
        names.bind(("127.0.0.1", 0))  # a name server that never answers
        limited = ["sh", "-c", f'ulimit -n {DESCRIPTORS}; exec "$@"', "sh", sys.executable]
        program = [
            *limited,
            "-m",
            "bench.support.silent_names",
            f"127.0.0.1:{names.getsockname()[1]}",
        ]
        settings = {
            "NUMDESK_RATE_LIMITS": "on",
            "NUMDESK_OPS_LISTEN": f"127.0.0.1:{ops}",
            "NUMDESK_SANDBOX_WEBHOOK_TARGETS": f"127.0.0.1:{hook.getsockname()[1]}",
        }
        with started(program=program, settings=settings) as bench:
            customers = bench.customers(60)
            offers = bench.stock(OPEN_ORDERS + 10_000)
            reads = _Reads(bench.port, customers[:40])
            webhooks = _Webhooks(bench, customers[40], offers, hook)
            for name, attack in _attacks(bench, customers[41:], offers, ops):
                _compare(
                    name,
                    attack,
                    webhooks.measure if isinstance(attack, HangingNames) else reads.measure,
                )


def _attacks(
    bench: Bench, attackers: Sequence[Bencher], offers: Sequence[int], ops: int
) -> Iterator[tuple[str, Attack]]:
    """Yields each attack with its name; what one needs is made when its turn comes."""
    port = bench.port
    yield "hanging_names", HangingNames(port, attackers[0].token)
    applied = bench.call("POST", "/auth/register", {"name": "bench", "email": "bench@example.com"})[
        "data"
    ]
    assert isinstance(applied, dict)
    body = b'{"country":"Spain","x":"' + b"x" * (8 * 1024 - 26) + b'"}'
    yield "signed_bodies", SignedFlood(port, applied["apiKey"], applied["secretKey"].encode(), body)
    yield (
        "unsigned_bodies",
        Flood(
            port,
            (
                request(
                    "POST", "/numbers/rent", f"X-Api-Key: {applied['apiKey']}\r\n", b"x" * 65_536
                ),
            ),
        ),
    )
    token = attackers[1].token
    yield (
        "huge_bodies",
        Flood(
            port, (post("/v1/orders/create", token, b"[" + b"1," * (1 << 19) + b"1]", key="bench"),)
        ),
    )
    forged = b'{"sign":"' + b"0" * 32 + b'","x":[' + b"1.50," * 200 + b'"' + b"x" * 15_000 + b'"]}'
    yield (
        "forged_callbacks",
        Flood(
            port,
            (
                request(
                    "POST", "/callbacks/cryptomus", "Content-Type: application/json\r\n", forged
                ),
            ),
        ),
    )
    token = attackers[2].token
    for _ in range(OPEN_ORDERS // ORDERS_AT_ONCE):
        bench.call(
            "POST",
            "/v1/orders/create",
            {"product_id": random.choice(offers), "quantity": ORDERS_AT_ONCE},
            token,
        )
    yield "active_orders", Flood(port, (get("/v1/orders/active", token),))
    yield "operators_pages", Flood(ops, (request("GET", "/metrics"), request("GET", "/readyz")))
    yield "idle_connections", Idle(port, IDLE)


def _compare(name: str, attack: Attack, measure: Measure) -> None:
    """Measures calm and under attack in turns, and prints the medians."""
    calm: list[float] = []
    attacked: list[float] = []
    answers: Counter[str] = Counter()
    for _ in range(ROUNDS):
        time.sleep(SETTLE_S)
        calm += uvloop.run(measure())
        with attacking(attack, answers):
            time.sleep(SETTLE_S)
            attacked += uvloop.run(measure())
    before, during = statistics.median(calm), statistics.median(attacked)
    print(
        f"  {name}: median calm {before * 1000:.1f} ms, under attack {during * 1000:.1f} ms; "
        f"attacker's answers {dict(answers)}",
        flush=True,
    )
    tell(f"under_attack_{name}", during / (PROMISED_FACTOR * before + PROMISED_S), "<=1.00")


class _Reads:
    """Customers who read their balances, so seldom that none meets a rate limit."""

    def __init__(self, port: int, customers: Sequence[Bencher]) -> None:
        self._port = port
        self._requests = itertools.cycle(
            [get("/v1/balance", customer.token) for customer in customers]
        )

    async def measure(self) -> list[float]:
        """Returns the latencies of a short while."""
        return list(
            itertools.chain.from_iterable(
                await asyncio.gather(*(self._read() for _ in range(CONNECTIONS)))
            )
        )

    async def _read(self) -> list[float]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        taken: list[float] = []
        ends = time.perf_counter() + MEASURE_S
        while (begun := time.perf_counter()) < ends:
            writer.write(next(self._requests))
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            assert head.startswith(b"HTTP/1.1 200"), head
            await reader.readexactly(
                int(head.partition(b"content-length: ")[2].partition(b"\r")[0])
            )
            taken.append(time.perf_counter() - begun)
            await asyncio.sleep(PAUSE_S)
        writer.close()
        return taken


class _Webhooks:
    """A customer who waits for the webhook of each message."""

    def __init__(
        self, bench: Bench, customer: Bencher, offers: Sequence[int], hook: socket.socket
    ) -> None:
        self._bench, self._hook, self._token, self._offers = bench, hook, customer.token, offers
        bench.call(
            "PATCH",
            "/v1/webhook",
            {"webhook_url": f"http://127.0.0.1:{hook.getsockname()[1]}/"},
            self._token,
        )

    async def measure(self) -> list[float]:
        """Returns how long each webhook took from its message on."""
        wanted = {"product_id": self._offers[0], "quantity": WEBHOOKS}
        data = self._bench.call("POST", "/v1/orders/create", wanted, self._token)["data"]
        assert isinstance(data, dict)
        return [
            await asyncio.to_thread(self._receive, order["phone_number"])
            for order in data["orders"]
        ]

    def _receive(self, number: str) -> float:
        begun = time.perf_counter()
        self._bench.call(
            "POST",
            "/sandbox/v1/messages",
            {"to": number, "from": "bench", "text": "Your code is 493817."},
        )
        with self._hook.accept()[0] as caller:
            caller.settimeout(10)
            received = caller.recv(65_536)
            while b"order.otp_received" not in received:
                received += caller.recv(65_536)
            caller.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        return time.perf_counter() - begun


@contextlib.contextmanager
def _hook() -> Iterator[socket.socket]:
    """Listens where the webhooks go."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        yield listener


@contextlib.contextmanager
def _free_port() -> Iterator[int]:
    """Yields a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    yield port


if __name__ == "__main__":
    main()
