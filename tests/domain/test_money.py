"""Exact amounts, and rounding by name."""

import math
from fractions import Fraction

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdesk.domain.money import (
    AMOUNT_MAX,
    DECIMALS,
    AmountRefused,
    Money,
    ceil_for_customer,
    floor_for_customer,
    half_up,
    parse_amount,
    print_amount,
)

fractions = st.fractions(-AMOUNT_MAX, AMOUNT_MAX)


class TestMoney:
    """A count of minor units with a currency."""

    @given(st.integers(), st.integers())
    def test_adds_and_takes_away_exactly(self, left: int, right: int) -> None:
        """What was added can be taken away again."""
        assert Money(left, "IDR") + Money(right, "IDR") - Money(right, "IDR") == Money(left, "IDR")
        assert (Money(left, "IDR") < Money(right, "IDR")) == (left < right)

    @pytest.mark.parametrize("mix", [lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a < b])
    def test_does_not_mix(self, mix: object) -> None:
        """Two currencies are never added, subtracted or compared."""
        with pytest.raises(AssertionError):
            mix(Money(1, "IDR"), Money(1, "EUR"))  # type: ignore[operator] - one of three

    def test_knows_its_currencies(self) -> None:
        """An unknown currency is a fault of ours."""
        with pytest.raises(AssertionError):
            Money(1, "XXX")

    async def test_the_database_knows_the_same_decimals(self, pool: asyncpg.Pool) -> None:
        """Both tables of currencies are equal."""
        assert dict(await pool.fetch("select code, decimals from currencies")) == DECIMALS


class TestRounding:
    """Three ways, each with its name."""

    @given(fractions)
    def test_half_up_is_nearest(self, value: Fraction) -> None:
        """The result is within a half, and at exactly a half farther from zero."""
        rounded = half_up(value)
        assert abs(rounded - value) <= Fraction(1, 2)
        assert abs(rounded - value) < Fraction(1, 2) or abs(rounded) > abs(value)

    @given(fractions)
    def test_bounds_of_customers_are_never_overstepped(self, value: Fraction) -> None:
        """An upper bound is rounded down and a lower one up, by less than one."""
        assert (
            value - 1 < floor_for_customer(value) <= value <= ceil_for_customer(value) < value + 1
        )

    @given(st.integers())
    def test_whole_numbers_stay(self, value: int) -> None:
        """Nothing is rounded that needs no rounding."""
        assert {
            half_up(Fraction(value)),
            floor_for_customer(Fraction(value)),
            ceil_for_customer(Fraction(value)),
        } == {value}

    def test_sums_stay_inside_the_database(self) -> None:
        """Nine thousand of the largest amounts still fit into a bigint."""
        assert AMOUNT_MAX * 9_000 < 2**63
        assert math.log2(AMOUNT_MAX) < 50


class TestParseAmount:
    """Amounts as people write them."""

    @pytest.mark.parametrize(
        ("text", "units"),
        [("1.50", 150), ("2", 200), ("0", 0), ("0.5", 50), (" 1 ", 100), ("007", 700)],
    )
    def test_reads_decimals_of_the_currency(self, text: str, units: int) -> None:
        """An amount is written as people write it and kept in minor units."""
        assert parse_amount(text, "EUR") == units

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            *[
                (text, "is not an amount of EUR")
                for text in (
                    "",
                    "-1",
                    "1,50",
                    "1e3",
                    ".5",
                    "5.",
                    "NaN",
                    "1_000",
                    "+1",
                    "1.5.0",
                    "1 0",
                )
            ],
            ("1.005", "has 3 decimals: EUR has 2"),
            *[(text, "has digits other than 0-9") for text in ("١", "１２", "1.٥", "²")],
            ("9" * 20, "is too large: it must be at most 10,000,000,000,000.00 EUR"),
            ("9" * 5000, "is too large"),
            ("10000000000000.01", "is too large"),
        ],
    )
    def test_says_what_is_wrong(self, text: str, reason: str) -> None:
        """What could be read in two ways is not read at all, and the reason names the real
        fault."""
        with pytest.raises(AmountRefused, match=reason):
            parse_amount(text, "EUR")

    @given(st.integers(0, AMOUNT_MAX), st.sampled_from(sorted(DECIMALS)))
    def test_reads_what_is_printed(self, units: int, currency: str) -> None:
        """A printed amount without its commas and currency is the same amount."""
        assert (
            parse_amount(
                print_amount(units, currency).replace(",", "").removesuffix(currency), currency
            )
            == units
        )
