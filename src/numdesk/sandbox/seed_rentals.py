"""The sandbox's rentals: Spain is open, Germany and the United Kingdom are announced."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from numdesk.runtime import Runtime
from numdesk.usecases.rentals import prices
from numdesk.usecases.rentals.prices import GivenRentalPrice
from numdesk.usecases.stock.lists import BadLine

#: ISO 3166 letters, the name that customers use, and whether the country is open.
COUNTRIES = (("ES", "Spain", True), ("DE", "Germany", False), ("GB", "UK", False))
#: The services in list order, and their prices: per hour, then by number of days.
SERVICES: tuple[tuple[str, str, dict[int, str]], ...] = (
    ("google", "0.80", {1: "2.50", 3: "6.00", 7: "12.00", 30: "35.00"}),
    ("whatsapp", "1.00", {1: "3.00", 7: "15.00", 30: "45.00"}),
    ("telegram", "1.20", {1: "3.50", 3: "8.00", 7: "16.00", 30: "48.00"}),
    ("facebook", "0.60", {1: "1.80", 3: "4.50", 7: "9.00", 30: "27.00"}),
    ("instagram", "0.60", {1: "1.80", 3: "4.50", 7: "9.00", 30: "27.00"}),
    ("tiktok", "0.50", {1: "1.50", 3: "3.80", 7: "7.50", 30: "22.00"}),
    ("amazon", "0.70", {1: "2.00", 3: "5.00", 7: "10.00", 30: "30.00", 90: "75.00"}),
    ("microsoft", "0.50", {1: "1.50", 3: "3.80", 7: "7.50", 30: "22.00", 90: "55.00"}),
    ("uber", "0.60", {1: "1.80", 7: "9.00", 30: "27.00"}),
    ("paypal", "0.90", {1: "2.80", 3: "6.50", 7: "13.00", 30: "39.00", 90: "99.00"}),
    ("airbnb", "0.60", {1: "1.80", 7: "9.00", 30: "27.00"}),
    ("discord", "0.50", {1: "1.50", 3: "3.80", 7: "7.50", 30: "22.00"}),
)


async def seed(rt: Runtime, *, complain: Callable[[BadLine], None]) -> None:
    """Set the countries and prices; a second call changes nothing."""
    for iso2, name, is_open in COUNTRIES:
        await prices.set_country(rt, iso2=iso2, name=name, is_open=is_open)
    await prices.load(rt, _prices(), complain=complain)


def _prices() -> Iterator[GivenRentalPrice]:
    for iso2, _, _ in COUNTRIES:
        for place, (service, hour, days) in enumerate(SERVICES, start=1):
            yield GivenRentalPrice(0, iso2, service, "SHORT", "1", hour, str(place))
            for units, price in days.items():
                yield GivenRentalPrice(0, iso2, service, "LONG", str(units), price, str(place))
