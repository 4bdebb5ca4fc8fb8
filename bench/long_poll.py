"""Memory of one client that waits in a long poll, and of an idle server process."""

from __future__ import annotations

import asyncio
import resource
import time

import psutil
import uvloop
from bench.support.desk import Bench, started, tell
from bench.support.load import get

CLIENTS = 10_000
GOAL_KB = 12


def main() -> None:
    """Prints kilobytes a client and megabytes of the idle process."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with started() as bench:
        server = psutil.Process(bench.process.pid)
        buyers = bench.customers(100)
        offers = bench.stock(1_000)
        requests = []
        for n in range(100):
            made = bench.call(
                "POST",
                "/v1/orders/create",
                {"product_id": offers[n % len(offers)]},
                buyers[n].token,
            )
            requests.append(
                get(f"/v1/orders/{made['data']['orders'][0]['id']}?wait=25", buyers[n].token)
            )  # type: ignore[index]
        time.sleep(1)
        idle = _resident(server)
        waiting = uvloop.run(_wait_many(bench, requests, server))
        print(
            f"  idle process {idle / 1e6:,.0f} MB resident, with {CLIENTS:,} waiting clients "
            f"{waiting / 1e6:,.0f} MB",
            flush=True,
        )
        tell("idle_megabytes", idle / 1e6, "-")
        tell("long_poll_kilobytes", (waiting - idle) / CLIENTS / 1000, f"<={GOAL_KB}")


def _resident(process: psutil.Process) -> int:
    return process.memory_info().rss


async def _wait_many(bench: Bench, requests: list[bytes], server: psutil.Process) -> int:
    """Returns the server's resident memory while all clients wait; then lets them go."""
    gate = asyncio.Semaphore(200)
    streams: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def open_one(n: int) -> None:
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", bench.port)
            writer.write(requests[n % len(requests)])
            await writer.drain()
            streams.append((reader, writer))

    await asyncio.gather(*(open_one(n) for n in range(CLIENTS)))
    await asyncio.sleep(3)
    resident = _resident(server)
    assert len(streams) == CLIENTS
    answers = await asyncio.gather(
        *(asyncio.wait_for(reader.readline(), 60) for reader, _ in streams)
    )
    assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers), (
        "every waiting client is answered"
    )
    for _, writer in streams:
        writer.close()
    return resident


if __name__ == "__main__":
    main()
