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

#: The largest amount that any wallet or price may hold: far below 2^63, so that sums of a table cannot overflow.
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
    """Rounds to the nearest integer, halves away from zero."""
    magnitude = (abs(value) * 2 + 1) // 2
    return int(magnitude if value >= 0 else -magnitude)


def floor_for_customer(value: Fraction) -> int:
    """Rounds a customer's upper bound down, so that it is never exceeded."""
    return int(value.__floor__())


def ceil_for_customer(value: Fraction) -> int:
    """Rounds a customer's lower bound up, so that it is never undercut."""
    return int(value.__ceil__())
