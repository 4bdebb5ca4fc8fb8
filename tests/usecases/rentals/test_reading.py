"""Reading rentals."""

from __future__ import annotations

import pytest
from tests.support import rentals as shop
from tests.support.desk import DeskOfTest

from numdesk.domain.errors import (
    NotFound,
)
from numdesk.domain.rentals.lifecycle import RentalState
from numdesk.usecases.rentals import reading

DAY_S = 86_400


class TestReading:
    """Who reads what."""

    async def test_keeps_strangers_out(self, rental_desk: DeskOfTest) -> None:
        """Another customer's rental is not there, for whatever act."""
        caller, stranger = await shop.renter(rental_desk), await shop.renter(rental_desk)
        rental_id = (await shop.rent(rental_desk, caller)).rental.id
        for act in (shop.extend, shop.rerent, shop.cancel):
            with pytest.raises(NotFound):
                await act(rental_desk, stranger, rental_id)
        with pytest.raises(NotFound):
            await reading.messages(rental_desk.rt, stranger, rental_id, page=1, limit=9)
        with pytest.raises(NotFound):
            await reading.read(rental_desk.rt, stranger, rental_id)
        assert (await reading.active(rental_desk.rt, stranger, page=1, limit=9)).total == 0

    async def test_pages_by_state(self, rental_desk: DeskOfTest) -> None:
        """The newest term stands first, an unnoticed end counts, and a page beyond the last still
        tells how many there are."""
        caller = await shop.renter(rental_desk)
        ids = [(await shop.rent(rental_desk, caller, units=units)).rental.id for units in (1, 7, 7)]
        await shop.cancel(rental_desk, caller, ids[2])
        rental_desk.clock.advance(DAY_S)
        states = {
            state: await reading.active(
                rental_desk.rt, caller, page=1, limit=9, states=frozenset({state})
            )
            for state in RentalState
        }
        assert [[one.public_id for one in page.items] for page in states.values()] == [
            [ids[1]],
            [ids[0]],
            [ids[2]],
        ]
        everything = await reading.active(
            rental_desk.rt, caller, page=2, limit=2, states=frozenset(RentalState)
        )
        assert ([one.public_id for one in everything.items], everything.total) == ([ids[0]], 3)
        assert (
            await reading.active(
                rental_desk.rt, caller, page=5, limit=2, states=frozenset(RentalState)
            )
        ).total == 3
        staff = await reading.listing(
            rental_desk.rt, states=frozenset(RentalState), limit=2, offset=0
        )
        assert ([one.public_id for one in staff.items], staff.total) == ([ids[2], ids[1]], 3)
