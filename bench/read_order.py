"""Reads of one order a second over HTTP, against the same server answering constant bytes of the
same size."""

from __future__ import annotations

import random
import socket

from bench.support import constant
from bench.support.desk import Bench, started, tell
from bench.support.load import Result, get, run

ORDERS = 2_000
CONNECTIONS = 64
ROUNDS = 3


def main() -> None:
    """Prints the ratio."""
    with started() as bench:
        buyers = bench.customers(200)
        offers = bench.stock(20_000)
        requests = []
        for n in range(ORDERS):
            token = buyers[n % len(buyers)].token
            made = bench.call(
                "POST", "/v1/orders/create", {"product_id": offers[n % len(offers)]}, token
            )
            requests.append(get(f"/v1/orders/{made['data']['orders'][0]['id']}", token))  # type: ignore[index]
        size = len(_body(bench, requests[0]))
        with constant.started(size) as port:
            rounds = [(_reads(bench.port, requests), _reads(port, requests)) for _ in range(ROUNDS)]
        rounds.sort(key=lambda pair: pair[0].per_second / pair[1].per_second)
        ours, bare = rounds[len(rounds) // 2]
        print(
            f"  {ours.per_second:,.0f} reads/s (p99 {ours.percentile(0.99) * 1000:.1f} ms), "
            f"{size} constant bytes {bare.per_second:,.0f}/s",
            flush=True,
        )
        tell("read_order", ours.per_second / bare.per_second, "0.50")


def _reads(port: int, requests: list[bytes]) -> Result:
    result = run(
        port, lambda: random.choice(requests), connections=CONNECTIONS, seconds=4, warm_up=1
    )
    assert result.refused == 0, f"{result.refused} reads were refused"
    return result


def _body(bench: Bench, request: bytes) -> bytes:
    """Returns the body that a read is answered with."""
    with socket.create_connection(("127.0.0.1", bench.port), timeout=5) as connection:
        connection.sendall(request)
        return connection.recv(65_536).partition(b"\r\n\r\n")[2]


if __name__ == "__main__":
    main()
