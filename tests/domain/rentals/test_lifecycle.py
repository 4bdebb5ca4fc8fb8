"""Rentals: every pair of state and event, quotes that add up, refunds, and whose service a message
is of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdesk.domain.errors import Refusal
from numdesk.domain.rentals.lifecycle import (
    MOVES,
    RentalEvent,
    RentalService,
    RentalState,
    RentType,
    as_of,
    is_refunded,
    length,
    move,
)
from numdesk.domain.rentals.messages import ALIASES, service_of
from numdesk.domain.rentals.quotes import choose, extensions, quotes
from numdesk.domain.rentals.refusals import PeriodNotOffered, RentalNotActive, RentalStillActive
from numdesk.domain.stock.atlas import SERVICES

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
WINDOW = timedelta(hours=24)
#: The life of a rental, written out once more by hand; what is missing is refused.
LIFE = {
    "ACTIVE": {"message": "ACTIVE", "extend": "ACTIVE", "cancel": "CANCELED", "expire": "EXPIRED"},
    "EXPIRED": {"rerent": "ACTIVE"},
    "CANCELED": {"rerent": "ACTIVE"},
}
WITH = [("google", "Google"), ("whatsapp", "WhatsApp"), ("google-voice", "Google Voice")]
price_lists = st.dictionaries(st.integers(1, 90), st.integers(1, 10**9), max_size=6)


def service(name: str, prices: dict[int, int]) -> RentalService:
    """Returns a service of the price list."""
    return RentalService(1, name.lower(), name, prices, available=True, priority=1)


class TestMove:
    @pytest.mark.parametrize(("state", "event"), list(product(RentalState, RentalEvent)))
    def test_makes_the_legal_moves_and_no_other(
        self, state: RentalState, event: RentalEvent
    ) -> None:
        """Each of the 15 pairs goes where the life of a rental says, or is refused by what the
        rental is."""
        following = LIFE[state.name].get(event.value)
        if following is None:
            with pytest.raises(
                RentalStillActive if state is RentalState.ACTIVE else RentalNotActive
            ):
                move(state, event)
        else:
            assert move(state, event) is RentalState[following]

    async def test_is_what_the_database_knows(self, pool: asyncpg.Pool) -> None:
        """The table of the database holds the moves that change the state, and those only."""
        rows = await pool.fetch("select state, event, next from rental_moves")
        changing = {
            (int(state), event.value, int(after))
            for (state, event), after in MOVES.items()
            if state is not after
        }
        assert {tuple(row) for row in rows} == changing

    def test_counts_an_unnoticed_end(self) -> None:
        """A rental whose time is up has expired, whether or not the clockwork has come by."""
        assert as_of(RentalState.ACTIVE, expires_at=NOW, now=NOW) is RentalState.EXPIRED
        assert (
            as_of(RentalState.ACTIVE, expires_at=NOW + timedelta(seconds=1), now=NOW)
            is RentalState.ACTIVE
        )
        assert as_of(RentalState.CANCELED, expires_at=NOW, now=NOW) is RentalState.CANCELED


class TestQuotes:
    def test_are_for_the_periods_that_all_have(self) -> None:
        """A period that one of the services lacks is not offered."""
        found = quotes(
            [service("Google", {1: 250, 3: 600, 7: 1200}), service("WhatsApp", {1: 300, 7: 1500})]
        )
        assert [(quote.units, quote.base_price, quote.price) for quote in found] == [
            (1, 550, 550),
            (7, 2700, 2700),
        ]
        assert found[1].breakdown == (("Google", 1200), ("WhatsApp", 1500))

    def test_take_the_discount_off_the_sum(self) -> None:
        """The discount is taken once per quote and rounded half up: 5 % of 0.50 are 2.5 cents, so
        48 are paid."""
        assert [quote.price for quote in quotes([service("Google", {1: 50})], discount_bp=500)] == [
            48
        ]
        assert [
            quote.price for quote in quotes([service("Google", {1: 50})], discount_bp=10_000)
        ] == [0]

    def test_of_nothing_are_none(self) -> None:
        """No service, no price."""
        assert quotes([]) == []

    @given(st.lists(price_lists, min_size=1, max_size=5), st.integers(0, 10_000))
    def test_add_up(self, lists: list[dict[int, int]], discount_bp: int) -> None:
        """A breakdown sums to the base price, and a customer never pays more than that, nor a cent
        off the exact discount."""
        for quote in quotes(
            [service(f"S{n}", prices) for n, prices in enumerate(lists)], discount_bp=discount_bp
        ):
            assert sum(price for _, price in quote.breakdown) == quote.base_price
            assert abs(quote.base_price * (10_000 - discount_bp) - quote.price * 10_000) <= 5_000

    def test_of_a_period_that_is_not_there_is_refused_with_those_that_are(self) -> None:
        """The refusal says what could be had instead."""
        with pytest.raises(PeriodNotOffered) as caught:
            choose(quotes([service("Google", {7: 1, 1: 1})]), 3)
        assert caught.value.offered == (1, 7)


class TestExtensions:
    def test_stay_below_the_cap(self) -> None:
        """A term has at most so many days in all."""
        offered = quotes([service("Google", {1: 1, 7: 1, 30: 1})])
        allowed = extensions(offered, rent_type=RentType.LONG, units_so_far=30, units_max=37)
        assert [quote.units for quote in allowed] == [1, 7]

    def test_are_for_days_only(self) -> None:
        """An hour cannot be made longer."""
        assert (
            extensions(
                quotes([service("Google", {1: 1})]),
                rent_type=RentType.SHORT,
                units_so_far=1,
                units_max=99,
            )
            == []
        )


@pytest.mark.parametrize(
    ("messages", "hours", "refunded"),
    [(0, 0, True), (0, 23.99, True), (0, 24, False), (1, 0, False)],
)
def test_a_refund_is_for_who_got_nothing_and_comes_early(
    messages: int, hours: float, refunded: bool
) -> None:
    """Money goes back before the first message, within the operator's window."""
    now = NOW + timedelta(hours=hours)
    assert is_refunded(messages=messages, starts_at=NOW, now=now, window=WINDOW) is refunded


