"""A year of rentals, played against a reference: nobody's number is somebody else's, and every
message and cent is where it belongs."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from tests.model.rental_reference import DAYS_MAX, Lease, Number, Purse, Reference
from tests.support import rentals as shop
from tests.support.desk import DeskOfTest

from numdesk.domain.customers.callers import Caller
from numdesk.domain.errors import Refusal, WalletShort
from numdesk.domain.rentals.outcomes import Rented
from numdesk.domain.rentals.refusals import (
    NoNumbers,
    NumberGone,
    PeriodNotOffered,
    RentalNotActive,
    RentalStillActive,
)
from numdesk.domain.stock.atlas import SERVICES_BY_CODE
from numdesk.usecases.orders import ending as order_lifecycle
from numdesk.usecases.rentals import ending, reading
from numdesk.usecases.rentals import prices as rental_prices

CUSTOMERS, NUMBERS, DAYS = 200, 50, 365
RENTS_A_DAY, ACTS_A_DAY, MESSAGES_A_DAY = 6, 8, 14
PRICES = {
    "google": {1: 250, 3: 600, 7: 1200, 30: 3500},
    "whatsapp": {1: 300, 7: 1500, 30: 4500},
    "telegram": {1: 350, 3: 800, 30: 4800},
    "facebook": {1: 180, 3: 450, 7: 900, 30: 2700},
    "amazon": {1: 200, 7: 1000, 30: 3000, 90: 7500},
    "tiktok": {1: 150, 3: 380, 7: 750},
    "uber": {1: 180, 7: 900, 30: 2700},
    "paypal": {1: 280, 3: 650, 7: 1300, 30: 3900, 90: 9900},
}
PERIODS = (1, 3, 7, 30, 90)
#: What must have happened in a year that proves anything.
WORDS = (
    "rent Rented",
    "rent NoNumbers",
    "extend done",
    "rerent done",
    "rerent NumberGone",
    "cancel paid back",
    "cancel done",
    "message taken",
    "message withheld",
    "message orphan",
)
OVERLAPS = """select count(*) from rental_terms a join rental_terms b on a.number_id = b.number_id
    and a.id < b.id
    and tstzrange(a.starts_at, a.ends_at) && tstzrange(b.starts_at, b.ends_at)"""
MESSAGES_ELSEWHERE = """select count(*) from messages m join rental_terms t on t.id = m.term_id
    join numbers n on n.id = t.number_id
    where n.msisdn <> m.msisdn or m.received_at < t.starts_at or m.received_at > t.ends_at"""


@dataclass
class Year:
    """The desk, the reference, and the customers of both."""

    desk: DeskOfTest
    chance: random.Random
    reference: Reference
    callers: list[tuple[Caller, Purse]]
    said: Counter[str] = field(default_factory=Counter)
    serial: int = 0
    #: The price that the act under way should cost, None when it is not on offer.
    wanted: int | None = None

    @property
    def now(self) -> datetime:
        """The desk's time."""
        return self.desk.clock.now()

    def caller_of(self, lease: Lease) -> Caller:
        """Who rents it."""
        return next(caller for caller, purse in self.callers if purse is lease.customer)

    async def rent_some(self) -> None:
        """Lets several customers rent at once, and compares what each was told."""
        wishes = [
            (
                *self.chance.choice(self.callers),
                tuple(self.chance.sample(sorted(PRICES), self.chance.choice([1, 1, 2, 3]))),
                days,
            )
            for days in self.chance.choices(PERIODS, k=RENTS_A_DAY)
        ]
        works = [
            shop.rent(self.desk, caller, services=services, units=days)
            for caller, _, services, days in wishes
        ]
        answers = await asyncio.gather(*works, return_exceptions=True)
        told = sorted(
            zip(wishes, answers, strict=True), key=lambda pair: not isinstance(pair[1], Rented)
        )
        for (_, purse, services, days), answer in told:
            price = self.reference.price(services, days)
            if isinstance(answer, Rented):
                assert answer.price == price
                paid = purse.pay(answer.price)
                assert paid is not None, "nobody rents beyond their means"
                number = self.reference.numbers[answer.rental.msisdn]
                ends = self.now + timedelta(days=days)
                lease = Lease(
                    answer.rental.id, purse, number, services, self.now, ends, days, [paid]
                )
                assert self.reference.rent(lease, now=self.now) is None
            elif isinstance(answer, PeriodNotOffered):
                assert price is None
            elif isinstance(answer, NoNumbers):
                assert not self.reference.has_number(services, self.now)
            else:
                assert isinstance(answer, WalletShort), answer
                assert price is not None
                assert purse.bonus + purse.wallet < price
            self.said[f"rent {type(answer).__name__}"] += 1

    async def act(self) -> None:
        """Does something to a rental, at random, and compares what came of it."""
        if not self.reference.leases:
            return
        lease = self.chance.choice(list(self.reference.leases.values()))
        if (
            not lease.is_active(self.now) and self.chance.random() < 0.5
        ):  # most have ended; those that run are of more interest
            lease = self.chance.choice(
                [one for one in self.reference.leases.values() if one.is_active(self.now)]
                or [lease]
            )
        name = self.chance.choice(
            ["extend", "extend", "extend", "rerent", "rerent", "rerent", "cancel"]
        )
        try:
            word = await getattr(self, "_" + name)(lease, self.chance.choice(PERIODS))
        except Refusal as refusal:
            word = self._expect_refusal(name, lease, refusal)
        self.said[f"{name} {word}"] += 1

    async def _extend(self, lease: Lease, days: int) -> str:
        caller = self.caller_of(lease)
        self.wanted = (
            self.reference.price(lease.services, days) if lease.days + days <= DAYS_MAX else None
        )
        extended = await shop.extend(self.desk, caller, lease.id, units=days)
        assert lease.is_active(self.now)
        assert extended.price == self.wanted
        paid = lease.customer.pay(extended.price)
        assert paid is not None
        lease.charges.append(paid)
        lease.days += days
        lease.expires_at += timedelta(days=days)
        assert extended.expires_at == int(lease.expires_at.timestamp())
        return "done"

    async def _rerent(self, lease: Lease, days: int) -> str:
        self.wanted = self.reference.price(lease.services, days)
        again = await shop.rerent(self.desk, self.caller_of(lease), lease.id, units=days)
        assert not lease.is_active(self.now)
        assert self.reference.can_rerent(lease, self.now)
        assert (again.price, again.rental.msisdn, again.rental.id) == (
            self.wanted,
            lease.number.msisdn,
            lease.id,
        )
        paid = lease.customer.pay(again.price)
        assert paid is not None
        self.reference.rerent(lease, days=days, paid=paid, now=self.now)
        return "done"

    async def _cancel(self, lease: Lease, _days: int) -> str:
        self.wanted = None
        canceled = await shop.cancel(self.desk, self.caller_of(lease), lease.id)
        assert lease.is_active(self.now)
        back = self.reference.cancel(lease, now=self.now)
        assert canceled.refund == back
        return "paid back" if canceled.refunded else "done"

    def _expect_refusal(self, name: str, lease: Lease, refusal: Refusal) -> str:
        active, purse = lease.is_active(self.now), lease.customer
        match refusal:
            case RentalNotActive():
                assert not active and name != "rerent"  # noqa: PT018 - one thought
            case RentalStillActive():
                assert active and name == "rerent"  # noqa: PT018 - one thought
            case NumberGone():
                assert not self.reference.can_rerent(lease, self.now)
            case PeriodNotOffered():
                assert self.wanted is None
            case WalletShort():
                assert self.wanted is not None
                assert purse.wallet + purse.bonus < self.wanted
            case _:
                raise refusal
        return type(refusal).__name__

    async def hear(self) -> None:
        """Lets messages arrive at random numbers at once.

        Each must go to who has the number now, or to nobody.
        """
        coming: list[tuple[int, str | None, str]] = []
        for _ in range(MESSAGES_A_DAY):
            self.serial += 1
            service = self.chance.choice([*PRICES, None])
            name = SERVICES_BY_CODE[service].name if service else "INFO"
            coming.append(
                (
                    self.chance.choice(list(self.reference.numbers)),
                    service,
                    f"{name}: your code is {self.serial:06}",
                )
            )
        taken = await asyncio.gather(*(shop.message(self.desk, to, text) for to, _, text in coming))
        for (to, service, text), answer in zip(coming, taken, strict=True):
            lease, shown = self.reference.receive(to, service, text, now=self.now)
            expected = {"taken"} if shown else {"withheld"} if lease else {"orphan", "late"}
            assert answer.status in expected, f"{to} {answer}"
            assert answer.customer_id == (self.caller_of(lease).customer_id if lease else None)
            self.said[f"message {answer.status}"] += 1

    async def pass_time(self) -> None:
        """Moves the clock by about a day; the background work comes along most of the time."""
        self.desk.clock.advance(
            self.chance.choice([600, 3600, 8 * 3600, 24 * 3600, 42 * 3600, 45 * 3600])
        )
        if self.chance.random() < 0.7:
            await ending.expire_due(self.desk.rt)
            await order_lifecycle.release_quarantined(self.desk.rt)
            self.reference.tidy(self.now)

    async def compare(self) -> None:
        """Compares all that customers can see, and all money."""
        for lease in self.reference.leases.values():
            caller = self.caller_of(lease)
            rental = await reading.read(self.desk.rt, caller, lease.id)
            assert {service.code for service in rental.services if service.used} == lease.used
            assert (rental.state == 0) == lease.is_active(self.now)
            page = await reading.messages(self.desk.rt, caller, lease.id, page=1, limit=1000)
            assert sorted(item.text for item in page.items) == sorted(lease.messages)
        for caller, purse in self.callers:
            assert await shop.money(self.desk, caller) == (purse.wallet, purse.bonus)


