"""A started server for a bench: the real process on an embedded, durable PostgreSQL, with many
customers and much stock."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import asyncpg
import msgspec

from numdesk.config import Settings
from numdesk.domain.customers import tokens
from numdesk.kit.keyfile import KeyFile
from numdesk.kit.seal import Sealer
from numdesk.storage.database import postgres
from numdesk.storage.database.cluster import binaries

T = TypeVar("T")

START_PATIENCE_S = 60.0
#: What runs numdesk.
PROGRAM = (sys.executable, "-m", "numdesk")
CUSTOMERS = 1_000
FUNDS = 10**12
DIALECT, CURRENCY = "smscode", "IDR"


@dataclass(frozen=True, slots=True)
class Bencher:
    """A customer of the bench."""

    customer_id: int
    wallet_id: int
    token: str


@dataclass(slots=True)
class Bench:
    """A data folder with a server on it, and what is needed to load it."""

    data: Path
    port: int
    dsn: str
    process: subprocess.Popen[bytes]

    def sql(self, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        """Runs `work` on a connection of its own."""

        async def main() -> T:
            connection = await asyncpg.connect(self.dsn, command_timeout=600)
            try:
                return await work(connection)
            finally:
                await connection.close()

        return asyncio.run(main())

    def call(
        self, method: str, path: str, body: object = None, token: str | None = None
    ) -> dict[str, object]:
        """Calls the server."""
        data = msgspec.json.encode(body) if body is not None else None
        headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {token}"} if token else {}
        )
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", data, headers, method=method
        )
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310 - loopback
            return msgspec.json.decode(answer.read())

    def customers(self, count: int = CUSTOMERS) -> list[Bencher]:
        """Adds funded customers in bulk and returns them."""
        sealer = Sealer(KeyFile.load(Settings(data=self.data).key_path).keys)
        made = [
            tokens.make_token("test", random=os.urandom(40).hex()[: tokens.RANDOM_CHARACTERS])
            for _ in range(count)
        ]

        async def work(connection: asyncpg.Connection) -> list[Bencher]:
            rows = await connection.fetch(
                _CUSTOMERS,
                [sealer.fingerprint(token.encode()) for token in made],
                FUNDS,
                os.urandom(6).hex(),
            )
            return [
                Bencher(row["customer_id"], row["wallet_id"], token)
                for row, token in zip(rows, made, strict=True)
            ]

        return self.sql(work)

    def stock(self, count: int, *, countries: int = 20) -> list[int]:
        """Adds numbers of our own, spread over the first countries.

        Returns the local offers of these countries (one service each).
        """

        async def work(connection: asyncpg.Connection) -> list[int]:
            await connection.execute(
                """insert into numbers (msisdn, country_id, rnd)
                     select 990000000000 + i + (select count(*)
                       from numbers), c.ids[1 + i % cardinality(c.ids)],
                       (random() * 2147483646)::int
                       from generate_series(1, $1::int) i, (select array_agg(id order by id) ids
                         from (select id from countries order by id limit $2) x) c""",
                count,
                countries,
            )
            await connection.execute("vacuum analyze numbers")
            return [
                row[0]
                for row in await connection.fetch(
                    """select distinct on (o.country_id) o.id from offers o join offer_prices p
                        on p.offer_id = o.id and p.currency = 'IDR'
                     where o.provider = 'local' and o.operator_id is null
                       and o.country_id in (select id from countries order by id limit $1)
                     order by o.country_id, o.id""",
                    countries,
                )
            ]

        return self.sql(work)

    def pgbench(
        self, script: str, *, clients: int, seconds: int = 6, transactions: int | None = None
    ) -> tuple[float, float]:
        """Returns transactions a second and the 99th percentile in seconds of a script, run for a
        time or (each client) a count."""
        length = ["-T", str(seconds)] if transactions is None else ["-t", str(transactions)]
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "script.sql"
            file.write_text(script)
            done = subprocess.run(
                [
                    str(binaries() / "pgbench"),
                    "-n",
                    "-M",
                    "prepared",
                    "-f",
                    str(file),
                    "-c",
                    str(clients),
                    "-j",
                    "1",
                    *length,
                    "--log",
                    "--sampling-rate=0.2",
                    f"--log-prefix={folder}/log",
                    self.dsn,
                ],
                check=False,
                capture_output=True,
                text=True,
                timeout=seconds + 120,
            )
            found = re.search(r"^tps = ([0-9.]+)", done.stdout, re.MULTILINE)
            assert found is not None, done.stdout + done.stderr
            assert done.returncode == 0, done.stderr
            times = sorted(
                int(line.split()[2])
                for log in Path(folder).glob("log.*")
                for line in log.read_text().splitlines()
            )
            return float(found.group(1)), times[int(len(times) * 0.99)] / 1e6


_CUSTOMERS = """
with c as (insert into customers (name, state, created_at) select 'bench', 1, now()
  from unnest($1::bytea[]) returning id),
     n as (select id, row_number() over (order by id) k from c),
     a as (insert into accounts (kind, owner, currency, live) select 'wallet', id, 'IDR', true
       from n order by k returning id, owner),
     k as (insert into api_keys (customer_id, dialect, hash, shown, name, currency, scopes,
       created_at)
             select n.id, 'smscode', h.hash, 'bench', 'bench', 'IDR', '{0,1,2,3}', now() from n
               join unnest($1::bytea[]) with ordinality h(hash, k) using (k)),
     j as (insert into journals (reason, ref, at) values ('adjustment', 'bench:' || $3, now())
       returning id),
     t as (insert into transfers (journal_id, debit_id, credit_id, amount, currency)
             select j.id, system_account_v1('funding', 'manual', 'IDR'), a.id, $2, 'IDR' from j, a)
select n.id customer_id, a.id wallet_id from n join a on a.owner = n.id order by n.k"""


@contextlib.contextmanager
def started(
    *,
    workers: int = 1,
    program: Sequence[str] = PROGRAM,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Bench]:
    """Starts a sandbox, without rate limits unless `settings` say so, in a new data folder, and
    stops it in the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="numdesk-bench-") as folder:
        data = Path(folder) / "data"
        options = ["--listen", f"127.0.0.1:{port}", "--data", str(data), "--workers", str(workers)]
        process = subprocess.Popen(
            [*program, "serve", "--sandbox", *options],
            env={
                **os.environ,
                "NUMDESK_RATE_LIMITS": "off",
                "NUMDESK_LOG_LEVEL": "warning",
                "NUMDESK_OPS_LISTEN": "off",
                **settings,
            },
            stdout=subprocess.DEVNULL,
        )
        try:
            _wait(port, process)
            yield Bench(data, port, _dsn(data), process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    """Waits until the server is ready."""
    ends = time.monotonic() + START_PATIENCE_S
    while time.monotonic() < ends:
        if process.poll() is not None:
            raise SystemExit(f"the server ended with code {process.returncode}")
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer,
        ):
            if answer.status == 200:
                return
        time.sleep(0.1)
    raise SystemExit("the server did not become ready")


def _dsn(data: Path) -> str:
    """Returns how to reach the embedded PostgreSQL of a data folder."""
    found = postgres.running_dsn(data)
    assert found is not None, "a started server has a database"
    return found


def best_of(rounds: int, measure: Callable[[], float]) -> float:
    """Returns the median of some rounds."""
    return statistics.median(measure() for _ in range(rounds))


def tell(name: str, ratio: float, goal: str) -> None:
    """Prints the line by which a bench ends."""
    print(f"bench {name} {ratio:.2f} {goal}", flush=True)
