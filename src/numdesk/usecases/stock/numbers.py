"""Our own stock: putting numbers on the shelf, pricing them, taking them off, and looking at what is there."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from numdesk.domain.money import DECIMALS, AmountRefused, parse_amount, print_amount
from numdesk.domain.stock import atlas
from numdesk.domain.stock.catalogue import LOCAL
from numdesk.domain.stock.numbers import parse_msisdn
from numdesk.storage.stock import catalogue as catalogue_rows
from numdesk.storage.stock import numbers as rows
from numdesk.storage.stock.numbers import ShelfLine
from numdesk.usecases.stock.lists import BadLine, Fact, Loaded, PriceList, Stated

if TYPE_CHECKING:
    from numdesk.runtime import Runtime
    from numdesk.storage.database.pool import Tx

Item = TypeVar("Item")

#: So many numbers are one transaction: large enough to be fast, small enough that a crash loses little of the work.
CHUNK = 20_000
#: After so many new numbers the table is tidied at once instead of when PostgreSQL gets to it.
TIDY_FROM = 10_000
#: Operators that a list may add, when it may add any: a list with a column out of place must not add thousands.
NEW_OPERATORS_MAX = 200

_OPERATOR_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)


@dataclass(frozen=True, slots=True)
class GivenNumber:
    """A line of a list of numbers, as text."""

    line: int
    msisdn: str
    country: str
    operator: str


@dataclass(frozen=True, slots=True)
class GivenPrice:
    """A line of a price list, as text; the operator may be empty, the cost (it is then left as it is) and the provider (us) too."""

    line: int
    country: str
    service: str
    operator: str
    currency: str
    price: str
    cost: str = ""
    provider: str = LOCAL
    available: int = 0


@dataclass(frozen=True, slots=True)
class PriceRules:
    """What a price list may do: add operators, give numbers away (a price of 0), sell below the cost.

    `currencies` are those that somebody here sells in: a price in another one would never be shown, its cost taken for the wrong money.
    """

    new_operators: bool = False
    free: bool = False
    losses: bool = False
    currencies: Collection[str] = tuple(DECIMALS)


#: The rules of a list that is loaded without any flag.
STRICT = PriceRules()


@dataclass(slots=True)
class Words:
    """Ids of what the installation knows, by the words of a list."""

    countries: dict[str, int] = field(default_factory=dict)
    services: dict[str, int] = field(default_factory=dict)
    operators: dict[tuple[int, str], int] = field(default_factory=dict)
    #: By the country's id; several countries may share one.
    dial_codes: dict[int, str] = field(default_factory=dict)


async def load(
    rt: Runtime,
    numbers: Iterable[GivenNumber | BadLine],
    *,
    new_operators: bool = False,
    complain: Callable[[BadLine], None],
    progress: Callable[[Loaded], None] = lambda _: None,
) -> Loaded:
    """Puts a list of numbers on the shelf, chunk by chunk, and returns what came of it.

    Good lines are taken whatever the others hold; each bad one, and each number that is here under another country or operator, is
    given to `complain`. The same list once more changes nothing. With `new_operators`, operators that are unknown here are added.
    """
    total = Loaded()
    known = await find_words(rt)
    for chunk in chunks(numbers, CHUNK):
        total.read += len(chunk)
        good = [given for given in chunk if isinstance(given, GivenNumber)]
        await meet(
            rt,
            known,
            [(given.country, given.operator) for given in good],
            (),
            new_operators=new_operators,
        )
        lines: list[rows.NumberLine] = []
        for given in chunk:
            read = given if isinstance(given, BadLine) else _number_line(given, known)
            if isinstance(read, BadLine):
                total.bad += 1
                complain(read)
            else:
                lines.append(read)
        await _put(rt, lines, total, complain)
        progress(total)
    if total.added >= TIDY_FROM:
        await rt.repeat("stock.tidy", rows.tidy)
    rt.memory.forget("catalogue")
    return total


async def price(
    rt: Runtime,
    prices: Iterable[GivenPrice | BadLine],
    *,
    rules: PriceRules = STRICT,
    complain: Callable[[BadLine], None],
) -> Loaded:
    """Sets the prices of a list, making the offers that are missing; `added` counts the prices that are new or changed.

    Lines that contradict each other are not loaded, nor is a price of 0 or below the cost unless the rules allow it. An offer of a
    supplier has none available before `catalogue.refresh_supplier` has asked it; its cost then comes from there, too. Refuses with
    InvalidInput when the list is too long.
    """
    total = Loaded()
    known = await find_words(rt)
    providers = frozenset({LOCAL, *rt.suppliers})
    listed: PriceList[rows.PriceLine] = PriceList(complain, total)
    for chunk in chunks(prices, CHUNK):
        total.read += len(chunk)
        good = [given for given in chunk if isinstance(given, GivenPrice)]
        places, services = (
            [(given.country, given.operator) for given in good],
            [given.service for given in good],
        )
        await meet(rt, known, places, services, new_operators=rules.new_operators)
        listed.add(
            given if isinstance(given, BadLine) else _price_line(given, known, providers, rules)
            for given in chunk
        )
    agreed, facts = listed.agreed()
    for batch in chunks(agreed, CHUNK):
        lines = [replace(one.line, cost=facts.get(_cost_of(one.line))) for one in batch]
        losing, changed = await rt.run(
            "stock.price", lambda tx, lines=lines: _set_prices(tx, lines, rules)
        )
        if rules.losses:
            total.losses += len(losing)
        else:
            for place, cost in losing.items():
                listed.refuse(_below_cost(batch[place], cost))
            lines = [line for place, line in enumerate(lines) if place not in losing]
        total.added += changed
        total.present += len(lines) - changed
    rt.memory.forget("catalogue")
    return total


async def withdraw(
    rt: Runtime, msisdns: Iterable[GivenNumber | BadLine], *, complain: Callable[[BadLine], None]
) -> Loaded:
    """Takes numbers off the shelf for good; `added` counts those taken off. One that is rented out now is complained of and left."""
    total = Loaded()
    for chunk in chunks(msisdns, CHUNK):
        total.read += len(chunk)
        wanted: dict[int, GivenNumber] = {}
        for given in chunk:
            msisdn = parse_msisdn(given.msisdn.strip()) if isinstance(given, GivenNumber) else None
            if isinstance(given, BadLine) or msisdn is None:
                total.bad += 1
                complain(
                    given
                    if isinstance(given, BadLine)
                    else BadLine(given.line, given.msisdn, _WHY_NO_NUMBER)
                )
            else:
                wanted[msisdn] = given
        batch = list(wanted)
        total.added += await rt.run(
            "stock.withdraw", lambda tx, batch=batch: rows.withdraw(tx, msisdns=batch)
        )
        states = await rt.repeat(
            "stock.states", lambda tx, batch=batch: rows.states(tx, msisdns=batch)
        )
        for msisdn, given in wanted.items():
            if states.get(msisdn) != _WITHDRAWN:
                total.bad += 1
                reason = (
                    "is rented out now: try again when its order has ended"
                    if msisdn in states
                    else "is not in stock"
                )
                complain(BadLine(given.line, given.msisdn, reason))
    rt.memory.forget("catalogue")
    return total


async def summary(rt: Runtime) -> list[ShelfLine]:
    """Counts all numbers by country, operator and state."""
    return await rt.repeat("stock.summary", rows.summary)


_WITHDRAWN = 3
_WHY_NO_NUMBER = "is no number in E.164: 7 to 15 digits 0-9 that begin with the country code, with or without a plus"


async def _put(
    rt: Runtime, lines: list[rows.NumberLine], total: Loaded, complain: Callable[[BadLine], None]
) -> None:
    """Writes one chunk, and looks at what was here already when something was."""
    if not lines:
        return
    added = await rt.run("stock.load", lambda tx: rows.insert_numbers(tx, lines=lines))
    total.added += added
    if added == len(lines):
        return
    elsewhere = await rt.repeat("stock.elsewhere", lambda tx: rows.elsewhere(tx, lines=lines))
    for found in elsewhere:
        place = f"{found.country}/{found.operator}" if found.operator else found.country
        complain(
            BadLine(
                found.line, str(found.msisdn), f"is in stock already under {place} and stays there"
            )
        )
    total.bad += len(elsewhere)
    total.present += len(lines) - added - len(elsewhere)


async def find_words(rt: Runtime) -> Words:
    """Reads the words that the installation knows."""

    async def work(tx: Tx) -> Words:
        countries = await catalogue_rows.countries(tx)
        return Words(
            {country.iso2: country.id for country in countries},
            {service.code: service.id for service in await catalogue_rows.services(tx)},
            {
                (operator.country_id, operator.code): operator.id
                for operator in await catalogue_rows.operators(tx)
            },
            {country.id: country.dial_code for country in countries},
        )

    return await rt.repeat("stock.known", work)


async def meet(
    rt: Runtime,
    known: Words,
    places: Sequence[tuple[str, str]],
    services: Sequence[str],
    *,
    new_operators: bool,
) -> None:
    """Adds what a list names for the first time and the atlas knows; with `new_operators`, operators that it does not know, too."""
    countries = {_iso2(country) for country, _ in places} - known.countries.keys()
    fresh_countries = [
        atlas.COUNTRIES_BY_ISO2[iso2] for iso2 in sorted(countries & atlas.COUNTRIES_BY_ISO2.keys())
    ]
    fresh_services = [
        atlas.SERVICES_BY_CODE[code]
        for code in sorted({_code(service) for service in services} - known.services.keys())
        if code in atlas.SERVICES_BY_CODE
    ]
    ids = known.countries | {country.iso2: country.id for country in fresh_countries}
    fresh_operators = _fresh_operators(ids, known.operators, places, new_operators=new_operators)
    if fresh_countries or fresh_services or fresh_operators:
        await rt.run(
            "stock.meet",
            lambda tx: rows.insert_facts(
                tx, countries=fresh_countries, services=fresh_services, operators=fresh_operators
            ),
        )
        rt.memory.forget("services")
        found = await find_words(rt)
        known.countries, known.services, known.operators = (
            found.countries,
            found.services,
            found.operators,
        )
        known.dial_codes = found.dial_codes


def _fresh_operators(
    ids: Mapping[str, int],
    known: Mapping[tuple[int, str], int],
    places: Sequence[tuple[str, str]],
    *,
    new_operators: bool,
) -> list[tuple[int, atlas.OperatorFacts]]:
    """Returns the operators that a list names, the installation does not know, and that may be added."""
    fresh: dict[tuple[int, str], atlas.OperatorFacts] = {}
    for place in dict.fromkeys(places):
        iso2, code = _iso2(place[0]), _code(place[1])
        country_id = ids.get(iso2)
        if not code or country_id is None or (country_id, code) in known:
            continue
        facts = atlas.COUNTRIES_BY_ISO2.get(iso2)
        named = {operator.code: operator for operator in facts.operators} if facts else {}
        if code in named:
            fresh[country_id, code] = named[code]
        elif new_operators and _OPERATOR_CODE.fullmatch(code) and len(fresh) < NEW_OPERATORS_MAX:
            fresh[country_id, code] = atlas.OperatorFacts(
                code, code.replace("-", " ").title(), None
            )
    return [(country_id, operator) for (country_id, _), operator in fresh.items()]


def _number_line(given: GivenNumber, known: Words) -> rows.NumberLine | BadLine:
    msisdn = parse_msisdn(given.msisdn.strip())
    if msisdn is None:
        return BadLine(given.line, given.msisdn, _WHY_NO_NUMBER)
    place = _place(given.line, given.country, given.operator, known)
    if isinstance(place, BadLine):
        return place
    dial_code = known.dial_codes[place[0]]
    if not str(msisdn).startswith(dial_code):
        return BadLine(
            given.line,
            given.msisdn,
            f"does not begin with {dial_code}, as numbers of {_iso2(given.country)} do",
        )
    return rows.NumberLine(given.line, msisdn, *place)


async def _set_prices(
    tx: Tx, lines: Sequence[rows.PriceLine], rules: PriceRules
) -> tuple[dict[int, int], int]:
    """Sets prices, those below their cost only when the rules allow it; returns the cost of those by place, and how many changed."""
    losing = await rows.below_cost(tx, lines=lines)
    kept = (
        lines if rules.losses else [line for place, line in enumerate(lines) if place not in losing]
    )
    return losing, await rows.set_prices(tx, lines=kept)


def _price_line(
    given: GivenPrice, known: Words, providers: frozenset[str], rules: PriceRules
) -> Stated[rows.PriceLine] | BadLine:
    place = _place(given.line, given.country, given.operator, known)
    if isinstance(place, BadLine):
        return place
    wrong = _wrong_word(given, known, providers, rules.currencies)
    if wrong is not None:
        return wrong
    service_id, provider, currency = (
        known.services[_code(given.service)],
        _code(given.provider) or LOCAL,
        given.currency.strip().upper(),
    )
    price, cost = (
        read_amount(given.line, given.price, currency),
        read_amount(given.line, given.cost.strip() or "0", currency),
    )
    if isinstance(price, BadLine):
        return price
    if isinstance(cost, BadLine):
        return cost
    if price == 0 and not rules.free:
        return BadLine(
            given.line,
            given.price,
            "would give the number away: set a price, or load the list with --allow-free",
        )
    line = rows.PriceLine(
        place[0], service_id, place[1], provider, currency, price, None, given.available
    )
    facts: dict[Hashable, Fact] = {
        ("price", currency, *_cost_of(line)): Fact(f"price in {currency}", price, given.price)
    }
    if given.cost.strip():
        facts[_cost_of(line)] = Fact("cost", cost, given.cost)
    return Stated(given.line, facts, line)


def _cost_of(line: rows.PriceLine) -> tuple[Hashable, ...]:
    """Returns the subject of an offer's cost."""
    return ("cost", line.country_id, line.service_id, line.operator_id, line.provider)


