"""The world as a reference: countries with their dial codes and operators, and the services that
people wait for codes from.

An installation's own tables decide the range; from here come the names when a country or service
appears there for the first time.
"""

from __future__ import annotations

from dataclasses import dataclass

from numdesk.domain.stock.atlas_tables import COUNTRY_ROWS, OPERATOR_ROWS, SERVICE_NAMES

#: Where a synthetic number's serial begins: six digits after the country's place.
SERIALS_PER_COUNTRY = 1_000_000


@dataclass(frozen=True, slots=True)
class OperatorFacts:
    """A mobile network: a slug, its name, and its name at home when that is another."""

    code: str
    name: str
    local_name: str | None


@dataclass(frozen=True, slots=True)
class CountryFacts:
    """A country by its ISO 3166 alpha-2 code; `dial_code` has no plus."""

    id: int
    iso2: str
    name: str
    dial_code: str
    operators: tuple[OperatorFacts, ...]

    @property
    def emoji(self) -> str:
        """The flag: two regional indicator letters."""
        return "".join(chr(0x1F1E6 + ord(letter) - ord("A")) for letter in self.iso2)


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """A service by its slug."""

    id: int
    code: str
    name: str


def _slug(name: str) -> str:
    words = "".join(
        letter if letter.isalnum() else " " for letter in name.lower().replace("'", "")
    ).split()
    return "-".join(words)


COUNTRIES = tuple(
    CountryFacts(
        number,
        iso2,
        name,
        dial_code,
        tuple(
            OperatorFacts(_slug(operator), operator, local)
            for operator, local in OPERATOR_ROWS.get(iso2, ())
        ),
    )
    for number, (iso2, name, dial_code) in enumerate(COUNTRY_ROWS, start=1)
)
SERVICES = tuple(
    ServiceFacts(number, _slug(name), name) for number, name in enumerate(SERVICE_NAMES, start=1)
)
COUNTRIES_BY_ISO2 = {country.iso2: country for country in COUNTRIES}
SERVICES_BY_CODE = {service.code: service for service in SERVICES}


def synthetic_msisdn(country: CountryFacts, serial: int) -> int:
    """Return a number that looks like one of the country's and can belong to nobody.

    After the country code come two zeros: no numbering plan in the table gives a subscriber number
    that begins so. Then the country's place in the table, because some countries share a dial code,
    and the serial.
    """
    assert 0 <= serial < SERIALS_PER_COUNTRY, f"serial {serial} is outside the range"
    return int(f"{country.dial_code}00{country.id:02}{serial:06}")
