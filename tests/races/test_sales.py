"""Two processes sell the last numbers, spend the last money and meet under one key: nothing is
sold, spent or made twice."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from tests.races.processes import open_desks, outcomes, shelve, undecided
from tests.support.desk import LOCAL_OFFER, LOCAL_OFFER_TWO, PRICE, REMOTE_ONLY_OFFER, DeskOfTest

from numdesk.domain.customers.callers import Caller
from numdesk.domain.errors import (
    KeyReused,
    Refusal,
    RequestInProgress,
    StateForbids,
    Unavailable,
    WalletShort,
)
from numdesk.domain.stock.refusals import NoOffer
from numdesk.usecases.orders import ending, lifecycle, purchases, reactivation


@pytest.fixture
async def desks(database_url: str, tmp_path: Path) -> AsyncIterator[list[DeskOfTest]]:
    """Two processes on one database, with a hundred numbers of our own."""
    async with open_desks(database_url, tmp_path, processes=2) as opened:
        await shelve(opened[0].pool, 100)
        yield opened


class TestLastNumbers:
    """The last hundred numbers."""

    async def test_go_to_a_hundred_of_a_thousand(self, desks: list[DeskOfTest]) -> None:
        """A thousand buyers in two processes buy exactly a hundred numbers, each once.

        Everybody else hears that there are none.
        """
        callers = [await desks[0].customer() for _ in range(50)]
        bought, refused = await outcomes(*(desks[n % 2].buy(callers[n % 50]) for n in range(1000)))
        assert len({outcome.document.orders[0].msisdn for outcome in bought}) == len(bought) == 100
        assert refused == {NoOffer: 900}

    @pytest.mark.parametrize("buyers", [100, 1000])
    async def test_all_go_although_others_cannot_decide(
        self, desks: list[DeskOfTest], buyers: int
    ) -> None:
        """While other transactions lock numbers and give them back, nobody is turned away before
        the last number is sold."""
        callers = [await desks[0].customer() for _ in range(50)]
        done, chance = asyncio.Event(), random.Random(5)
        others = [
            asyncio.create_task(undecided(desks[0].pool, chance, numbers=10, until=done))
            for _ in range(2)
        ]
        bought, refused = await outcomes(
            *(desks[n % 2].buy(callers[n % 50]) for n in range(buyers))
        )
        done.set()
        await asyncio.gather(*others)
        assert len({outcome.document.orders[0].msisdn for outcome in bought}) == 100
        assert refused[NoOffer] == refused.total() == buyers - 100


class TestOneWallet:
    """The last money."""

    async def test_pays_for_exactly_what_it_affords(self, desks: list[DeskOfTest]) -> None:
        """Five hundred orders at once from a wallet for a hundred: a hundred succeed, and nothing
        is left."""
        await shelve(desks[0].pool, 600, first=62_300_000_000)
        caller = await desks[0].customer(PRICE * 100)
        bought, refused = await outcomes(*(desks[n % 2].buy(caller) for n in range(500)))
        assert (len(bought), refused) == (100, {WalletShort: 400})
        assert await desks[0].available(caller) == 0


class TestOneKey:
    """The same request, sent many times at once."""

    @pytest.mark.parametrize("offer_id", [LOCAL_OFFER, REMOTE_ONLY_OFFER])
    async def test_makes_one_order(self, desks: list[DeskOfTest], offer_id: int) -> None:
        """Two hundred parallel tries over two processes are one order.

        Others replay it or hear that it is on its way.
        """
        caller = await desks[0].customer()
        bought, refused = await outcomes(
            *(desks[n % 2].buy(caller, offer_id, key="k") for n in range(200))
        )
        again = await desks[1].buy(caller, offer_id, key="k")
        assert [outcome.replayed for outcome in bought].count(False) == 1
        assert {outcome.document for outcome in bought} == {again.document}
        assert set(refused) <= {RequestInProgress}
        assert await desks[0].pool.fetchval("select count(*) from orders") == 1

    async def test_serves_one_of_two_requests(self, desks: list[DeskOfTest]) -> None:
        """Two different requests under one key: one is served, every try of the other is
        refused."""
        caller = await desks[0].customer()
        bought, refused = await outcomes(
            *(
                desks[n % 2].buy(caller, key="k", fingerprint=b"one" if n % 3 else b"other")
                for n in range(200)
            )
        )
        assert len({outcome.document for outcome in bought}) == 1
        assert set(refused) == {KeyReused}
        assert await desks[0].pool.fetchval("select count(*) from orders") == 1

    async def test_is_served_once_by_two_ways_of_buying(self, desks: list[DeskOfTest]) -> None:
        """One process takes a request to our own stock and the other to a supplier: still one
        order, and no fault of ours."""
        callers = [await desks[0].customer() for _ in range(40)]
        bought, refused = await outcomes(
            *(
                desks[n % 2].buy(caller, LOCAL_OFFER if n % 2 else REMOTE_ONLY_OFFER, key="k")
                for caller in callers
                for n in range(4)
            )
        )
        assert [outcome.replayed for outcome in bought].count(False) == len(callers)
        assert set(refused) <= {RequestInProgress}
        assert await desks[0].pool.fetchval("select count(*) from orders where state = 1") == len(
            callers
        )


class TestReactivation:
    """One number wanted again by many."""

    @pytest.mark.parametrize("offer_id", [LOCAL_OFFER, REMOTE_ONLY_OFFER])
    async def test_sells_it_to_one(self, desks: list[DeskOfTest], offer_id: int) -> None:
        """Fifty parallel reactivations over two processes make one order."""
        caller = await desks[0].customer(10_000_000)
        order = await self._completed(desks[0], caller, offer_id)
        bought, refused = await outcomes(
            *(
                reactivation.reactivate(desks[n % 2].rt, caller, self._request(n, order))
                for n in range(50)
            )
        )
        assert len(bought) == 1
        assert set(refused) == {StateForbids}
        assert (
            await desks[0].pool.fetchval("select count(*) from orders where state in (0, 1, 2, 3)")
            == 1
        )

    async def test_or_to_a_new_buyer(self, desks: list[DeskOfTest]) -> None:
        """A number that is free again goes to whoever is first: its last customer or a buyer for
        another service, never to both."""
        caller, buyers = (
            await desks[0].customer(10_000_000),
            [await desks[0].customer(10_000_000) for _ in range(10)],
        )
        await shelve(desks[0].pool, 0)
        for turn in range(10):
            await shelve(desks[0].pool, 1, first=62_400_000_000 + turn)
            desks[0].rt.memory.forget("catalogue")
            order = await self._completed(desks[0], caller, LOCAL_OFFER)
            desks[0].clock.advance(1800)
            await ending.release_quarantined(desks[0].rt)
            desks[1].rt.memory.forget("catalogue")
            bought, refused = await outcomes(
                *(desks[1].buy(buyer, LOCAL_OFFER_TWO) for buyer in buyers),
                *(
                    reactivation.reactivate(
                        desks[0].rt, caller, self._request(n + turn * 10, order)
                    )
                    for n in range(10)
                ),
            )
            assert len(bought) == 1
            assert set(refused) <= {NoOffer, StateForbids}

    async def _completed(self, desk: DeskOfTest, caller: Caller, offer_id: int) -> int:
        order = await desk.order(caller, offer_id)
        await desk.message(order.msisdn)
        await ending.finish(desk.rt, caller, order.id)
        await ending.release_at_supplier(desk.rt, {"order": order.id})
        return order.id

    def _request(self, number: int, order_id: int) -> reactivation.ReactivateRequest:
        return reactivation.ReactivateRequest(f"k{number}", b"f", order_id, None, None)


class TestLocks:
    """Rows are locked in one order everywhere."""

    @pytest.mark.timeout(600)
    async def test_no_deadlock_reaches_a_caller(self, desks: list[DeskOfTest]) -> None:
        """5,000 random acts by 64 workers on few wallets: refusals only, and hardly a transaction
        that had to be run again."""
        await shelve(desks[0].pool, 3000, first=62_500_000_000)
        crowd = Crowd(
            desks, [await desks[0].customer(100_000_000) for _ in range(4)], random.Random(11)
        )
        before = retries()
        await asyncio.gather(*(crowd.work(5000 // 64 + 1) for _ in range(64)))
        assert crowd.faults == []
        assert crowd.acts["buy"] > 500
        assert retries() - before <= 50


class Crowd:
    """Workers who do anything to anybody's orders."""

    def __init__(
        self, desks: list[DeskOfTest], callers: list[Caller], chance: random.Random
    ) -> None:
        self.desks, self.callers, self.chance = desks, callers, chance
        self.mine: list[tuple[Caller, int, int]] = []
        self.acts: Counter[str] = Counter()
        self.faults: list[str] = []

    async def work(self, turns: int) -> None:
        """Does so many random acts."""
        for _ in range(turns):
            name = self.chance.choice(
                [
                    "buy",
                    "buy",
                    "route",
                    "message",
                    "message",
                    "cancel",
                    "cancel",
                    "finish",
                    "resend",
                    "again",
                    "time",
                ]
            )
            try:
                await getattr(self, "_" + name)(self.chance.choice(self.desks))
            except Unavailable as error:
                self.faults.append(f"{name}: {error!r}")
            except Refusal as refusal:
                name += f" {refusal.code}"
            except Exception as error:  # noqa: BLE001 - this is what the test looks for
                self.faults.append(f"{name}: {error!r}")
            self.acts[name] += 1

    def _note(self, caller: Caller, outcome: purchases.Outcome) -> None:
        self.mine += [(caller, made.id, made.msisdn) for made in outcome.document.orders]

    def _some(self) -> tuple[Caller, int, int]:
        if not self.mine:
            raise NoOffer
        return self.chance.choice(self.mine[-60:])

    async def _buy(self, desk: DeskOfTest) -> None:
        caller, key = self.chance.choice(self.callers), f"k{self.chance.randrange(400)}"
        self._note(
            caller, await desk.buy(caller, LOCAL_OFFER, quantity=self.chance.randint(1, 3), key=key)
        )

    async def _route(self, desk: DeskOfTest) -> None:
        caller, key = self.chance.choice(self.callers), f"k{self.chance.randrange(400)}"
        offer_id = self.chance.choice([None, REMOTE_ONLY_OFFER])
        self._note(
            caller, await desk.buy(caller, offer_id, catalogue_id=None if offer_id else 1, key=key)
        )

    async def _message(self, desk: DeskOfTest) -> None:
        await desk.message(self._some()[2], message_id=f"x{self.chance.randrange(3000)}")

    async def _cancel(self, desk: DeskOfTest) -> None:
        caller, order_id, _ = self._some()
        await ending.cancel(desk.rt, caller, order_id, show=None)

    async def _finish(self, desk: DeskOfTest) -> None:
        caller, order_id, _ = self._some()
        await ending.finish(desk.rt, caller, order_id)
        await ending.release_at_supplier(desk.rt, {"order": order_id})

    async def _resend(self, desk: DeskOfTest) -> None:
        caller, order_id, _ = self._some()
        await lifecycle.resend(desk.rt, caller, order_id)

    async def _again(self, desk: DeskOfTest) -> None:
        caller, order_id, _ = self._some()
        request = reactivation.ReactivateRequest(
            f"k{self.chance.randrange(200)}", b"f", order_id, None, None
        )
        self._note(caller, await reactivation.reactivate(desk.rt, caller, request))

    async def _time(self, desk: DeskOfTest) -> None:
        desk.clock.advance(self.chance.choice([5, 30, 60]))
        await ending.expire_due(desk.rt)
        await ending.release_quarantined(desk.rt)


def retries() -> float:
    """Returns how many transactions had to be run again so far."""
    return sum(
        sample.value
        for metric in REGISTRY.collect()
        if metric.name == "numdesk_database_retries"
        for sample in metric.samples
        if sample.name.endswith("_total")
    )
