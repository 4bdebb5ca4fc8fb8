"""Quotes of rentals by the price list, and of their extensions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from numdesk.domain.money import half_up
from numdesk.domain.rentals.lifecycle import EXTENDABLE, WHOLE_BP, RentalService, RentType
from numdesk.domain.rentals.refusals import PeriodNotOffered


@dataclass(frozen=True, slots=True)
class Quote:
    """The price of a period: `base_price` is the list's, `price` the customer's, `breakdown` the
    list's by name of service. Cents."""

    units: int
    base_price: int
    price: int
    breakdown: tuple[tuple[str, int], ...]


def quotes(services: Sequence[RentalService], *, discount_bp: int = 0) -> list[Quote]:
    """Return what the services cost together, for each period that all of them have, shortest
    first.

    The discount (basis points) is taken off the sum, rounded half up, so that the parts of a
    breakdown add up to the base price.
    """
    assert 0 <= discount_bp <= WHOLE_BP, "a discount is a part of the price"
    common = (
        set.intersection(*(set(service.prices) for service in services)) if services else set[int]()
    )
    found = []
    for units in sorted(common):
        breakdown = tuple((service.name, service.prices[units]) for service in services)
        base = sum(price for _, price in breakdown)
        found.append(
            Quote(
                units, base, half_up(Fraction(base * (WHOLE_BP - discount_bp), WHOLE_BP)), breakdown
            )
        )
    return found


def extensions(
    offered: Iterable[Quote], *, rent_type: RentType, units_so_far: int, units_max: int
) -> list[Quote]:
    """Return the periods by which a term may still be made longer: a term has at most `units_max`
    units in all."""
    if rent_type not in EXTENDABLE:
        return []
    return [quote for quote in offered if units_so_far + quote.units <= units_max]


def choose(offered: Sequence[Quote], units: int) -> Quote:
    """Return the quote of a period. Raises PeriodNotOffered."""
    found = next((quote for quote in offered if quote.units == units), None)
    if found is None:
        periods = tuple(quote.units for quote in offered)
        reason = (
            f"must be one of {', '.join(map(str, periods))}"
            if periods
            else "is not offered, nor is any other"
        )
        raise PeriodNotOffered(field="period", reason=reason, offered=periods)
    return found
