"""The sandbox's seed data: catalogue, stock, prices, rates, and a funded customer per dialect."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from numdesk.domain.stock import atlas
from numdesk.domain.stock.catalogue import LOCAL
from numdesk.ports.suppliers import Tier
from numdesk.runtime import Runtime
from numdesk.sandbox import seed_rentals
from numdesk.usecases import rates
from numdesk.usecases.customers import accounts
from numdesk.usecases.desk import installation
from numdesk.usecases.stock import numbers, prices
from numdesk.usecases.stock.lists import BadLine
from numdesk.usecases.stock.numbers import GivenNumber
from numdesk.usecases.stock.prices import GivenPrice

#: The sandbox sells the first countries and services of the atlas.
COUNTRIES = atlas.COUNTRIES[:48]
SERVICES = atlas.SERVICES[:220]
#: Services that own numbers are offered for as well, and those of them with a choice of operator.
LOCAL_SERVICES = 40
LOCAL_SERVICES_BY_OPERATOR = 12

#: Own numbers in all, and those of them in the country that examples use.
NUMBERS = 100_000
NUMBERS_IN_SHOWCASE = 6_000
SHOWCASE = "ID"

#: Rupiah per dollar.
RATE = 16_250
#: The starting balance of a sandbox customer, in minor units of each currency.
CREDIT: Mapping[str, int] = {
    "IDR": 1_000_000_000,
    "USD": 10_000_000,
    "EUR": 10_000_000,
    "RUB": 1_000_000_000,
    "UAH": 500_000_000,
    "KZT": 5_000_000_000,
    "CNY": 100_000_000,
    "USDT": 100_000_000_000,
    "BTC": 1_000_000_000,
}
#: Currencies that offers have prices in.
PRICED_IN = ("IDR",)


class SeedRefused(RuntimeError):
    """A use case refused the sandbox's own data; a fault of the program."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The registration terms of a dialect: the wallet's currency, whether requests are signed."""

    currency: str
    signed: bool


@dataclass(frozen=True, slots=True)
class Credential:
    """The credential of a sandbox customer for one dialect."""

    dialect: str
    customer_id: int
    token: str
    secret: str | None

    def key(self) -> dict[str, str]:
        """Return the key for a program: a token, or the two halves of a signing key."""
        return (
            {"token": self.token}
            if self.secret is None
            else {"api_key": self.token, "secret_key": self.secret}
        )


async def seed(rt: Runtime, *, dialects: Mapping[str, Terms], suppliers: Iterable[str]) -> None:
    """Fill an empty database, with a customer per dialect (given with its terms)."""
    await rates.set_rate(rt, "USD/IDR", RATE)
    await prices.price(rt, list(_local_prices()), complain=_refuse)
    for slug in suppliers:
        tiers = await rt.suppliers[slug].tiers()
        await prices.price(rt, list(_remote_prices(slug, tiers)), complain=_refuse)
    await numbers.load(rt, _numbers(), complain=_refuse)
    await seed_rentals.seed(rt, complain=_refuse)
    await _keep_customers(rt, dialects)


async def credentials(rt: Runtime, *, dialects: Mapping[str, Terms]) -> list[Credential]:
    """Return the sandbox customer's credential per dialect; a new dialect gets its customer."""
    kept = await installation.sandbox_credentials(rt)
    if dialects.keys() - kept.keys():
        await _keep_customers(rt, dialects)
        kept = await installation.sandbox_credentials(rt)
    return [Credential(slug, *kept[slug]) for slug in dialects if slug in kept]


async def _keep_customers(rt: Runtime, dialects: Mapping[str, Terms]) -> None:
    """Register a customer for each dialect that has none, and store the credentials."""
    kept = await installation.sandbox_credentials(rt)
    for slug, terms in dialects.items():
        if slug not in kept:
            made = await new_customer(rt, dialect=slug, terms=terms)
            kept[slug] = (made.customer_id, made.token, made.secret)
    await installation.keep_sandbox_credentials(rt, kept)


async def new_customer(
    rt: Runtime, *, dialect: str, terms: Terms, balance: int | None = None
) -> Credential:
    """Register an approved customer with money in the wallet."""
    credit = CREDIT[terms.currency] if balance is None else balance
    name = f"Sandbox {dialect} {secrets.token_hex(3)}"
    made = await accounts.register(
        rt, name=name, dialect=dialect, currency=terms.currency, signed=terms.signed, credit=credit
    )
    return Credential(dialect, made.customer_id, made.token, made.secret)


def _local_prices() -> Iterator[GivenPrice]:
    """Return prices of own numbers, a little below the simulator's: own offers usually win."""
    for country in COUNTRIES:
        for rank, service in enumerate(SERVICES[:LOCAL_SERVICES]):
            price = _price(country, service)
            yield _given(country, service, None, price)
            if rank < LOCAL_SERVICES_BY_OPERATOR:
                for place, operator in enumerate(country.operators):
                    yield _given(country, service, operator.code, price + 150 * (place + 1))


def _given(
    country: atlas.CountryFacts, service: atlas.ServiceFacts, operator: str | None, price: int
) -> GivenPrice:
    return GivenPrice(0, country.iso2, service.code, operator or "", "IDR", str(price), "0", LOCAL)


def _remote_prices(slug: str, tiers: Iterable[Tier]) -> Iterator[GivenPrice]:
    """Return prices of a supplier's tiers: its cost to us plus a quarter."""
    sold_countries = {country.iso2 for country in COUNTRIES}
    sold_services = {service.code for service in SERVICES}
    for tier in tiers:
        if tier.country in sold_countries and tier.service in sold_services:
            price = str(tier.cost + tier.cost // 4)
            yield GivenPrice(
                0,
                tier.country,
                tier.service,
                tier.operator or "",
                "IDR",
                price,
                str(tier.cost),
                slug,
                tier.available,
            )


def _price(country: atlas.CountryFacts, service: atlas.ServiceFacts) -> int:
    return 1000 + (country.id * 7919 + service.id * 104_729) % 8000


def _numbers() -> Iterator[GivenNumber]:
    """Return own numbers: most in the showcase country, the rest spread evenly.

    Half of them have a known operator, in countries with any.
    """
    per_country, odd = divmod(NUMBERS - NUMBERS_IN_SHOWCASE, len(COUNTRIES) - 1)
    for country in COUNTRIES:
        extra = odd if country is COUNTRIES[0] else 0
        count = NUMBERS_IN_SHOWCASE if country.iso2 == SHOWCASE else per_country + extra
        for serial in range(count):
            operators = country.operators
            operator = (
                operators[serial // 2 % len(operators)].code if operators and serial % 2 else ""
            )
            yield GivenNumber(
                0, str(atlas.synthetic_msisdn(country, serial)), country.iso2, operator
            )


def _refuse(bad: BadLine) -> None:
    raise SeedRefused(f"{bad.value} {bad.reason}")
