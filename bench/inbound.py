"""Messages a second through the whole inbound path (extraction, order, money, event, commit),
against pgbench calling its SQL command.

Messages come from providers' links inside the process, so there is no HTTP: 256 arrive at the same
time, each for an order of its own.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections.abc import Sequence

import asyncpg
import uvloop
from bench.support.desk import Bench, started, tell

from numdesk.bootstrap import open_desk
from numdesk.config import Settings
from numdesk.ports.inbound import MessageReceived
from numdesk.usecases.inbound import receive

ROUNDS = 3
MESSAGES = 15_000
AT_ONCE = 256
TEXT = (
    "<#> Your WhatsApp code: 482-913. Do not share it with anyone. It expires in 10 minutes. "
    "4sgLq1p5sV6"
)

#: Orders made in bulk, as the create command leaves them; each round takes its own.
ORDERS = """
with s as (select o.id offer, o.catalogue_id, o.country_id, o.service_id, p.price from offers o
  join offer_prices p on p.offer_id = o.id and p.currency = 'IDR'
             where o.provider = 'local' and o.service_id = (select id from services
               where code = 'whatsapp') order by o.id limit 1),
     n as (select id, msisdn, row_number() over (order by id) k from numbers where state = 0
       order by id limit $1),
     t as (update numbers u set state = 1, order_id = $3::int + n.k from n where u.id = n.id),
     o as (insert into orders (id, customer_id, dialect, state, offer_id, catalogue_id, country_id,
       service_id, provider, number_id, msisdn, wallet_id, currency,
                               price, cost, created_at, expires_at, reactivatable)
             select $3::int + n.k, c.owner, 'smscode', 1, s.offer, s.catalogue_id, s.country_id,
               s.service_id, 'local', n.id, n.msisdn, c.id, 'IDR', s.price, 0,
                    now(), now() + interval '1 hour', true
               from n, s, lateral (select a.id, a.owner from accounts a
                 where a.id = ($2::bigint[])[1 + n.k % cardinality($2::bigint[])]) c
             returning id, wallet_id, price, msisdn),
     h as (insert into holds (kind, ref, account_id, amount, opened_at)
       select 'order', id, wallet_id, price, now() from o)
select msisdn from o order by id"""

#: The command of one message, as `storage/inbound/messages.py:receive` calls it.
COMMAND = """
\\set n random(1, 1000000000)
select status from receive_messages_v3(now(), true, interval '30 days', array['bench'],
  array[gen_random_uuid()::text],
  array[(select msisdn from bench_numbers where k = (select nextval('bench_next')))]::bigint[],
  array['WhatsApp'], array['{text}'], array['482913'], array[null]::text[], array[3],
    array['sender'], array['{fits}']);
"""


def main() -> None:
    """Prints the ratio."""
    with started() as bench:
        wallets = [buyer.wallet_id for buyer in bench.customers()]
        bench.stock(2 * ROUNDS * MESSAGES + 10_000)
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(uvloop.run(_through_the_path(bench, _orders(bench, wallets))))
            _prepare(bench, _orders(bench, wallets))
            theirs.append(
                bench.pgbench(
                    COMMAND.format(text=TEXT.replace("'", "''"), fits="{3,220}"),
                    clients=16,
                    transactions=MESSAGES // 16,
                )[0]
            )
        mine, peak = statistics.median(ours), statistics.median(theirs)
        print(f"  {mine:,.0f} messages/s, pgbench {peak:,.0f}/s", flush=True)
        tell("inbound", mine / peak, "0.70")


_serials = itertools.count(100_000_000, MESSAGES)


def _orders(bench: Bench, wallets: Sequence[int]) -> list[int]:
    """Makes MESSAGES active orders and returns their numbers."""

    async def work(connection: asyncpg.Connection) -> list[int]:
        return [
            row[0]
            for row in await connection.fetch(ORDERS, MESSAGES, list(wallets), next(_serials))
        ]

    return bench.sql(work)


def _prepare(bench: Bench, msisdns: Sequence[int]) -> None:
    """Lays the numbers out for pgbench to take one after the other."""

    async def work(connection: asyncpg.Connection) -> None:
        await connection.execute(
            "drop table if exists bench_numbers; drop sequence if exists bench_next; create "
            "sequence bench_next; "
            "create table bench_numbers (k bigint primary key, msisdn bigint)"
        )
        await connection.execute(
            "insert into bench_numbers select k, m from unnest($1::bigint[]) with ordinality u(m, "
            "k)",
            list(msisdns),
        )

    bench.sql(work)


async def _through_the_path(bench: Bench, msisdns: Sequence[int]) -> float:
    """Returns messages a second through `inbound.receive_message` in a process of its own."""
    waiting = iter(enumerate(msisdns))
    round_id = time.monotonic_ns()
    async with open_desk(Settings(data=bench.data), dsn=bench.dsn, sandbox=True) as desk:

        async def link() -> None:
            for n, msisdn in waiting:
                taken = await receive.receive_message(
                    desk.rt, MessageReceived("bench", f"{round_id}-{n}", msisdn, "WhatsApp", TEXT)
                )
                assert taken.status == "taken", taken

        started_at = time.perf_counter()
        await asyncio.gather(*(link() for _ in range(AT_ONCE)))
        return len(msisdns) / (time.perf_counter() - started_at)


if __name__ == "__main__":
    main()
