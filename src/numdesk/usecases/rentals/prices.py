"""The price list of rentals: countries and prices, loading them, and the customer's view of
them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from numdesk.domain.errors import InvalidInput, NotFound
from numdesk.domain.rentals.lifecycle import (
    CURRENCY,
    SERVICES_MAX,
    UNITS_MAX,
    RentalService,
    RentType,
)
from numdesk.storage.rentals import prices as rows
from numdesk.storage.rentals.prices import RentalPriceLine
from numdesk.usecases.stock.lists import (
    CHUNK,
    BadLine,
    Fact,
    Loaded,
    PriceList,
    Stated,
    chunks,
    read_amount,
)
from numdesk.usecases.stock.words import add_named, find_words

if TYPE_CHECKING:
    from numdesk.runtime import Runtime
    from numdesk.storage.database.pool import Tx
    from numdesk.usecases.stock.words import Words

#: What is remembered of the list is dropped when its version changes; this bounds the harm of a
#: look that failed.
LIST_AGE_MAX_S = 60.0
#: Which services have a free number is looked at once in so long.
STOCK_AGE_MAX_S = 1.0
#: The word that takes a period off the list, in the place of its price.
OFF = "off"
PRIORITY_MAX = 1_000_000
NAME_LENGTH_MAX = 60


@dataclass(frozen=True, slots=True)
class RentalCountry:
    """A country by the name that customers use; numbers can be rented in it once it is open."""

    id: int
    iso2: str
    name: str
    open: bool


@dataclass(frozen=True, slots=True)
class RentalList:
    """The whole list: countries by their name in small letters, services by country and type, in
    the order of their priority."""

    countries: Mapping[str, RentalCountry] = field(default_factory=dict)
    services: Mapping[tuple[int, RentType], tuple[RentalService, ...]] = field(default_factory=dict)

    def country(self, name: str) -> RentalCountry:
        """Return the country of a name. Raises NotFound."""
        found = self.countries.get(name.strip().lower())
        if found is None:
            raise NotFound(what="country", known=tuple(one.name for one in self.countries.values()))
        return found

    def select(
        self, country: RentalCountry, rent_type: RentType, wanted: Sequence[str]
    ) -> list[RentalService]:
        """Return the services with these codes or names, in any case, each once.

        Raises InvalidInput.
        """
        if not 1 <= len(wanted) <= SERVICES_MAX:
            raise InvalidInput(field="serviceIds", reason=f"must name 1 to {SERVICES_MAX} services")
        known = self.services.get((country.id, rent_type), ())
        by_word = {service.name.lower(): service for service in known} | {
            service.code: service for service in known
        }
        chosen: dict[int, RentalService] = {}
        for word in wanted:
            service = by_word.get(word.strip().lower())
            if service is None:
                raise InvalidInput(
                    field="serviceIds",
                    reason=f"holds {word.strip()[:40]!r}, which is not rented out there",
                )
            chosen[service.id] = service
        return list(chosen.values())


@dataclass(frozen=True, slots=True)
class GivenRentalPrice:
    """A line of a rental price list, as text.

    The priority may be empty (it is then left as it is).
    """

    line: int
    country: str
    service: str
    rent_type: str
    period: str
    price: str
    priority: str = ""


async def price_list(rt: Runtime) -> RentalList:
    """Return the list as it is now."""

    async def load_list() -> RentalList:
        return await rt.repeat("rentals.list", read_list)

    return await rt.memory.get("rentals.list", load_list, age_max_s=LIST_AGE_MAX_S)


async def in_stock(
    rt: Runtime, country: RentalCountry, services: Sequence[RentalService]
) -> list[RentalService]:
    """Return the services with word of whether a number is free for each."""
    if not country.open:
        return [replace(service, available=False) for service in services]
    known = (await price_list(rt)).services
    ids = sorted(
        {
            service.id
            for (country_id, _), found in known.items()
            if country_id == country.id
            for service in found
        }
    )

    async def look() -> set[int]:
        now = rt.clock.now()
        return await rt.repeat(
            "rentals.stock",
            lambda tx: rows.services_in_stock(tx, country_id=country.id, service_ids=ids, now=now),
        )

    free = await rt.memory.get(f"rentals.stock.{country.id}", look, age_max_s=STOCK_AGE_MAX_S)
    return [replace(service, available=service.id in free) for service in services]


async def load(
    rt: Runtime,
    prices: Iterable[GivenRentalPrice | BadLine],
    *,
    complain: Callable[[BadLine], None],
) -> Loaded:
    """Set the prices of a list, in euros; `added` counts those that are new, changed or taken off.

    Good lines are taken whatever the others hold; each bad one, and each of those that contradict
    each other, is given to `complain`. The same list once more changes nothing. The price "off"
    takes a period off. A country that was never opened or announced is announced under its English
    name. Raises InvalidInput when the list is too long.
    """
    total = Loaded()
    known = await find_words(rt)
    listed: PriceList[RentalPriceLine] = PriceList(complain, total)
    for chunk in chunks(prices, CHUNK):
        total.read += len(chunk)
        good = [given for given in chunk if isinstance(given, GivenRentalPrice)]
        await add_named(
            rt,
            known,
            [(given.country, "") for given in good],
            [given.service for given in good],
            new_operators=False,
        )
        listed.add(
            given if isinstance(given, BadLine) else _price_line(given, known) for given in chunk
        )
    agreed, facts = listed.agreed()
    for batch in chunks(agreed, CHUNK):
        lines = [replace(one.line, priority=facts.get(_priority_of(one.line))) for one in batch]
        changed = await rt.run("rentals.price", lambda tx, lines=lines: _set_prices(tx, lines))
        total.added += changed
        total.present += len(lines) - changed
    rt.memory.forget("rentals")
    return total


async def set_country(rt: Runtime, *, iso2: str, name: str | None, is_open: bool) -> bool:
    """Open a country for rentals, or announces it only; False when it was so already.

    `name` is what customers call it; without one it keeps what it has, or gets its English name.
    Raises NotFound, or InvalidInput when the name is another country's.
    """
    known = await find_words(rt)
    await add_named(rt, known, [(iso2, "")], (), new_operators=False)
    country_id = known.countries.get(iso2.strip().upper())
    if country_id is None:
        raise NotFound(what=f"country {iso2}: two letters such as ES (ISO 3166)")
    if name is not None:
        name = name.strip()
        if not 1 <= len(name) <= NAME_LENGTH_MAX or not name.isprintable():
            raise InvalidInput(
                field="name", reason=f"must have 1 to {NAME_LENGTH_MAX} printable characters"
            )
        taken = (await price_list(rt)).countries.get(name.lower())
        if taken is not None and taken.id != country_id:
            raise InvalidInput(field="name", reason=f"is that of {taken.iso2} already")
    changed = await rt.run(
        "rentals.country",
        lambda tx: rows.set_country(tx, country_id=country_id, name=name, is_open=is_open),
    )
    rt.memory.forget("rentals")
    return changed


async def read_list(tx: Tx) -> RentalList:
    """Return the list as a transaction sees it: a charge in it goes by no memory."""
    countries = {row["name"].lower(): RentalCountry(*row) for row in await rows.countries(tx)}
    services: dict[tuple[int, RentType], dict[int, RentalService]] = {}
    for row in await rows.prices(tx):
        shelf = services.setdefault((row["country_id"], RentType(row["rent_type"])), {})
        service = shelf.setdefault(
            row["service_id"],
            RentalService(
                row["service_id"],
                row["code"],
                row["name"],
                {},
                available=True,
                priority=row["priority"],
            ),
        )
        shelf[row["service_id"]] = replace(
            service, prices={**service.prices, row["units"]: row["price"]}
        )
    return RentalList(
        countries, {place: tuple(shelf.values()) for place, shelf in services.items()}
    )


async def _set_prices(tx: Tx, lines: Sequence[RentalPriceLine]) -> int:
    await rows.announce(tx, country_ids=sorted({line.country_id for line in lines}))
    return await rows.set_prices(tx, lines=lines)


def _price_line(given: GivenRentalPrice, known: Words) -> Stated[RentalPriceLine] | BadLine:
    country_id = known.countries.get(given.country.strip().upper())
    if country_id is None:
        return BadLine(
            given.line,
            given.country,
            "is no country that is known here: two letters such as ES (ISO 3166)",
        )
    service_id = known.services.get(given.service.strip().lower())
    if service_id is None:
        return BadLine(
            given.line, given.service, "is no service that is known here, such as whatsapp"
        )
    rent_type = RentType.__members__.get(given.rent_type.strip().upper())
    if rent_type is None:
        return BadLine(
            given.line,
            given.rent_type,
            "is no type of rental: SHORT (by the hour) or LONG (by the day)",
        )
    units = _whole(given.period, least=1, most=UNITS_MAX[rent_type])
    if units is None:
        return BadLine(
            given.line,
            given.period,
            f"is no period of {rent_type.name}: a whole number from 1 to {UNITS_MAX[rent_type]}",
        )
    return _amounts(
        given, RentalPriceLine(country_id, service_id, int(rent_type), units, None, None)
    )


def _amounts(given: GivenRentalPrice, line: RentalPriceLine) -> Stated[RentalPriceLine] | BadLine:
    """Return the line with its price and priority, or why they cannot be used."""
    price: int | BadLine | None = (
        None
        if given.price.strip().lower() == OFF
        else read_amount(given.line, given.price, CURRENCY)
    )
    if isinstance(price, BadLine):
        return replace(price, reason=f'{price.reason}; or "{OFF}" to take the period off the list')
    if price == 0:
        return BadLine(
            given.line,
            given.price,
            f'must be more than 0; or "{OFF}" to take the period off the list',
        )
    period: Hashable = ("price", line.country_id, line.rent_type, line.service_id, line.units)
    facts: dict[Hashable, Fact] = {period: Fact("price", price, given.price)}
    if given.priority.strip():
        priority = _whole(given.priority, least=0, most=PRIORITY_MAX)
        if priority is None:
            return BadLine(
                given.line,
                given.priority,
                f"is no priority: a whole number from 0 to {PRIORITY_MAX}, the lowest stands first",
            )
        facts[_priority_of(line)] = Fact("priority", priority, given.priority)
    return Stated(given.line, facts, replace(line, price=price))


def _priority_of(line: RentalPriceLine) -> Hashable:
    """Return the subject of a service's priority, which all its periods share."""
    return ("priority", line.country_id, line.rent_type, line.service_id)


def _whole(text: str, *, least: int, most: int) -> int | None:
    digits = text.strip()
    if not digits.isascii() or not digits.isdigit() or len(digits) > len(str(most)):
        return None
    return int(digits) if least <= int(digits) <= most else None
