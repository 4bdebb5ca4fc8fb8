"""Real concurrent transactions on the ledger: what no interleaving may break."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest
from tests.support.ledger import NOW, WITHOUT_ORDERS, assert_clean, funded_wallet

from numdesk.domain.errors import StateForbids, WalletShort
from numdesk.domain.ledger import chart
from numdesk.domain.money import Money
from numdesk.domain.orders import journals as order_journals
from numdesk.storage.database.pool import Database, Tx
from numdesk.storage.ledger import accounts, holds
from numdesk.storage.ledger import journals as ledger_journals
from numdesk.storage.ledger.journals import Applied


def price(units: int) -> Money:
    """Returns rupiahs."""
    return Money(units, "IDR")


async def settled(*works: Awaitable[object]) -> tuple[list[object], list[BaseException]]:
    """Awaits all at once; returns the answers and the refusals."""
    results = await asyncio.gather(*works, return_exceptions=True)
    return [result for result in results if not isinstance(result, BaseException)], [
        result for result in results if isinstance(result, BaseException)
    ]


async def spend(database: Database, wallet_id: int, order_id: int) -> Applied:
    """Holds the price of an order and posts it, in two transactions, as orders do."""
    hold = order_journals.hold_for_order(order_id, wallet_id=wallet_id, price=price(10))
    await database.run("test.hold", lambda tx: holds.hold(tx, hold, now=NOW))
    journal = order_journals.earn_order(
        order_id, customer_id=1, provider="local", price=price(10), cost=price(4)
    )
    return await database.run(
        "test.post",
        lambda tx: holds.post(tx, kind="order", ref=order_id, journal=journal, now=NOW),
    )


async def balance(database: Database, wallet_id: int) -> tuple[int, int]:
    """Returns what the wallet has, and what of it is held."""
    async with database.transaction("test") as tx:
        found = (await accounts.read_wallets(tx, wallet_ids=[wallet_id]))[wallet_id]
    return found.balance, found.held


class TestOneWallet:
    async def test_pays_for_what_it_affords_and_no_more(self, database: Database) -> None:
        """500 parallel spends from a wallet that affords 100: exactly 100 succeed, the others are
        refused as short."""
        wallet_id = await funded_wallet(database, units=1_000)
        paid, refused = await settled(
            *(spend(database, wallet_id, order_id) for order_id in range(1, 501))
        )
        assert len(paid) == 100
        assert [type(refusal) for refusal in refused] == [WalletShort] * 400
        assert await balance(database, wallet_id) == (0, 0)
        await assert_clean(database, besides=WITHOUT_ORDERS)

    @pytest.mark.parametrize("workers", [2, 8, 50])
    async def test_stays_exact_under_many_workers(self, database: Database, workers: int) -> None:
        """Credits, debits, holds and their ends on one wallet at once leave it where their sum
        says."""
        wallet_id = await funded_wallet(database, units=10_000)

        async def work(worker: int) -> int:
            total = 0
            for turn in range(200 // workers):
                units = 50 - 3 * ((worker + turn) % 20)
                journal = chart.adjustment(
                    customer_id=1, currency="IDR", units=units, ref=f"{worker}:{turn}"
                )
                await database.run(
                    "test", lambda tx, journal=journal: ledger_journals.apply(tx, journal, now=NOW)
                )
                await spend(database, wallet_id, worker * 1_000 + turn + 1)
                total += units - 10
            return total

        totals = await asyncio.gather(*(work(worker) for worker in range(workers)))
        assert await balance(database, wallet_id) == (10_000 + sum(totals), 0)
        await assert_clean(database, besides=WITHOUT_ORDERS)


class TestOneKey:
    async def test_is_applied_once(self, database: Database) -> None:
        """The same journal sent 100 times at once moves its money once, and everyone is told the
        same journal."""
        wallet_id = await funded_wallet(database)
        journal = chart.adjustment(customer_id=1, currency="IDR", units=70, ref="same")
        applied, refused = await settled(
            *(
                database.run("test", lambda tx: ledger_journals.apply(tx, journal, now=NOW))
                for _ in range(100)
            )
        )
        assert refused == []
        assert len({answer.journal_id for answer in applied if isinstance(answer, Applied)}) == 1
        assert [answer.repeated for answer in applied if isinstance(answer, Applied)].count(
            False
        ) == 1
        assert (await balance(database, wallet_id))[0] == 70
        await assert_clean(database)

    async def test_is_reversed_once(self, database: Database) -> None:
        """Two reversals of each of 30 journals at once make 30 reversals."""
        wallet_id = await funded_wallet(database, units=1_000)
        journals = [
            chart.adjustment(customer_id=1, currency="IDR", units=-10, ref=str(number))
            for number in range(30)
        ]
        ids = [
            (
                await database.run(
                    "test", lambda tx, journal=journal: ledger_journals.apply(tx, journal, now=NOW)
                )
            ).journal_id
            for journal in journals
        ]
        answers, refused = await settled(
            *(
                database.run(
                    "test",
                    lambda tx, journal_id=journal_id: ledger_journals.reverse(
                        tx, journal_id=journal_id, now=NOW
                    ),
                )
                for journal_id in ids * 2
            )
        )
        assert refused == []
        assert [answer.repeated for answer in answers if isinstance(answer, Applied)].count(
            False
        ) == 30
        assert (await balance(database, wallet_id))[0] == 1_000
        await assert_clean(database)


class TestOneHold:
    async def test_ends_one_way(self, database: Database) -> None:
        """Post, void and expire race for each of 40 holds: one wins, two are refused, and the money
        agrees with the winner."""
        wallet_id = await funded_wallet(database, units=400)
        for ref in range(1, 41):
            hold = order_journals.hold_for_order(ref, wallet_id=wallet_id, price=price(10))
            await database.run("test", lambda tx, hold=hold: holds.hold(tx, hold, now=NOW))

        def post(tx: Tx, ref: int) -> Awaitable[object]:
            journal = order_journals.earn_order(
                ref, customer_id=1, provider="local", price=price(10), cost=price(4)
            )
            return holds.post(tx, kind="order", ref=ref, journal=journal, now=NOW)

        ends = [
            post,
            lambda tx, ref: holds.void(tx, kind="order", ref=ref, now=NOW),
            lambda tx, ref: holds.expire(tx, kind="order", ref=ref, now=NOW),
        ]
        won, refused = await settled(
            *(
                database.run("test", lambda tx, end=end, ref=ref: end(tx, ref))
                for ref in range(1, 41)
                for end in ends
            )
        )
        posted = sum(isinstance(answer, Applied) for answer in won)
        assert (len(won), {type(refusal) for refusal in refused}) == (40, {StateForbids})
        assert await balance(database, wallet_id) == (400 - 10 * posted, 0)
        await assert_clean(database, besides=WITHOUT_ORDERS)


class TestManyWallets:
    async def test_never_show_a_deadlock(self, database: Database) -> None:
        """Random transfers among 20 wallets by 32 workers end without a deadlock that a client
        would see."""
        names = [chart.wallet(number, currency="IDR") for number in range(1, 21)]
        for number in range(1, 21):
            await funded_wallet(database, customer_id=number, units=100_000)

        async def work(worker: int) -> None:
            for turn in range(15):
                places = [(worker * 7 + turn * step) % 20 for step in (3, 5, 11)]
                pairs = [
                    (places[at], places[at - 1]) for at in range(3) if places[at] != places[at - 1]
                ]
                transfers = tuple(
                    ledger_journals.Transfer(names[debit], names[credit], price(1 + turn))
                    for debit, credit in pairs
                )
                journal = ledger_journals.Journal("test", f"{worker}:{turn}", transfers)
                await database.run(
                    "test", lambda tx, journal=journal: ledger_journals.apply(tx, journal, now=NOW)
                )

        _, refused = await settled(*(work(worker) for worker in range(32)))
        assert refused == []
        await assert_clean(database)
