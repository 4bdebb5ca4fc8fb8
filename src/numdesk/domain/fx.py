"""Exchange rates, and amounts of one currency shown in another (a projection moves no money)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from numdesk.domain.money import ceil_for_customer, floor_for_customer, half_up


@dataclass(frozen=True, slots=True)
class Rate:
    """The price of one whole unit of the base currency in minor units of the quote currency
    ("USD/IDR", 16250)."""

    pair: str
    value: int
    as_of: datetime | None


def project(units: int, *, rate: int, decimals: int) -> str:
    """Return the quote amount `units` in the base currency with `decimals` places, as plain decimal
    text.

    Half-up; a positive amount never becomes zero but one unit of the last place; a negative one
    rounds by magnitude and never prints "-0".
    """
    assert rate > 0, "a rate is positive"
    scaled = half_up(Fraction(abs(units) * 10**decimals, rate))
    if scaled == 0 and units > 0:
        scaled = 1
    sign = "-" if units < 0 and scaled else ""
    digits = str(scaled).rjust(decimals + 1, "0")
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


@dataclass(frozen=True, slots=True)
class PriceCap:
    """A customer's bound on the price: in the wallet's own minor units, or (`shown`) as a decimal
    of the shown currency."""

    units: int | None = None
    shown: Decimal | None = None

    def highest(self, rate: int | None) -> int | None:
        """Return the bound as an upper one in minor units: a shown amount is rounded down.

        None without a rate.
        """
        if self.units is not None or self.shown is None or rate is None:
            return self.units
        return floor_for_customer(Fraction(self.shown) * rate)

    def lowest(self, rate: int | None) -> int | None:
        """Return the bound as a lower one in minor units: a shown amount is rounded up.

        None without a rate.
        """
        if self.units is not None or self.shown is None or rate is None:
            return self.units
        return ceil_for_customer(Fraction(self.shown) * rate)


#: Prices of single items are shown with this many decimals, so caps are compared at that precision
#: too.
SHOWN_DECIMALS = 4


def at_most(price: int, cap: PriceCap | None, *, rate: int | None) -> bool:
    """Return whether the price is within an upper cap.

    A shown price passed back as a cap must buy what it was shown for, so either reading of the cap
    admits the offer: the cap converted down to minor units, or the price as it is shown.
    """
    if cap is None:
        return True
    bound = cap.highest(rate)
    assert bound is not None, "a shown cap needs a rate"
    if price <= bound or cap.shown is None or rate is None:
        return price <= bound
    return Decimal(project(price, rate=rate, decimals=SHOWN_DECIMALS)) <= cap.shown


def at_least(price: int, cap: PriceCap | None, *, rate: int | None) -> bool:
    """Return whether the price is not below a lower cap (converted up to minor units)."""
    if cap is None:
        return True
    bound = cap.lowest(rate)
    assert bound is not None, "a shown cap needs a rate"
    return price >= bound
