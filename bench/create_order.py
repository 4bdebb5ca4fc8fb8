"""Orders a second over HTTP, against pgbench calling the same SQL command for one order, in turns
on one durable server.

Four promises: one process at 64 connections, two processes at 256, one customer's wallet, and the
99th percentile.
"""

from __future__ import annotations

import random
import secrets
import statistics
import sys
from collections.abc import Callable, Sequence

import asyncpg
from bench.support.desk import Bench, Bencher, started, tell
from bench.support.load import Result, post, run

ROUNDS = 2
STOCK = 600_000

#: A command answers "busy" when another transaction has the wallet, and the server asks again.
#: pgbench, on one wallet, waits its turn in the same statement instead, so that each of its
#: transactions is an order.
IN_TURN = (
    "with turn as materialized (select from accounts where id = {wallet} for update) ",
    "turn, ",
)
#: The command of one order, as `storage/orders/sales.py:sell_from_stock` calls it.
COMMAND = r"""
\set n random(0, {last})
\set o random(0, {offers_last})
\set pivot random(0, 2147483646)
{first}select status from {second}create_orders_v2(now(), interval '20 minutes',
  array[{first_wallet} + :n]::bigint[], array[]::bigint[], json_build_array(json_build_object(
    'customer_id', {first_customer} + :n, 'dialect', 'smscode', 'wallet_id', {first_wallet} + :n,
    'currency', 'IDR', 'key', gen_random_uuid(), 'fingerprint', 'AA==',
    'offer_id', (array[{offers}])[1 + :o], 'price', (array[{prices}])[1 + :o], 'quantity', 1,
    'context', '{{}}', 'pivot', :pivot)));
"""


def main(workers: int) -> None:
    """Prints the lines for a server of so many processes."""
    with started(workers=workers) as bench:
        buyers = bench.customers()
        offers = bench.stock(STOCK)
        prices = _prices(bench, offers)
        everybody = _script(buyers, offers, prices)
        if workers > 1:
            many, peak = _alternate(
                lambda: order_result(bench, buyers, offers, 256),
                lambda: bench.pgbench(everybody, clients=16),
            )
            _say(f"{workers} processes, 256 connections", many, peak)
            tell("create_order_two_processes", many.per_second / peak[0], "1.40")
            return
        crowds: list[float] = []

        def theirs() -> tuple[float, float]:
            crowds.append(bench.pgbench(everybody, clients=64)[1])
            return bench.pgbench(everybody, clients=16)

        many, peak = _alternate(lambda: order_result(bench, buyers, offers, 64), theirs)
        _say("1,000 wallets, 64 connections", many, peak)
        one = _script(buyers[:1], offers, prices, in_turn=True)
        single, lonely = _alternate(
            lambda: order_result(bench, buyers[:1], offers, 64),
            lambda: bench.pgbench(one, clients=16),
        )
        _say("one wallet, 64 connections", single, lonely)
        tell("create_order", many.per_second / peak[0], "1.00")
        tell("create_order_p99", many.percentile(0.99) / statistics.median(crowds), "<=0.60")
        tell("create_order_one_wallet", single.per_second / lonely[0], "4.00")


def order_result(
    bench: Bench, buyers: Sequence[Bencher], offers: Sequence[int], connections: int
) -> Result:
    """Orders one number at a time, each from a random customer and offer."""
    bodies = [b'{"product_id":%d,"quantity":1}' % offer for offer in offers]
    tokens = [buyer.token for buyer in buyers]

    def make() -> bytes:
        return post(
            "/v1/orders/create",
            random.choice(tokens),
            random.choice(bodies),
            key=secrets.token_hex(16),
        )

    result = run(bench.port, make, connections=connections)
    assert result.refused == 0, f"{result.refused} orders were refused"
    return result


def _alternate(
    ours: Callable[[], Result], theirs: Callable[[], tuple[float, float]]
) -> tuple[Result, tuple[float, float]]:
    """Measures both in turns and returns the round of each that lies in the middle by speed."""
    results, peaks = [], []
    for _ in range(ROUNDS):
        results.append(ours())
        peaks.append(theirs())
    results.sort(key=lambda result: result.per_second)
    return results[len(results) // 2], (
        statistics.median(p[0] for p in peaks),
        statistics.median(p[1] for p in peaks),
    )


def _prices(bench: Bench, offers: Sequence[int]) -> list[int]:
    async def work(connection: asyncpg.Connection) -> list[int]:
        rows = await connection.fetch(
            "select offer_id, price from offer_prices where currency = 'IDR' and offer_id = "
            "any($1)",
            list(offers),
        )
        found = {row[0]: row[1] for row in rows}
        return [found[offer] for offer in offers]

    return bench.sql(work)


def _script(
    buyers: Sequence[Bencher],
    offers: Sequence[int],
    prices: Sequence[int],
    *,
    in_turn: bool = False,
) -> str:
    """Returns the pgbench script that buys for these customers, whose ids and wallets are
    consecutive."""
    assert (
        buyers[-1].customer_id - buyers[0].customer_id
        == buyers[-1].wallet_id - buyers[0].wallet_id
        == len(buyers) - 1
    )
    first, second = IN_TURN if in_turn else ("", "")
    return COMMAND.format(
        first=first.format(wallet=buyers[0].wallet_id),
        second=second,
        last=len(buyers) - 1,
        offers_last=len(offers) - 1,
        first_customer=buyers[0].customer_id,
        first_wallet=buyers[0].wallet_id,
        offers=",".join(map(str, offers)),
        prices=",".join(map(str, prices)),
    )


def _say(what: str, ours: Result, theirs: tuple[float, float]) -> None:
    print(
        f"  {what}: {ours.per_second:,.0f} orders/s over HTTP (p50 "
        f"{ours.percentile(0.5) * 1000:.1f} ms, "
        f"p99 {ours.percentile(0.99) * 1000:.1f} ms), pgbench {theirs[0]:,.0f}/s (p99 "
        f"{theirs[1] * 1000:.1f} ms)",
        flush=True,
    )


if __name__ == "__main__":
    for count in [int(text) for text in sys.argv[1:]] or [1, 2]:
        main(count)
