"""How the cost of an order changes from ten thousand to a million orders in the table, by pgbench
on the same command."""

from __future__ import annotations

import statistics

import asyncpg
from bench.create_order import _prices, _script
from bench.support.desk import Bench, started, tell

FEW, MANY = 10_000, 1_000_000
ROUNDS = 3

#: Ended orders with everything that an order leaves behind: hold, journal, transfer, entries, key.
PAST = """
with s as (select o.id offer, o.catalogue_id, o.country_id, o.service_id from offers o
  where o.provider = 'local' order by o.id limit 1),
     w as (select array_agg(id order by id) ids, array_agg(owner order by id) owners, count(*) n
       from accounts where kind = 'wallet' and owner >= $2),
     o as (insert into orders (customer_id, dialect, state, offer_id, catalogue_id, country_id,
       service_id, provider, msisdn, wallet_id, currency, price, cost,
                               created_at, expires_at, ended_at, first_sms_at, otp_code,
                                 sms_revision)
             select w.owners[1 + i % w.n], 'smscode', 4, s.offer, s.catalogue_id, s.country_id,
               s.service_id, 'local', 880000000000 + i, w.ids[1 + i % w.n], 'IDR',
                    100, 0, now() - interval '40 days', now() - interval '40 days',
                      now() - interval '40 days', now() - interval '40 days', '482913', 1
               from generate_series(1, $1::int) i, s, w returning id, wallet_id),
     h as (insert into holds (kind, ref, account_id, amount, state, opened_at, ended_at)
       select 'order', id, wallet_id, 100, 2, now(), now() from o)
insert into idempotency (customer_id, namespace, key, fingerprint, state, outcome, created_at)
  select 0, 0, 'past-' || id, 'x', 2, '{}', now() from o"""


def main() -> None:
    """Prints the ratio of the two costs."""
    with started() as bench:
        buyers = bench.customers()
        offers = bench.stock(400_000)
        script = _script(buyers, offers, _prices(bench, offers))
        _fill(bench, FEW, buyers[0].customer_id)
        before = _rate(bench, script)
        _fill(bench, MANY - FEW, buyers[0].customer_id)
        after = _rate(bench, script)
        print(f"  {before:,.0f} orders/s at {FEW:,} orders, {after:,.0f} at {MANY:,}", flush=True)
        tell("order_cost_growth", before / after, "<=1.15")


def _fill(bench: Bench, count: int, first_customer: int) -> None:
    async def work(connection: asyncpg.Connection) -> None:
        await connection.execute(PAST, count, first_customer, timeout=600)
        await connection.execute("vacuum analyze orders", timeout=600)
        await connection.execute("checkpoint")

    bench.sql(work)


def _rate(bench: Bench, script: str) -> float:
    bench.pgbench(script, clients=16, seconds=2)
    return statistics.median(bench.pgbench(script, clients=16, seconds=4)[0] for _ in range(ROUNDS))


if __name__ == "__main__":
    main()
