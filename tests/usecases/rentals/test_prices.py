"""Rental price lists: good lines count, bad ones are told, and the same list twice changes
nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support import rentals as shop
from tests.support.desk import DeskOfTest
from tests.support.sandbox import open_sandbox

from numdesk.domain.errors import InvalidInput, NotFound
from numdesk.domain.rentals.lifecycle import RentType
from numdesk.usecases.rentals import prices
from numdesk.usecases.rentals.prices import GivenRentalPrice
from numdesk.usecases.stock.lists import BadLine

GOOD = GivenRentalPrice(2, "es", "Google", "long", "7", "12.00", "1")


class TestLoad:
    """Loading a list."""

    async def test_changes_nothing_the_second_time(self, database_url: str, tmp_path: Path) -> None:
        """A list names what the atlas knows, in any case.

        The same one again leaves all as it is, and a new price is one change.
        """
        async with open_sandbox(database_url, tmp_path) as desk:
            totals = [
                await prices.load(
                    desk.rt,
                    [GivenRentalPrice(2, "es", "Google", "long", "7", price, "1")],
                    complain=shop.refuse,
                )
                for price in ("12.00", "12", "12.5")
            ]
            assert [(total.added, total.present) for total in totals] == [(1, 0), (0, 1), (1, 0)]
            known = await prices.price_list(desk.rt)
        place = known.country("spain")
        assert not place.open, "what is priced is announced, and opened on purpose"
        (service,) = known.services[place.id, RentType.LONG]
        assert (service.code, dict(service.prices), service.priority) == ("google", {7: 1250}, 1)

    @pytest.mark.parametrize(
        ("line", "value", "reason"),
        [
            (
                GivenRentalPrice(3, "Atlantis", "google", "LONG", "7", "12"),
                "Atlantis",
                "is no country",
            ),
            (GivenRentalPrice(3, "ES", "nobody", "LONG", "7", "12"), "nobody", "is no service"),
            (GivenRentalPrice(3, "ES", "google", "WEEKLY", "7", "12"), "WEEKLY", "SHORT"),
            (GivenRentalPrice(3, "ES", "google", "LONG", "91", "12"), "91", "from 1 to 90"),
            (GivenRentalPrice(3, "ES", "google", "SHORT", "2", "12"), "2", "from 1 to 1"),
            (GivenRentalPrice(3, "ES", "google", "LONG", "٧", "12"), "٧", "is no period"),
            (
                GivenRentalPrice(3, "ES", "google", "LONG", "7", "12,50"),
                "12,50",
                "is not an amount of EUR",
            ),
            (GivenRentalPrice(3, "ES", "google", "LONG", "7", "0"), "0", "more than 0"),
            (
                GivenRentalPrice(3, "ES", "google", "LONG", "7", "12", "first"),
                "first",
                "is no priority",
            ),
            (BadLine(3, "x", "is nonsense"), "x", "is nonsense"),
        ],
    )
    async def test_tells_of_each_bad_line(
        self, desk: DeskOfTest, line: GivenRentalPrice | BadLine, value: str, reason: str
    ) -> None:
        """A bad line is told by number, value and reason, and spoils no other."""
        told: list[BadLine] = []
        total = await prices.load(desk.rt, [GOOD, line], complain=told.append)
        assert (total.read, total.added, total.bad) == (2, 1, 1)
        assert [(bad.line, bad.value) for bad in told] == [(3, value)]
        assert reason in told[0].reason

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (("7", "12.00", ""), ("7", "0.12", "")),
            (("7", "12.00", ""), ("7", "off", "")),
            (("7", "12.00", "1"), ("3", "6.00", "2")),
            (("7", "off", "1"), ("3", "6.00", "2")),
        ],
    )
    async def test_loads_neither_of_two_lines_that_contradict(
        self, desk: DeskOfTest, one: tuple[str, str, str], other: tuple[str, str, str]
    ) -> None:
        """Two prices for a period, "off" beside a price, and two priorities for a service are
        reported; other lines are loaded."""
        told: list[BadLine] = []
        lines = [
            GivenRentalPrice(2, "ES", "google", "LONG", *one),
            GivenRentalPrice(3, "ES", "telegram", "LONG", "7", "9.00", "1"),
            GivenRentalPrice(4, "es", "Google", "long", *other),
        ]
        total = await prices.load(desk.rt, lines, complain=told.append)
        assert (total.added, total.bad) == (1, 2)
        assert [(bad.line, "line 4" in bad.reason) for bad in told] == [(2, True), (4, False)]

    async def test_takes_periods_off(self, rental_desk: DeskOfTest) -> None:
        """The word off ends a period, once; a service without any is no longer listed."""
        lines = [GivenRentalPrice(2, "ES", "telegram", "LONG", "7", "off")]
        totals = [await prices.load(rental_desk.rt, lines, complain=shop.refuse) for _ in range(2)]
        assert [total.added for total in totals] == [1, 0]
        known = await prices.price_list(rental_desk.rt)
        assert "telegram" not in {
            service.code for service in known.services[shop.SPAIN, RentType.LONG]
        }


class TestCountry:
    """Opening and announcing."""

    async def test_keeps_its_name_unless_given_one(self, desk: DeskOfTest) -> None:
        """A country has the name that customers use; opening it again changes nothing."""
        assert await prices.set_country(desk.rt, iso2="gb", name="UK", is_open=False)
        assert await prices.set_country(desk.rt, iso2="GB", name=None, is_open=True)
        assert not await prices.set_country(desk.rt, iso2="GB", name=None, is_open=True)
        place = (await prices.price_list(desk.rt)).country("uk")
        assert (place.iso2, place.name, place.open) == ("GB", "UK", True)

    async def test_refuses_what_is_no_country_or_name(self, rental_desk: DeskOfTest) -> None:
        """Unknown letters, names of others and empty names are refused."""
        with pytest.raises(NotFound):
            await prices.set_country(rental_desk.rt, iso2="XX", name=None, is_open=True)
        for name in ("Spain", " ", "x" * 61, "a\nb"):
            with pytest.raises(InvalidInput):
                await prices.set_country(rental_desk.rt, iso2="GB", name=name, is_open=True)
