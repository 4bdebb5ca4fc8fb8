"""Cancelling and expiring rentals."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from tests.support import rentals as shop
from tests.support.desk import DeskOfTest

from numdesk.domain.customers.refusals import GuardBanned
from numdesk.domain.money import Money
from numdesk.domain.rentals import journals as rental_journals
from numdesk.domain.rentals.refusals import RentalNotActive
from numdesk.storage.ledger import journals
from numdesk.usecases.ledger import wallets
from numdesk.usecases.rentals import ending

WEEK = 1200
DAY_S = 86_400


class TestCancel:
    """Cancelling."""

    async def test_gives_the_whole_term_back_to_where_it_came_from(
        self, rental_desk: DeskOfTest
    ) -> None:
        """Rent and extensions go back, bonus to bonus and wallet to wallet, in one journal of the
        chart of accounts."""
        caller = await shop.renter(rental_desk, bonus=1500)
        rented = await shop.rent(rental_desk, caller)
        await shop.extend(rental_desk, caller, rented.rental.id, units=7)
        assert await shop.money(rental_desk, caller) == (1_000_00 - 900, 0)
        canceled = await shop.cancel(rental_desk, caller, rented.rental.id)
        assert (canceled.refunded, canceled.refund, canceled.msisdn) == (
            True,
            2400,
            rented.rental.msisdn,
        )
        assert await shop.money(rental_desk, caller) == (1_000_00, 1500)
        row = await rental_desk.pool.fetchrow(
            "select id, ref from journals where reason = 'rental.refund'"
        )
        assert row is not None
        async with rental_desk.rt.transaction("test") as tx:
            written = await journals.read_journal(tx, journal_id=row[0])
        back = {"to_bonus": Money(1500, "EUR"), "to_wallet": Money(900, "EUR")}
        assert written == rental_journals.refund_rental(
            int(row[1]), customer_id=caller.customer_id, **back
        )
        line = (await wallets.history(rental_desk.rt, caller, page=1, limit=1)).items[0]
        assert (line.type, line.amount, line.metadata["country"]) == ("refund", 2400, "Spain")

    async def test_gives_back_the_current_term_only(self, rental_desk: DeskOfTest) -> None:
        """What an earlier term cost was used up."""
        caller = await shop.renter(rental_desk)
        rented = await shop.rent(rental_desk, caller, units=30)
        rental_desk.clock.advance(30 * DAY_S)
        await shop.rerent(rental_desk, caller, rented.rental.id, units=1)
        assert (await shop.cancel(rental_desk, caller, rented.rental.id)).refund == 250

    async def test_ends_without_money_after_a_message_or_the_window(
        self, rental_desk: DeskOfTest
    ) -> None:
        """A number that received something, or was held for longer than the window, is given up for
        nothing."""
        caller = await shop.renter(rental_desk)
        heard, kept = await shop.rent(rental_desk, caller), await shop.rent(rental_desk, caller)
        await shop.message(rental_desk, heard.rental.msisdn)
        assert not (await shop.cancel(rental_desk, caller, heard.rental.id)).refunded
        rental_desk.clock.advance(DAY_S)
        assert (await shop.cancel(rental_desk, caller, kept.rental.id)).refund == 0
        assert await shop.money(rental_desk, caller) == (1_000_00 - 2 * WEEK, 0)
        with pytest.raises(RentalNotActive):
            await shop.cancel(rental_desk, caller, kept.rental.id)

    async def test_with_money_back_counts_for_the_guard(self, desk: DeskOfTest) -> None:
        """Who rents and cancels numbers in a row lets them all rest for nothing, and is stopped.

        One with a message speaks for them.
        """
        await shop.open_shop(desk, numbers=103)
        caller = await shop.renter(desk)
        heard = await shop.rent(desk, caller, units=1, key="heard")
        await shop.message(desk, heard.rental.msisdn)
        await shop.message(desk, heard.rental.msisdn)
        for _ in range(99):
            await shop.cancel(desk, caller, (await shop.rent(desk, caller, units=1)).rental.id)
        until = await desk.pool.fetchval(
            "select guard_until from customers where id = $1", caller.customer_id
        )
        caller = replace(caller, guard_until=until)
        for act in (shop.rent(desk, caller, units=1), shop.rerent(desk, caller, heard.rental.id)):
            with pytest.raises(GuardBanned):
                await act
        assert await shop.rent(desk, caller, units=1, key="heard") == heard
        row = await desk.pool.fetchrow(
            "select received, canceled from customer_hours where customer_id = $1",
            caller.customer_id,
        )
        assert tuple(row or ()) == (1, 99)


class TestExpiry:
    """The end of the time."""

    async def test_frees_the_number_and_tells_the_customer(self, rental_desk: DeskOfTest) -> None:
        """The number rests, the customer hears of it once, and nothing is paid back."""
        caller = await shop.renter(rental_desk)
        rented = await shop.rent(rental_desk, caller, units=1)
        assert await ending.expire_due(rental_desk.rt) == 0
        rental_desk.clock.advance(DAY_S)
        assert [await ending.expire_due(rental_desk.rt) for _ in range(2)] == [1, 0]
        assert (
            await rental_desk.pool.fetchval(
                "select state from numbers where msisdn = $1", rented.rental.msisdn
            )
            == 2
        )
        document = msgspec.json.decode(
            await rental_desk.pool.fetchval(
                "select document::text from events where kind = 'rental.expired'"
            )
        )
        assert document == {
            "v": 1,
            "rental": rented.rental.id,
            "msisdn": rented.rental.msisdn,
            "country": "Spain",
            "rent_type": 1,
            "expired_at": rented.expires_at,
        }
        assert await shop.money(rental_desk, caller) == (1_000_00 - 250, 0)

    async def test_tells_of_a_low_balance_with_the_charge(self, rental_desk: DeskOfTest) -> None:
        """The rent that leaves less than the mark writes the event, and a refund arms it again."""
        caller = await shop.renter(rental_desk, credit=2000)
        for _ in range(2):
            rented = await shop.rent(rental_desk, caller)
            await shop.cancel(rental_desk, caller, rented.rental.id)
        assert (
            await rental_desk.pool.fetchval(
                "select count(*) from events where kind = 'balance.low'"
            )
            == 2
        )
