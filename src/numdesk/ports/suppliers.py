"""NumberSupplier: a company (or our own shelf) that sells the use of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Wanted:
    """The calls of a supplier: ISO 3166 alpha-2 country, service slug, operator slug or None, and
    the most we pay in minor units.

    `reference` is ours, unique for this try: a supplier (or the adapter) must answer the same
    reservation for the same reference.
    """

    reference: str
    country: str
    service: str
    operator: str | None
    cost_max: int
    currency: str


@dataclass(frozen=True, slots=True)
class Reserved:
    """A number that a supplier gave: its own reference of the order, the number in E.164 digits,
    what it took from us."""

    provider_ref: str
    msisdn: int
    cost: int


@dataclass(frozen=True, slots=True)
class Tier:
    """One line of a supplier's price list."""

    country: str
    service: str
    operator: str | None
    available: int
    cost: int


class Outcome(StrEnum):
    """The ending of a number's use, as a supplier is told."""

    CANCELED = "canceled"
    EXPIRED = "expired"
    COMPLETED = "completed"


class NumberSupplier(Protocol):
    """Every method source of exchange rates. Raises only ProviderError."""

    async def tiers(self) -> Sequence[Tier]:
        """Return what the supplier sells now."""
        ...

    async def reserve(self, wanted: Wanted) -> Reserved:
        """Buy a number; the same reference never buys twice."""
        ...

    async def look_up(self, reference: str) -> Reserved | None:
        """Return what became of a reservation whose answer was lost, or None when there is none and
        never will be."""
        ...

    async def release(self, provider_ref: str, outcome: Outcome) -> None:
        """Tell the supplier that we are done with the number; harmless when repeated."""
        ...

    async def resend(self, provider_ref: str) -> bool:
        """Ask for one more message; False when the supplier cannot."""
        ...

    async def reactivate(self, wanted: Wanted, *, msisdn: int) -> Reserved:
        """Buy the same number once more."""
        ...

    async def reactivation_cost(self, *, msisdn: int, service: str) -> int | None:
        """Return what buying the same number once more costs now in our minor units, or None when
        it cannot be had."""
        ...
