"""Phone numbers, countries, services, operators and offers."""

from __future__ import annotations

import re
from dataclasses import dataclass

_E164 = re.compile(r"\+?([1-9][0-9]{6,14})", re.ASCII)


def parse_msisdn(text: str) -> int | None:
    """Return the number in E.164 as an integer, or None when `text` is not one (ASCII digits only,
    optional plus)."""
    match = _E164.fullmatch(text)
    return int(match.group(1)) if match else None


@dataclass(frozen=True, slots=True)
class Country:
    """A country that numbers belong to. `iso2` is upper case; `dial_code` has no plus."""

    id: int
    iso2: str
    name: str
    dial_code: str
    emoji: str
    active: bool


@dataclass(frozen=True, slots=True)
class Service:
    """A sender of messages that customers wait for. `code` is a slug such as "whatsapp"."""

    id: int
    code: str
    name: str
    active: bool


@dataclass(frozen=True, slots=True)
class Operator:
    """A mobile network of one country."""

    id: int
    country_id: int
    code: str
    name: str
    local_name: str | None


@dataclass(frozen=True, slots=True)
class CatalogueProduct:
    """The stable pair of country and service."""

    id: int
    country_id: int
    service_id: int


@dataclass(frozen=True, slots=True)
class Offer:
    """One tier: what one provider sells for one catalogue product (and operator) at which price.

    `id` never changes and is never given to another tier. `available` is a count of numbers, `cost`
    what the supplier takes.
    """

    id: int
    catalogue_id: int
    country_id: int
    service_id: int
    operator_id: int | None
    provider: str
    currency: str
    price: int
    cost: int
    available: int
    active: bool
