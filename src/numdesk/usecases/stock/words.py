"""Words of a list: countries, services and operators, found or added by their names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from numdesk.domain.stock import atlas
from numdesk.storage.stock import catalogue as catalogue_rows
from numdesk.storage.stock import numbers as rows
from numdesk.usecases.stock.lists import BadLine

if TYPE_CHECKING:
    from numdesk.runtime import Runtime
    from numdesk.storage.database.pool import Tx


#: Operators that a list may add, when it may add any: a list with a column out of place must not
#: add thousands.
NEW_OPERATORS_MAX = 200


_OPERATOR_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)


@dataclass(slots=True)
class Words:
    """Ids of what the installation knows, by the words of a list."""

    countries: dict[str, int] = field(default_factory=dict)
    services: dict[str, int] = field(default_factory=dict)
    operators: dict[tuple[int, str], int] = field(default_factory=dict)
    #: By the country's id; several countries may share one.
    dial_codes: dict[int, str] = field(default_factory=dict)


async def find_words(rt: Runtime) -> Words:
    """Read the words that the installation knows."""

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


async def add_named(
    rt: Runtime,
    known: Words,
    places: Sequence[tuple[str, str]],
    services: Sequence[str],
    *,
    new_operators: bool,
) -> None:
    """Add what a list names for the first time and the atlas knows.

    With `new_operators`, operators that it does not know, too.
    """
    countries = {iso2_of(country) for country, _ in places} - known.countries.keys()
    fresh_countries = [
        atlas.COUNTRIES_BY_ISO2[iso2] for iso2 in sorted(countries & atlas.COUNTRIES_BY_ISO2.keys())
    ]
    fresh_services = [
        atlas.SERVICES_BY_CODE[code]
        for code in sorted({code_of(service) for service in services} - known.services.keys())
        if code in atlas.SERVICES_BY_CODE
    ]
    ids = known.countries | {country.iso2: country.id for country in fresh_countries}
    fresh_operators = _fresh_operators(ids, known.operators, places, new_operators=new_operators)
    if fresh_countries or fresh_services or fresh_operators:
        await rt.run(
            "stock.add_named",
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
    """Return the operators that a list names, the installation does not know, and that may be
    added."""
    fresh: dict[tuple[int, str], atlas.OperatorFacts] = {}
    for place in dict.fromkeys(places):
        iso2, code = iso2_of(place[0]), code_of(place[1])
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


def read_place(
    line: int, country: str, operator: str, known: Words
) -> tuple[int, int | None] | BadLine:
    """Return the ids of a country and an operator, or why there are none."""
    country_id = known.countries.get(iso2_of(country))
    if country_id is None:
        return BadLine(
            line, country, "is no country that is known here: two letters such as ID (ISO 3166)"
        )
    code = code_of(operator)
    if not code:
        return country_id, None
    operator_id = known.operators.get((country_id, code))
    if operator_id is None:
        names = sorted(name for owner, name in known.operators if owner == country_id)
        return BadLine(
            line,
            operator,
            f"is no operator that is known in {iso2_of(country)} ({', '.join(names) or 'none is'})",
        )
    return country_id, operator_id


def iso2_of(text: str) -> str:
    return text.strip().upper()


def code_of(text: str) -> str:
    return text.strip().lower()
