"""Two processes rent the last numbers, spend the last money, meet under one key and on one rental:
everything happens once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.races.processes import open_desks, outcomes, undecided
from tests.support import rentals as shop
from tests.support.desk import DeskOfTest

from numdesk.domain.customers.callers import Caller
from numdesk.domain.errors import KeyReused, Refusal, RequestInProgress, WalletShort
from numdesk.domain.rentals.lifecycle import RentalState
from numdesk.domain.rentals.outcomes import Rented
from numdesk.domain.rentals.refusals import (
    NoNumbers,
    NumberGone,
    RentalNotActive,
    RentalStillActive,
)
from numdesk.usecases.idempotency import Signature
from numdesk.usecases.orders import ending as order_lifecycle
from numdesk.usecases.rentals import ending, reading

PRICE = shop.PRICES["google", "LONG", 7]
WEEK = timedelta(days=7)


@pytest.fixture
async def desks(database_url: str, tmp_path: Path) -> AsyncIterator[list[DeskOfTest]]:
    """Two processes on one database, with ten numbers to rent."""
    async with open_desks(database_url, tmp_path, processes=2) as opened:
        await shop.open_shop(opened[0], numbers=10)
        yield opened


class TestLastNumbers:
    """The last ten numbers."""

    async def test_go_to_ten_of_a_hundred(self, desks: list[DeskOfTest]) -> None:
        """A hundred renters in two processes rent exactly ten numbers, each once.

        Everybody else hears that there are none.
        """
        callers = [await shop.renter(desks[0]) for _ in range(100)]
        rented, refused = await outcomes(
            *(shop.rent(desks[n % 2], caller) for n, caller in enumerate(callers))
        )
        assert len({one.rental.msisdn for one in rented}) == len(rented) == 10
        assert refused == {NoNumbers: 90}

    async def test_all_go_although_others_cannot_decide(self, desks: list[DeskOfTest]) -> None:
        """While other transactions lock numbers and give them back, nobody is turned away before
        the last number is rented."""
        callers = [await shop.renter(desks[0]) for _ in range(100)]
        done, chance = asyncio.Event(), random.Random(5)
        others = [
            asyncio.create_task(undecided(desks[0].pool, chance, numbers=3, until=done))
            for _ in range(2)
        ]
        rented, refused = await outcomes(
            *(shop.rent(desks[n % 2], caller) for n, caller in enumerate(callers))
        )
        done.set()
        await asyncio.gather(*others)
        assert len({one.rental.msisdn for one in rented}) == 10
        assert refused == {NoNumbers: 90}

    async def test_are_given_once_whatever_service_is_wanted(self, desks: list[DeskOfTest]) -> None:
        """Renters of different services in one batch never get one number."""
        callers = [await shop.renter(desks[0]) for _ in range(60)]
        sets = (["google"], ["whatsapp"], ["telegram"], ["google", "whatsapp"])
        rented, refused = await outcomes(
            *(
                shop.rent(desks[n % 2], caller, services=sets[n % 4])
                for n, caller in enumerate(callers)
            )
        )
        assert len({one.rental.msisdn for one in rented}) == len(rented) == 10
        assert refused == {NoNumbers: 50}


class TestOneKey:
    """The same request, sent many times at once."""

    async def test_rents_one_number(self, desks: list[DeskOfTest]) -> None:
        """Fifty parallel tries over two processes are one rental and one charge.

        All others get its answer.
        """
        caller = await shop.renter(desks[0])
        rented, refused = await outcomes(
            *(shop.rent(desks[n % 2], caller, key="k") for n in range(50))
        )
        again = await shop.rent(desks[1], caller, key="k")
        assert {*rented} == {again}
        assert set(refused) <= {RequestInProgress}
        assert await shop.money(desks[0], caller) == (1_000_00 - PRICE, 0)

    async def test_rents_one_number_for_one_signature(self, desks: list[DeskOfTest]) -> None:
        """Copies of one signed request in two processes, under fifty keys or none, are one
        rental."""
        caller = await shop.renter(desks[0])
        signature = Signature("sig:00")
        keys = [None if n % 5 == 0 else f"k{n}" for n in range(50)]
        tries = (
            shop.rent(desks[n % 2], caller, key=key, signature=signature)
            for n, key in enumerate(keys)
        )
        rented, refused = await outcomes(*tries)
        again = await shop.rent(desks[1], caller, key="late", signature=signature)
        assert {*rented} == {again}
        assert not refused
        assert await shop.money(desks[0], caller) == (1_000_00 - PRICE, 0)

    async def test_serves_one_of_two_requests(self, desks: list[DeskOfTest]) -> None:
        """Two different requests under one key: one is served, every try of the other is
        refused."""
        caller = await shop.renter(desks[0])
        tries = (
            shop.rent(desks[n % 2], caller, key="k", fingerprint=b"one" if n % 3 else b"other")
            for n in range(50)
        )
        rented, refused = await outcomes(*tries)
        assert len({*rented}) == 1
        assert set(refused) == {KeyReused}

    @pytest.mark.parametrize("act", [shop.extend, shop.rerent, shop.cancel])
    async def test_acts_once_on_a_rental(self, desks: list[DeskOfTest], act: Any) -> None:
        """Extending, renting again and cancelling under one key happen once, and every try gets the
        one answer."""
        caller = await shop.renter(desks[0], bonus=2000)
        rental_id = (await shop.rent(desks[0], caller)).rental.id
        if act is shop.rerent:
            desks[0].clock.advance(WEEK.total_seconds())
        before = sum(await shop.money(desks[0], caller))
        done, refused = await outcomes(
            *(act(desks[n % 2], caller, rental_id, key="k") for n in range(30))
        )
        assert len({*done}) == 1
        assert not refused
        change = {shop.extend: -PRICE, shop.rerent: -PRICE, shop.cancel: PRICE}[act]
        assert sum(await shop.money(desks[0], caller)) == before + change


class TestOneWallet:
    """The last money."""

    async def test_pays_for_exactly_what_it_affords(self, desks: list[DeskOfTest]) -> None:
        """A hundred rents at once from a wallet and a bonus for twenty: twenty succeed, and nothing
        is left of either."""
        await shop.shelve(desks[0], numbers=100, first=34_700_000_000)
        caller = await shop.renter(
            desks[0], credit=PRICE * 17 + PRICE // 2, bonus=PRICE * 2 + PRICE // 2
        )
        rented, refused = await outcomes(*(shop.rent(desks[n % 2], caller) for n in range(100)))
        assert (len(rented), refused) == (20, {WalletShort: 80})
        assert await shop.money(desks[0], caller) == (0, 0)

    async def test_is_shared_by_rents_and_extensions(self, desks: list[DeskOfTest]) -> None:
        """Rents, extensions and re-rents of one customer at once spend what there is and no
        more."""
        await shop.shelve(desks[0], numbers=50, first=34_700_000_000)
        caller = await shop.renter(desks[0], credit=PRICE * 15)
        ids = [(await shop.rent(desks[0], caller)).rental.id for _ in range(5)]
        works = [shop.rent(desks[n % 2], caller) for n in range(20)] + [
            shop.extend(desks[n % 2], caller, ids[n % 5]) for n in range(20)
        ]
        done, refused = await outcomes(*works)
        assert (len(done), refused) == (10, {WalletShort: 30})
        assert await shop.money(desks[0], caller) == (0, 0)


class TestOneNumber:
    """A number that has just been given up."""

    async def test_is_rented_again_by_its_last_tenant_only(self, desks: list[DeskOfTest]) -> None:
        """While the number rests, others find no number, and of many tries of its tenant one
        succeeds."""
        caller, other = await shop.renter(desks[0]), await shop.renter(desks[0])
        ids = [(await shop.rent(desks[0], caller)).rental.id for _ in range(10)]
        desks[0].clock.advance(WEEK.total_seconds())
        await ending.expire_due(desks[1].rt)
        works = [shop.rerent(desks[n % 2], caller, ids[0]) for n in range(20)] + [
            shop.rent(desks[n % 2], other) for n in range(20)
        ]
        done, refused = await outcomes(*works)
        assert len(done) == 1
        assert refused == {RentalStillActive: 19, NoNumbers: 20}

    async def test_goes_to_one_of_tenant_and_stranger(self, desks: list[DeskOfTest]) -> None:
        """Once numbers are free again, the former tenant and strangers who come at once get each
        number once."""
        caller, other = await shop.renter(desks[0]), await shop.renter(desks[0])
        ids = [(await shop.rent(desks[0], caller)).rental.id for _ in range(10)]
        desks[0].clock.advance(WEEK.total_seconds())
        await ending.expire_due(desks[1].rt)
        desks[0].clock.advance(1800)
        await order_lifecycle.release_quarantined(desks[0].rt)
        works: list[Awaitable[Rented]] = []
        for n, rental_id in enumerate(ids):
            works += [
                shop.rent(desks[n % 2], other),
                shop.rerent(desks[(n + 1) % 2], caller, rental_id),
            ]
        done, refused = await outcomes(*works)
        assert len({one.rental.msisdn for one in done}) == len(done) == 10
        assert set(refused) <= {NoNumbers, NumberGone}

    async def test_cannot_have_two_terms_at_one_time_by_sql(self, desks: list[DeskOfTest]) -> None:
        """PostgreSQL itself refuses a second term that overlaps, and takes one that begins as the
        first ends."""
        caller = await shop.renter(desks[0])
        await shop.rent(desks[0], caller)
        insert = """insert into rental_terms (rental_id, customer_id, number_id, starts_at, ends_at)
                      select 999, 999, number_id, %s, %s from rental_terms order by id limit 1"""
        for starts, ends in (
            ("starts_at", "ends_at"),
            ("ends_at - interval '1 s'", "ends_at + interval '1 day'"),
            ("'-infinity'", "'infinity'"),
        ):
            with pytest.raises(asyncpg.ExclusionViolationError, match="rental_number_once"):
                await desks[0].pool.execute(insert % (starts, ends))
        await desks[0].pool.execute(insert % ("ends_at", "ends_at + interval '1 day'"))
        await desks[0].pool.execute("delete from rental_terms where rental_id = 999")


@dataclass
class Story:
    """One rental and what its actors were told."""

    caller: Caller
    rental_id: str
    msisdn: int
    told: Counter[str] = field(default_factory=Counter)

    async def act(self, desk: DeskOfTest, name: str) -> None:
        """Does one thing to the rental, and writes down what its actor was told."""
        if name == "expire":
            await ending.expire_due(desk.rt)
        elif name == "message":
            self.told[(await shop.message(desk, self.msisdn)).status] += 1
        else:
            try:
                self.told[
                    "refund"
                    if (await shop.cancel(desk, self.caller, self.rental_id)).refunded
                    else "cancel"
                ] += 1
            except RentalNotActive:
                self.told["not active"] += 1

    async def faults(self, desk: DeskOfTest) -> list[str]:
        """Returns every disagreement between the rental, its messages and what the actors were
        told."""
        now = await reading.read(desk.rt, self.caller, self.rental_id)
        page = await reading.messages(desk.rt, self.caller, self.rental_id, page=1, limit=100)
        agrees = (
            self.told["refund"] + self.told["cancel"] == int(now.state is RentalState.CANCELED)
            and not (self.told["refund"] and self.told["taken"])
            and page.total == self.told["taken"]
        )
        return [] if agrees else [f"{now} {page.total} {self.told}"]


@pytest.mark.timeout(400)
async def test_a_rental_ends_once(desks: list[DeskOfTest]) -> None:
    """Messages, cancels and the end of the time meet on many rentals in two processes: money goes
    back once or not at all."""
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    desk, price = desks[0], shop.PRICES["google", "LONG", 1]
    await shop.shelve(desk, numbers=300, first=34_700_000_000)
    callers = [await shop.renter(desk, credit=price * 30, bonus=price // 2) for _ in range(10)]
    for _ in range(3):
        rented = [
            (caller, (await shop.rent(desk, caller, units=1)).rental)
            for caller in callers
            for _ in range(8)
        ]
        stories = [Story(caller, rental.id, rental.msisdn) for caller, rental in rented]
        before = {caller.customer_id: sum(await shop.money(desk, caller)) for caller in callers}
        await _play(desks, stories, chance)
        faults = [fault for story in stories for fault in await story.faults(desk)]
        assert not faults, f"seed {seed}: {faults[:5]}"
        for caller in callers:
            back = price * sum(story.told["refund"] for story in stories if story.caller is caller)
            assert sum(await shop.money(desk, caller)) == before[caller.customer_id] + back, (
                f"seed {seed}"
            )
        desk.clock.advance(3600)
        await order_lifecycle.release_quarantined(desk.rt)


async def _play(desks: list[DeskOfTest], stories: list[Story], chance: random.Random) -> None:
    """Runs some random acts on each rental, shuffled, while the rentals' time runs out in the
    middle."""

    async def move_on() -> None:
        desks[0].clock.advance(1)

    desks[0].clock.advance(86_400 - 1)
    works: list[Awaitable[None]] = [
        story.act(chance.choice(desks), name)
        for story in stories
        for name in chance.choices(["cancel", "message", "expire"], k=chance.randint(2, 5))
    ]
    chance.shuffle(works)
    works.insert(len(works) // 2, move_on())
    await asyncio.gather(*works)
    await ending.expire_due(desks[0].rt)


async def test_no_refusal_is_a_fault(desks: list[DeskOfTest]) -> None:
    """Whatever many customers do to their rentals at once, every answer is one that a customer can
    be given."""
    chance = random.Random(11)
    callers = [await shop.renter(desks[0], credit=PRICE * 4) for _ in range(8)]
    mine = {
        caller.customer_id: [(await shop.rent(desks[0], caller)).rental.id] for caller in callers
    }
    for _ in range(5):
        works: list[Awaitable[Any]] = []
        for _ in range(40):
            caller, desk = chance.choice(callers), chance.choice(desks)
            act = chance.choice([shop.extend, shop.rerent, shop.cancel])
            works.append(act(desk, caller, chance.choice(mine[caller.customer_id])))
            works.append(shop.rent(desk, caller))
        _, refused = await outcomes(*works)
        assert all(issubclass(kind, Refusal) for kind in refused), refused
        desks[0].clock.advance(WEEK.total_seconds())
        await ending.expire_due(desks[1].rt)
