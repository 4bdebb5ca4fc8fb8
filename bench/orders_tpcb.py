"""Orders over HTTP against pgbench's TPC-B, in turns on one durable server: a yardstick that is not
ours.

Three promises: the rate of one process at 64 connections, of two processes at 256, and the
processor time of an order (server and database) for each microsecond of a TPC-B transaction.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

import asyncpg
import psutil
from bench.create_order import STOCK, order_result
from bench.support.desk import Bench, Bencher, started, tell

from numdesk.storage.database.cluster import binaries

ROUNDS = 3
SCALE, CLIENTS, SECONDS = 20, 16, 6
DATABASE = "tpcb"


def main(workers: int) -> None:
    """Print the lines for a server of so many processes."""
    connections = 64 if workers == 1 else 256
    with started(workers=workers) as bench:
        buyers, offers = bench.customers(), bench.stock(STOCK)
        dsn = prepare(bench)
        _orders(bench, buyers, offers, connections)
        rates, costs = [], []
        for _ in range(ROUNDS):
            ours = _orders(bench, buyers, offers, connections)
            theirs = _tpcb(bench, dsn)
            rates.append(ours[0] / theirs[0])
            costs.append(ours[1] / theirs[1])
            print(
                f"  {workers} processes, {connections} connections: {ours[0]:,.0f} orders/s at "
                f"{ours[1]:.0f} us, TPC-B {theirs[0]:,.0f}/s at {theirs[1]:.0f} us",
                flush=True,
            )
        if workers > 1:
            tell("orders_tpcb_two_processes", statistics.median(rates), "1.40")
            return
        tell("orders_tpcb", statistics.median(rates), "1.00")
        tell("orders_cpu_tpcb", statistics.median(costs), "<=1.10")


def prepare(bench: Bench) -> str:
    """Make the database of TPC-B beside that of the desk, and return its address."""

    async def work(connection: asyncpg.Connection) -> None:
        await connection.execute(f"create database {DATABASE}")

    bench.sql(work)
    dsn = urlsplit(bench.dsn)._replace(path=f"/{DATABASE}").geturl()
    _pgbench("-i", "-q", "-s", str(SCALE), dsn)
    return dsn


def _orders(
    bench: Bench, buyers: Sequence[Bencher], offers: Sequence[int], connections: int
) -> tuple[float, float]:
    """Return orders a second, and microseconds of processor time of server and database each."""
    before = _processor_s(bench.process.pid)
    result = order_result(bench, buyers, offers, connections)
    used = _processor_s(bench.process.pid) - before
    # Answers of the warm-up are not counted, what they cost is.
    return result.per_second, used * 1e6 / result.sent


def _tpcb(bench: Bench, dsn: str) -> tuple[float, float]:
    """Return transactions a second, and microseconds of the database's processor time each."""
    database = _postmaster(bench.process.pid)
    before = _processor_s(database)
    text = _pgbench(
        *("-n", "-M", "prepared", "-b", "tpcb-like", "-s", str(SCALE)),
        *("-c", str(CLIENTS), "-j", "1", "-T", str(SECONDS), dsn),
    )
    used = _processor_s(database) - before
    found = {line.partition(" ")[0]: line for line in text.splitlines()}
    tps = float(found["tps"].split()[2])
    count = next(
        int(line.split(":")[1].split("/")[0])
        for line in text.splitlines()
        if line.startswith("number of transactions actually processed")
    )
    return tps, used * 1e6 / count


def _pgbench(*arguments: str) -> str:
    done = subprocess.run(
        [str(binaries() / "pgbench"), *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _postmaster(pid: int) -> int:
    """Return the process of the embedded PostgreSQL of a server."""
    return next(
        child.pid for child in psutil.Process(pid).children() if child.name().startswith("postgres")
    )


def _processor_s(pid: int) -> float:
    """Return the processor time that a process and all it ever started have used, in seconds."""
    while True:
        own = psutil.Process(pid)
        try:
            every = [process.cpu_times() for process in (own, *own.children(recursive=True))]
        except psutil.NoSuchProcess:  # it ended meanwhile, and its time went to its parent
            continue
        return sum(t.user + t.system + t.children_user + t.children_system for t in every)


if __name__ == "__main__":
    for number in [int(text) for text in sys.argv[1:]] or [1, 2]:
        main(number)
