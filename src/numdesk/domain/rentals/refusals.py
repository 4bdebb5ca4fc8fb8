"""Refusals of rentals: each narrows one that is wider.

A dialect without its own answer gives the wider one's.
"""

from __future__ import annotations

from dataclasses import dataclass

from numdesk.domain.errors import InvalidInput, StateForbids
from numdesk.domain.stock.refusals import NoOffer


@dataclass(eq=False)
class CountryClosed(NoOffer):
    """Numbers of this country are announced but cannot be rented yet."""

    code = "country_closed"
    country: str = ""


@dataclass(eq=False)
class NoNumbers(NoOffer):
    """No number of this country is free for all the services that are wanted."""

    code = "no_numbers"


@dataclass(eq=False)
class PeriodNotOffered(InvalidInput):
    """The price list does not have this period for all the services.

    `offered` are the periods that it has.
    """

    code = "period_not_offered"
    offered: tuple[int, ...] = ()


@dataclass(eq=False)
class RentalNotActive(StateForbids):
    """The rental has ended."""

    code = "rental_not_active"


@dataclass(eq=False)
class RentalStillActive(StateForbids):
    """The rental has not ended yet."""

    code = "rental_still_active"


@dataclass(eq=False)
class NumberGone(StateForbids):
    """The number is somebody else's by now, or withdrawn."""

    code = "number_gone"
