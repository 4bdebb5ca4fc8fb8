"""Extending a rental, and renting its number again."""

from __future__ import annotations

import pytest
from tests.support import rentals as shop
from tests.support.desk import DeskOfTest

from numdesk.domain.rentals.lifecycle import RentalState, RentType
from numdesk.domain.rentals.refusals import NumberGone, PeriodNotOffered, RentalNotActive
from numdesk.usecases.orders import ending as order_lifecycle
from numdesk.usecases.rentals import ending, reading
from numdesk.usecases.rentals import quotes as rental_quotes

WEEK, MONTH = 1200, 3500
DAY_S = 86_400


class TestExtend:
    """Extending."""

    async def test_goes_on_from_the_old_end(self, rental_desk: DeskOfTest) -> None:
        """Days that were paid for are not lost, and the rental's price stays that of its rent."""
        caller = await shop.renter(rental_desk)
        rented = await shop.rent(rental_desk, caller)
        rental_desk.clock.advance(3 * DAY_S)
        _, quotes = await rental_quotes.extension_quotes(rental_desk.rt, caller, rented.rental.id)
        assert [(quote.units, quote.price) for quote in quotes] == [
            (1, 250),
            (3, 600),
            (7, WEEK),
            (30, MONTH),
        ]
        extended = await shop.extend(rental_desk, caller, rented.rental.id, units=30)
        assert extended.expires_at == rented.expires_at + 30 * DAY_S
        rental = await reading.read(rental_desk.rt, caller, rented.rental.id)
        assert (rental.units, rental.price) == (7, WEEK)
        assert await shop.money(rental_desk, caller) == (1_000_00 - WEEK - MONTH, 0)

    async def test_is_not_misled_by_an_old_price(self, rental_desk: DeskOfTest) -> None:
        """What an extension or a re-rent costs is read where it is charged, whatever a process
        remembers."""
        caller = await shop.renter(rental_desk)
        rented = await shop.rent(rental_desk, caller)
        await rental_desk.pool.execute("update rental_prices set price = 1300 where units = 7")
        assert (await shop.extend(rental_desk, caller, rented.rental.id)).price == 1300
        await shop.cancel(rental_desk, caller, rented.rental.id)
        await rental_desk.pool.execute("update rental_prices set price = 1400 where units = 7")
        assert (await shop.rerent(rental_desk, caller, rented.rental.id)).price == 1400

    async def test_stops_at_the_operators_cap(self, rental_desk: DeskOfTest) -> None:
        """No term lasts longer than the operator allows, however it is put together."""
        caller = await shop.renter(rental_desk)
        rented = await shop.rent(rental_desk, caller, units=30)
        for _ in range(11):
            await shop.extend(rental_desk, caller, rented.rental.id, units=30)
        with pytest.raises(PeriodNotOffered) as caught:
            await shop.extend(rental_desk, caller, rented.rental.id, units=30)
        assert caught.value.offered == (1, 3)

    async def test_is_not_for_hours_nor_after_the_end(self, rental_desk: DeskOfTest) -> None:
        """A short rental cannot be made longer, an ended one neither, even before its end was
        written down."""
        caller = await shop.renter(rental_desk)
        short = await shop.rent(rental_desk, caller, rent_type=RentType.SHORT, units=1)
        with pytest.raises(PeriodNotOffered) as refused:
            await shop.extend(rental_desk, caller, short.rental.id, units=1)
        assert (refused.value.reason, refused.value.offered) == (
            "cannot be had: SHORT rentals cannot be extended",
            (),
        )
        long = await shop.rent(rental_desk, caller)
        rental_desk.clock.advance(7 * DAY_S)
        with pytest.raises(RentalNotActive):
            await shop.extend(rental_desk, caller, long.rental.id)
        with pytest.raises(RentalNotActive):
            await rental_quotes.extension_quotes(rental_desk.rt, caller, long.rental.id)


class TestRerent:
    """Renting again."""

    async def test_begins_a_new_term_of_the_same_rental(self, rental_desk: DeskOfTest) -> None:
        """Number and id stay, the term starts now, and what came in the last one is still to be
        read."""
        caller = await shop.renter(rental_desk)
        rented = await shop.rent(rental_desk, caller)
        await shop.message(rental_desk, rented.rental.msisdn, "first term")
        rental_desk.clock.advance(7 * DAY_S + 60)
        _, quotes = await rental_quotes.rerent_quotes(rental_desk.rt, caller, rented.rental.id)
        assert [quote.units for quote in quotes] == [1, 3, 7, 30]
        again = await shop.rerent(rental_desk, caller, rented.rental.id, units=1)
        assert again.rental == rented.rental
        assert again.starts_at == rented.expires_at + 60
        rental = await reading.read(rental_desk.rt, caller, rented.rental.id)
        assert (rental.units, rental.price, [service.used for service in rental.services]) == (
            1,
            250,
            [False],
        )
        await shop.message(rental_desk, rented.rental.msisdn, "second term")
        page = await reading.messages(rental_desk.rt, caller, rented.rental.id, page=1, limit=10)
        assert [item.text for item in page.items] == ["second term", "first term"]

    async def test_cannot_take_a_number_from_somebody(self, desk: DeskOfTest) -> None:
        """Once another has the number, or had it last and it rests, it is gone."""
        await shop.open_shop(desk, numbers=1)
        caller, other = await shop.renter(desk), await shop.renter(desk)
        rented = await shop.rent(desk, caller, units=1)
        desk.clock.advance(DAY_S)
        await ending.expire_due(desk.rt)
        desk.clock.advance(1800)
        await order_lifecycle.release_quarantined(desk.rt)
        assert (await reading.read(desk.rt, caller, rented.rental.id)).number_available
        theirs = await shop.rent(desk, other, units=1)
        for _ in range(2):
            assert not (await reading.read(desk.rt, caller, rented.rental.id)).number_available
            with pytest.raises(NumberGone):
                await shop.rerent(desk, caller, rented.rental.id)
            with pytest.raises(NumberGone):
                await rental_quotes.rerent_quotes(desk.rt, caller, rented.rental.id)
            if (await reading.read(desk.rt, other, theirs.rental.id)).state is RentalState.ACTIVE:
                await shop.message(desk, theirs.rental.msisdn)
                await shop.cancel(desk, other, theirs.rental.id)
        desk.clock.advance(1800)
        await order_lifecycle.release_quarantined(desk.rt)
        with pytest.raises(NumberGone):  # the other used the service on it
            await shop.rerent(desk, caller, rented.rental.id)
        assert (
            await shop.rerent(desk, other, theirs.rental.id)
        ).rental.msisdn == rented.rental.msisdn
