"""Rents a second over the partner API (signature, quote, key, number, money, commit), against
pgbench calling the command for one rent."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import random
import statistics
import time
from dataclasses import dataclass

import asyncpg
from bench.support.desk import Bench, started, tell
from bench.support.load import Result, run

PARTNERS = 500
STOCK = 160_000
FUNDS = 10**12
CONNECTIONS = 64
ROUNDS = 3
PATH = "/numbers/rent"
BODY = b'{"country":"Spain","rentType":"LONG","serviceIds":["google"],"period":"7"}'
PRICE, WEEK_H = 1200, 168
#: A signature may be five minutes old; the run itself takes a part of them.
WATCH_OFF_MS = 200_000

#: The command of one rent, as `storage/rentals/lifecycle.py:rent` calls it.
COMMAND = r"""
\set n random(0, {last})
\set pivot random(0, 2147483646)
select status from rent_numbers_v1(now(), array[(array[{customers}])[1 + :n]]::int[],
  array['partner'], array[(array[{wallets}])[1 + :n]]::bigint[],
  array[null]::bigint[], array['EUR'], array[gen_random_uuid()::text], array['\x00'::bytea],
    array[gen_random_uuid()::text], array[{country}], array[1], array[7],
  array[{hours}], array['{{{service}}}'], array[{price}]::bigint[], array[{price}]::bigint[],
  array['{{"country":"Spain","services":[{{"code":"google","name":"Google"}}]}}'::jsonb],
    array[:pivot]::int[]);
"""


@dataclass(frozen=True, slots=True)
class Partner:
    """A customer who signs."""

    customer_id: int
    api_key: str
    secret: bytes


def main() -> None:
    """Prints the ratio."""
    with started() as bench:
        partners = [_partner(bench) for _ in range(PARTNERS)]
        script = _prepare(bench, partners)
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(_rents(bench, partners))
            before = _count(bench)
            theirs.append(bench.pgbench(script, clients=16)[0])
            assert _count(bench) > before, "pgbench rents"
        ours.sort(key=lambda result: result.per_second)
        mine, peak = ours[ROUNDS // 2], statistics.median(theirs)
        print(
            f"  {mine.per_second:,.0f} rents/s over HTTP (p50 {mine.percentile(0.5) * 1000:.1f} "
            f"ms, p99 {mine.percentile(0.99) * 1000:.1f} ms), "
            f"pgbench {peak:,.0f}/s",
            flush=True,
        )
        tell("rent", mine.per_second / peak, "0.70")


def _partner(bench: Bench) -> Partner:
    made = bench.call("POST", "/sandbox/v1/customers", {"dialect": "partner", "balance": FUNDS})
    return Partner(
        int(str(made["customer_id"])), str(made["api_key"]), str(made["secret_key"]).encode()
    )


def _prepare(bench: Bench, partners: list[Partner]) -> str:
    """Adds numbers of the country and returns the pgbench script that rents for these customers."""
    customer_ids = [partner.customer_id for partner in partners]

    async def work(connection: asyncpg.Connection) -> str:
        country = await connection.fetchval(
            "select country_id from rental_countries where name = 'Spain'"
        )
        await connection.execute(
            """insert into numbers (msisdn, country_id, rnd)
                 select 990000000000 + i, $2::int, (random() * 2147483646)::int
                   from generate_series(1, $1::int) i""",
            STOCK,
            country,
        )
        await connection.execute("vacuum analyze numbers")
        wallets = await connection.fetch(
            "select a.id from unnest($1::bigint[]) with ordinality u(owner, n) join accounts a on "
            "a.owner = u.owner and a.kind = 'wallet' order by u.n",
            customer_ids,
        )
        service = await connection.fetchval("select id from services where code = 'google'")
        return COMMAND.format(
            last=len(partners) - 1,
            customers=",".join(map(str, customer_ids)),
            wallets=",".join(str(row[0]) for row in wallets),
            country=country,
            service=service,
            price=PRICE,
            hours=WEEK_H,
        )

    return bench.sql(work)


def _count(bench: Bench) -> int:
    async def work(connection: asyncpg.Connection) -> int:
        return await connection.fetchval("select count(*) from rentals") or 0

    return bench.sql(work)


def _rents(bench: Bench, partners: list[Partner]) -> Result:
    """Rents one number at a time, each for a random customer.

    Each request is signed with a time of its own, or it would be a repetition.
    """
    now_ms = int(time.time() * 1000)
    ages_ms = itertools.cycle(range(WATCH_OFF_MS))

    def make() -> bytes:
        return _head(random.choice(partners), now_ms - next(ages_ms)) + BODY

    result = run(bench.port, make, connections=CONNECTIONS)
    assert result.refused == 0, f"{result.refused} rents were refused"
    return result


def _head(partner: Partner, at_ms: int) -> bytes:
    signature = hmac.new(
        partner.secret, f"{at_ms}POST{PATH}".encode() + BODY, hashlib.sha256
    ).hexdigest()
    return (
        f"POST /api/v1{PATH} HTTP/1.1\r\nHost: desk\r\nX-Api-Key: "
        f"{partner.api_key}\r\nX-Signature: {signature}\r\nX-Timestamp: {at_ms}\r\n"
        f"Accept: application/json\r\nContent-Type: application/json\r\nContent-Length: "
        f"{len(BODY)}\r\n\r\n"
    ).encode()


if __name__ == "__main__":
    main()