@pytest.mark.timeout(240)
async def test_a_year_of_rentals(desk: DeskOfTest) -> None:
    """200 customers share 50 numbers for a year: no terms overlap, no message is in the wrong
    hands, every cent is accounted for."""
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    names = {code: SERVICES_BY_CODE[code].name for code in PRICES}
    await desk.pool.executemany(
        "insert into services values ($1, $2, $3) on conflict do nothing",
        [(1000 + n, *pair) for n, pair in enumerate(names.items())],
    )
    await shop.open_shop(desk, numbers=NUMBERS)
    lines = [
        shop.given(2, "ES", (code, "LONG", days), price)
        for code, prices in PRICES.items()
        for days, price in prices.items()
    ]
    lines.append(rental_prices.GivenRentalPrice(3, "ES", "telegram", "LONG", "7", "off"))
    await rental_prices.load(desk.rt, lines, complain=shop.refuse)
    numbers = {
        row[0]: Number(row[0])
        for row in await desk.pool.fetch(
            "select msisdn from numbers where country_id = $1", shop.SPAIN
        )
    }
    callers = []
    for _ in range(CUSTOMERS):
        purse = Purse(chance.randrange(1_500_00), chance.choice([0, 0, 20_00]))
        callers.append((await shop.renter(desk, credit=purse.wallet, bonus=purse.bonus), purse))
    year = Year(desk, chance, Reference(numbers, PRICES), callers)
    end = year.now + timedelta(days=DAYS)
    try:
        while year.now < end:
            await year.rent_some()
            for _ in range(ACTS_A_DAY):
                await year.act()
            await year.hear()
            await year.pass_time()
        await year.compare()
    except AssertionError as error:
        raise AssertionError(f"seed {seed} at {year.now}") from error
    assert await desk.pool.fetchval(OVERLAPS) == 0
    assert await desk.pool.fetchval(MESSAGES_ELSEWHERE) == 0
    for word in WORDS:
        assert year.said[word], f"seed {seed}: no {word} in {year.said}"
