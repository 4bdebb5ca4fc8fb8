"""Money: an integer count of minor units with a currency, and rounding by name."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

#: Decimals of each currency; the database holds the same table and a test compares them.
DECIMALS: dict[str, int] = {
    "IDR": 0,
    "USD": 2,
    "EUR": 2,
    "RUB": 2,
    "UAH": 2,
    "KZT": 2,
    "CNY": 2,
    "USDT": 6,
    "BTC": 8,
}

#: The largest amount that any wallet or price may hold: far below 2^63, so that sums of a table
#: cannot overflow.
AMOUNT_MAX = 10**15


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount. `units` counts minor units (IDR 1 = 1 rupiah, EUR 100 = 1 euro)."""

    units: int
    currency: str

    def __post_init__(self) -> None:
        assert self.currency in DECIMALS, f"unknown currency {self.currency}"

    def __add__(self, other: Money) -> Money:
        return Money(self.units + self._same(other).units, self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.units - self._same(other).units, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.units < self._same(other).units

    def _same(self, other: Money) -> Money:
        assert other.currency == self.currency, f"cannot mix {self.currency} and {other.currency}"
        return other


def half_up(value: Fraction) -> int:
    """Round to the nearest integer, halves away from zero."""
    magnitude = (abs(value) * 2 + 1) // 2
    return int(magnitude if value >= 0 else -magnitude)


def floor_for_customer(value: Fraction) -> int:
    """Round a customer's upper bound down, so that it is never exceeded."""
    return int(value.__floor__())


def ceil_for_customer(value: Fraction) -> int:
    """Round a customer's lower bound up, so that it is never undercut."""
    return int(value.__ceil__())


class AmountRefused(ValueError):
    """A text is not an amount of a currency; the reason completes "The amount ..."."""


def parse_amount(text: str, currency: str) -> int:
    """Return a decimal amount such as 1.50 in minor units, from 0 to AMOUNT_MAX.

    Raises AmountRefused.

    What could be read in two ways (1,50; 1e3; .5; digits of other scripts) is not read at all.
    """
    whole, point, fraction = text.strip().partition(".")
    places = DECIMALS[currency]
    if any(char.isdigit() and not char.isascii() for char in text):
        raise AmountRefused("has digits other than 0-9: write it with the digits 0-9")
    if not whole.isdigit() or (point and not fraction.isdigit()):
        shape = (
            "a whole number"
            if places == 0
            else f"a number with at most {places} decimals after a point"
        )
        raise AmountRefused(f"is not an amount of {currency}: it must be {shape}, not negative")
    if len(fraction) > places:
        raise AmountRefused(f"has {len(fraction)} decimals: {currency} has {places}")
    digits = (whole + fraction.ljust(places, "0")).lstrip("0") or "0"
    if len(digits) > len(str(AMOUNT_MAX)) or int(digits) > AMOUNT_MAX:
        raise AmountRefused(
            f"is too large: it must be at most {print_amount(AMOUNT_MAX, currency)}"
        )
    return int(digits)


def print_amount(units: int, currency: str) -> str:
    """Return an amount for people, such as 1,234.50 EUR."""
    places = DECIMALS[currency]
    digits = str(abs(units)).rjust(places + 1, "0")
    whole, fraction = (digits[:-places], "." + digits[-places:]) if places else (digits, "")
    return f"{'-' if units < 0 else ''}{int(whole):,}{fraction} {currency}"
