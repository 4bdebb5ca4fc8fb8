"""Quotes of rentals."""

from __future__ import annotations

import pytest
from tests.support import rentals as shop
from tests.support.desk import DeskOfTest

from numdesk.domain.errors import InvalidInput, NotFound
from numdesk.domain.rentals.lifecycle import RentType
from numdesk.domain.rentals.refusals import CountryClosed
from numdesk.usecases.rentals import prices, renting
from numdesk.usecases.rentals import quotes as rental_quotes


class TestOffer:
    """What a customer is shown."""

    async def test_lists_services_by_priority_with_word_of_stock(self, desk: DeskOfTest) -> None:
        """The order is the operator's, and a service without a free number is listed as not
        available."""
        await shop.open_shop(desk, numbers=1)
        lines = [
            prices.GivenRentalPrice(2, "ES", name, "LONG", "7", "9", priority)
            for name, priority in (("telegram", "1"), ("google", "2"))
        ]
        await prices.load(desk.rt, lines, complain=shop.refuse)
        caller = await shop.renter(desk)
        found = await rental_quotes.services(
            desk.rt, caller, country="spain", rent_type=RentType.LONG
        )
        assert [(one.code, one.available) for one in found] == [
            ("telegram", True),
            ("google", True),
            ("whatsapp", True),
        ]
        await shop.rent(desk, caller)
        desk.rt.memory.forget("rentals.stock")
        found = await rental_quotes.services(
            desk.rt, caller, country="Spain", rent_type=RentType.LONG
        )
        assert not any(one.available for one in found)

    async def test_of_an_announced_country_is_shown_but_closed(
        self, rental_desk: DeskOfTest
    ) -> None:
        """A country that is only announced has services that are not available, and nobody rents
        there."""
        caller = await shop.renter(rental_desk)
        found = await rental_quotes.services(
            rental_desk.rt, caller, country="Germany", rent_type=RentType.LONG
        )
        assert found
        assert not any(one.available for one in found)
        request = renting.RentRequest(None, b"", "Germany", RentType.LONG, ("google",), 7)
        with pytest.raises(CountryClosed):
            await renting.rent(rental_desk.rt, caller, request)
        with pytest.raises(NotFound):
            await rental_quotes.services(
                rental_desk.rt, caller, country="Atlantis", rent_type=RentType.LONG
            )

    async def test_quotes_by_code_or_name(self, rental_desk: DeskOfTest) -> None:
        """Services are named by code or name in any case, each counted once.

        An unknown one is refused.
        """
        caller = await shop.renter(rental_desk, options={"rental_discount_bp": "1000"})
        chosen, quotes = await rental_quotes.quotes(
            rental_desk.rt,
            caller,
            country="SPAIN",
            rent_type=RentType.LONG,
            services=["GOOGLE", "whatsapp", "WhatsApp"],
        )
        assert [one.name for one in chosen] == ["Google", "WhatsApp"]
        assert [(one.units, one.base_price, one.price) for one in quotes] == [
            (1, 550, 495),
            (7, 2700, 2430),
            (30, 8000, 7200),
        ]
        for wrong in (["nobody"], [], ["google"] * 21):
            with pytest.raises(InvalidInput):
                await rental_quotes.quotes(
                    rental_desk.rt, caller, country="Spain", rent_type=RentType.LONG, services=wrong
                )