def test_units_have_lengths() -> None:
    """Seven days are 10,080 minutes, a short rental is sixty."""
    assert length(RentType.LONG, 7) == timedelta(minutes=10_080)
    assert length(RentType.SHORT, 1) == timedelta(minutes=60)


class TestServiceOf:
    """Which service a message is of."""

    def test_is_the_only_one(self) -> None:
        """With one service nothing else is asked."""
        assert service_of([("uber", "Uber")], sender="Google", text="G-123456") == "uber"

    @pytest.mark.parametrize(
        ("sender", "text", "code"),
        [
            ("WhatsApp", "Google says hello", "whatsapp"),
            ("GOOGLE", "482913", "google"),
            ("wa", "482-913", "whatsapp"),
            ("+34600", "G-482913 is your Google verification code", "google"),
            ("+34600", "<#> Your WhatsApp code: 482-913", "whatsapp"),
            ("INFO", "Google Voice: 482913", "google-voice"),
            ("INFO", "your Gmail code is 482913", "google"),
            ("INFO", "482913 is your code", None),
            ("INFO", "googled whatsapps 482913", None),
            ("INFO", "", None),
        ],
    )
    def test_is_told_by_sender_then_text(self, sender: str, text: str, code: str | None) -> None:
        """The sender's name decides, else the first name in the text.

        A part of a word is no name.
        """
        assert service_of(WITH, sender=sender, text=text) == code

    def test_knows_only_services_that_there_are(self) -> None:
        """Every code with other words is one of the atlas."""
        assert set(ALIASES) <= {service.code for service in SERVICES}

    @given(st.text(max_size=60), st.text(max_size=200))
    def test_takes_any_text(self, sender: str, text: str) -> None:
        """Whatever comes, the answer is one of the rented services or none."""
        assert service_of(WITH, sender=sender, text=text) in {None, *(code for code, _ in WITH)}


def test_refusals_are_refusals() -> None:
    """What a move refuses with is on the closed list."""
    assert issubclass(RentalNotActive, Refusal)
    assert issubclass(RentalStillActive, Refusal)