def _below_cost(one: Stated[rows.PriceLine], cost: int) -> BadLine:
    """Returns the complaint about a price below the offer's cost, given in minor units."""
    text, currency = next(iter(one.facts.values())).text, one.line.currency
    reason = f"is below the cost of {print_amount(cost, currency)}: raise the price, or load the list with --allow-loss"
    return BadLine(one.number, text, reason)


def _wrong_word(
    given: GivenPrice, known: Words, providers: frozenset[str], currencies: Collection[str]
) -> BadLine | None:
    """Returns which word of a price's line is not known, None when all are."""
    if (_code(given.provider) or LOCAL) not in providers:
        return BadLine(
            given.line,
            given.provider,
            f"is no provider of this desk ({', '.join(sorted(providers))})",
        )
    if _code(given.service) not in known.services:
        return BadLine(
            given.line, given.service, "is no service that is known here, such as whatsapp"
        )
    if given.currency.strip().upper() not in currencies:
        return BadLine(
            given.line,
            given.currency,
            f"is not a currency that orders are priced in here: {', '.join(sorted(currencies))}",
        )
    return None


def _place(
    line: int, country: str, operator: str, known: Words
) -> tuple[int, int | None] | BadLine:
    """Returns the ids of a country and an operator, or why there are none."""
    country_id = known.countries.get(_iso2(country))
    if country_id is None:
        return BadLine(
            line, country, "is no country that is known here: two letters such as ID (ISO 3166)"
        )
    code = _code(operator)
    if not code:
        return country_id, None
    operator_id = known.operators.get((country_id, code))
    if operator_id is None:
        names = sorted(name for owner, name in known.operators if owner == country_id)
        return BadLine(
            line,
            operator,
            f"is no operator that is known in {_iso2(country)} ({', '.join(names) or 'none is'})",
        )
    return country_id, operator_id


def read_amount(line: int, text: str, currency: str) -> int | BadLine:
    """Returns an amount of a list in minor units, or why it is not one."""
    try:
        return parse_amount(text, currency)
    except AmountRefused as refused:
        return BadLine(line, text, str(refused))


def _iso2(text: str) -> str:
    return text.strip().upper()


def _code(text: str) -> str:
    return text.strip().lower()


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yields lists of at most `size` items."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
