"""Amounts shown in another currency, against exact rationals; bounds on prices."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from numdesk.domain.fx import SHOWN_DECIMALS, PriceCap, at_least, at_most, project
from numdesk.domain.money import AMOUNT_MAX

units = st.integers(-AMOUNT_MAX, AMOUNT_MAX)
prices = st.integers(0, 10**9)
rates = st.integers(1, 10**6)
decimals = st.integers(1, 8)


class TestProject:
    """One currency shown in another."""

    @given(units, rates, decimals)
    def test_is_the_nearest_decimal(self, amount: int, rate: int, places: int) -> None:
        """What is shown is at most half a last place from the exact quotient, unless a positive
        amount would vanish."""
        shown = Fraction(project(amount, rate=rate, decimals=places))
        step, exact = Fraction(1, 10**places), Fraction(amount, rate)
        assert abs(shown - exact) <= step / 2 or (shown, 0 < exact < step) == (step, True)

    @given(units, rates, decimals)
    def test_rounds_halves_by_magnitude(self, amount: int, rate: int, places: int) -> None:
        """An amount and its negative are shown alike but for the sign, zero never with one."""
        text, other = (
            project(abs(amount), rate=rate, decimals=places),
            project(-abs(amount), rate=rate, decimals=places),
        )
        zero = "0." + "0" * places
        assert other == (f"-{text}" if Fraction(abs(amount), rate) * 10**places * 2 >= 1 else zero)

    @given(st.integers(1, AMOUNT_MAX), rates, decimals)
    @example(1, 16_250, 2)
    def test_never_hides_a_positive_amount(self, amount: int, rate: int, places: int) -> None:
        """A positive amount is shown as at least one of the last place."""
        assert Decimal(project(amount, rate=rate, decimals=places)) > 0

    @given(st.tuples(units, units), rates, decimals)
    def test_keeps_order(self, pair: tuple[int, int], rate: int, places: int) -> None:
        """A larger amount is never shown as a smaller one."""
        small, large = sorted(pair)
        assert Decimal(project(small, rate=rate, decimals=places)) <= Decimal(
            project(large, rate=rate, decimals=places)
        )

    @given(units, rates, decimals)
    def test_is_plain_text(self, amount: int, rate: int, places: int) -> None:
        """No exponent, no grouping, exactly the wanted decimals, a digit before the point."""
        whole, _, fraction = (
            project(amount, rate=rate, decimals=places).removeprefix("-").partition(".")
        )
        assert (whole.isdigit(), len(fraction), fraction.isdigit()) == (True, places, True)
        assert whole == str(int(whole))

    @pytest.mark.parametrize(
        ("amount", "places", "text"),
        [
            (16_250, 2, "1.00"),
            (15_000, 4, "0.9231"),
            (1, 2, "0.01"),
            (-1, 2, "0.00"),
            (-16_250, 2, "-1.00"),
        ],
    )
    def test_shows_known_amounts(self, amount: int, places: int, text: str) -> None:
        """At 16,250 rupiah a dollar."""
        assert project(amount, rate=16_250, decimals=places) == text


class TestPriceCap:
    """A customer's bound on the price."""

    @given(prices, rates)
    def test_a_shown_price_passed_back_buys(self, price: int, rate: int) -> None:
        """The price as it is shown, taken as an upper bound, admits the offer that it was shown
        for, however it was rounded."""
        shown = Decimal(project(price, rate=rate, decimals=SHOWN_DECIMALS))
        assert at_most(price, PriceCap(shown=shown), rate=rate)

    @given(prices, rates, st.decimals(0, 10**6, places=6))
    def test_is_never_exceeded_by_more_than_the_rounding(
        self, price: int, rate: int, cap: Decimal
    ) -> None:
        """An admitted price is within the bound, or within half a shown place (a whole one for the
        smallest amount) above it."""
        if at_most(price, PriceCap(shown=cap), rate=rate):
            assert Fraction(price, rate) <= Fraction(cap) + Fraction(1, 2 * 10**SHOWN_DECIMALS)

    @given(prices, rates, st.decimals(0, 10**6, places=6))
    def test_admits_all_that_is_within(self, price: int, rate: int, cap: Decimal) -> None:
        """No price that the exact bound allows is refused, from above or from below."""
        exact = Fraction(cap) * rate
        assert at_most(price, PriceCap(shown=cap), rate=rate) or price > exact
        assert at_least(price, PriceCap(shown=cap), rate=rate) == (price >= exact)

    @given(prices, prices)
    def test_in_minor_units_is_exact(self, price: int, bound: int) -> None:
        """A bound in the wallet's own units needs no rate and is taken as it is."""
        cap = PriceCap(units=bound)
        assert (at_most(price, cap, rate=None), at_least(price, cap, rate=None)) == (
            price <= bound,
            price >= bound,
        )

    @given(prices)
    def test_none_bounds_nothing(self, price: int) -> None:
        """Without a bound every price will do."""
        assert at_most(price, None, rate=None)
        assert at_least(price, None, rate=None)
