"""Rentals: what is offered, what is charged and given back, who reads what, and what customers are told."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest
from tests.support import rentals as shop
from tests.support.desk import LOCAL_OFFER, DeskOfTest

from numdesk.domain.errors import (
    CountryClosed,
    GuardBanned,
    InvalidInput,
    NoNumbers,
    NotFound,
    NumberGone,
    PeriodNotOffered,
    RentalNotActive,
    StateForbids,
    WalletShort,
)
from numdesk.domain.ledger import chart
from numdesk.domain.money import Money
from numdesk.domain.rentals.lifecycle import RentalState, RentType
from numdesk.ports.inbound import MessageReceived, Part
from numdesk.storage.ledger import journals
from numdesk.usecases import retention
from numdesk.usecases.inbound import receive
from numdesk.usecases.ledger import wallets
from numdesk.usecases.orders import lifecycle as order_lifecycle
from numdesk.usecases.orders import reactivation
from numdesk.usecases.rentals import lifecycle, prices
from numdesk.usecases.stock import catalogue

WEEK, MONTH = 1200, 3500
DAY_S = 86_400


class TestOffer:
    """What a customer is shown."""

    async def test_lists_services_by_priority_with_word_of_stock(self, desk: DeskOfTest) -> None:
        """The order is the operator's, and a service without a free number is listed as not available."""
        await shop.open_shop(desk, numbers=1)
        lines = [
            prices.GivenRentalPrice(2, "ES", name, "LONG", "7", "9", priority)
            for name, priority in (("telegram", "1"), ("google", "2"))
        ]
        await prices.load(desk.rt, lines, complain=shop.refuse)
        caller = await shop.renter(desk)
        found = await lifecycle.services(desk.rt, caller, country="spain", rent_type=RentType.LONG)
        assert [(one.code, one.available) for one in found] == [
            ("telegram", True),
            ("google", True),
            ("whatsapp", True),
        ]
        await shop.rent(desk, caller)
        desk.rt.memory.forget("rentals.stock")
        found = await lifecycle.services(desk.rt, caller, country="Spain", rent_type=RentType.LONG)
        assert not any(one.available for one in found)

    async def test_of_an_announced_country_is_shown_but_closed(
        self, rental_desk: DeskOfTest
    ) -> None:
        """A country that is only announced has services that are not available, and nobody rents there."""
        caller = await shop.renter(rental_desk)
        found = await lifecycle.services(
            rental_desk.rt, caller, country="Germany", rent_type=RentType.LONG
        )
        assert found
        assert not any(one.available for one in found)
        request = lifecycle.RentRequest(None, b"", "Germany", RentType.LONG, ("google",), 7)
        with pytest.raises(CountryClosed):
            await lifecycle.rent(rental_desk.rt, caller, request)
        with pytest.raises(NotFound):
            await lifecycle.services(
                rental_desk.rt, caller, country="Atlantis", rent_type=RentType.LONG
            )

    async def test_quotes_by_code_or_name(self, rental_desk: DeskOfTest) -> None:
        """Services are named by code or name in any case, each counted once; an unknown one is refused."""
        caller = await shop.renter(rental_desk, options={"rental_discount_bp": "1000"})
        chosen, quotes = await lifecycle.quotes(
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
                await lifecycle.quotes(
                    rental_desk.rt, caller, country="Spain", rent_type=RentType.LONG, services=wrong
                )


class TestRent:
    """Renting."""

    async def test_spends_bonus_first_and_writes_all_of_it_down(
        self, rental_desk: DeskOfTest
    ) -> None:
        """Number, term, charge, journal and history agree, and the journal is the one of the chart of accounts."""
        caller = await shop.renter(rental_desk, bonus=500)
        rented = await shop.rent(rental_desk, caller, services=["google", "whatsapp"])
        assert await shop.money(rental_desk, caller) == (1_000_00 - 2200, 0)
        rental = await lifecycle.read(rental_desk.rt, caller, rented.rental.id)
        assert (rental.state, rental.units, rental.price, rental.msisdn) == (
            RentalState.ACTIVE,
            7,
            2700,
            rented.rental.msisdn,
        )
        assert rental.expires_at - rental.starts_at == timedelta(days=7)
        charge_id = await rental_desk.pool.fetchval("select id from rental_charges")
        journal_id = await rental_desk.pool.fetchval(
            "select id from journals where reason = 'rental.charge'"
        )
        async with rental_desk.rt.transaction("test") as tx:
            written = await journals.read_journal(tx, journal_id=journal_id)
        bonus, wallet = Money(500, "EUR"), Money(2200, "EUR")
        assert written == chart.charge_rental(
            charge_id, customer_id=caller.customer_id, from_bonus=bonus, from_wallet=wallet
        )
        line = (await wallets.history(rental_desk.rt, caller, page=1, limit=1)).items[0]
        assert (line.type, line.amount, line.balance_before, line.balance_after) == (
            "charge",
            -2700,
            100_500,
            97_800,
        )
        assert line.description == f"Number rental: +{rental.msisdn}"
        assert line.metadata == {
            "number": f"+{rental.msisdn}",
            "country": "Spain",
            "services": ["Google", "WhatsApp"],
            "period": "7",
            "rentType": "LONG",
        }

    async def test_takes_the_customers_discount(self, rental_desk: DeskOfTest) -> None:
        """What was quoted is what is charged; all of the price may be given away."""
        caller = await shop.renter(rental_desk, options={"rental_discount_bp": "333"})
        assert (await shop.rent(rental_desk, caller)).price == 1160
        free = await shop.renter(rental_desk, credit=0, options={"rental_discount_bp": "10000"})
        rented = await shop.rent(rental_desk, free)
        assert rented.price == 0
        assert (await shop.cancel(rental_desk, free, rented.rental.id)).refunded

    async def test_refuses_without_effect(self, rental_desk: DeskOfTest) -> None:
        """Periods that are not offered, too little money, and no numbers are refused, and the key is free afterwards."""
        caller = await shop.renter(rental_desk, credit=WEEK - 1)
        with pytest.raises(PeriodNotOffered) as period:
            await shop.rent(rental_desk, caller, units=3, services=["google", "whatsapp"], key="k")
        assert period.value.offered == (1, 7, 30)
        with pytest.raises(WalletShort) as short:
            await shop.rent(rental_desk, caller, key="k")
        assert (short.value.needed, short.value.available) == (WEEK, WEEK - 1)
        await rental_desk.pool.execute(
            "update numbers set state = 3 where country_id = $1", shop.SPAIN
        )
        with pytest.raises(NoNumbers):
            await shop.rent(rental_desk, caller, units=1, key="k")
        await rental_desk.pool.execute(
            "update numbers set state = 0 where country_id = $1", shop.SPAIN
        )
        assert (await shop.rent(rental_desk, caller, units=1, key="k")).price == 250

    async def test_replays_whatever_has_changed_since(self, rental_desk: DeskOfTest) -> None:
        """A key's answer stays, though the country was closed and the service left the list."""
        caller = await shop.renter(rental_desk)
        first = await shop.rent(rental_desk, caller, key="k")
        await prices.set_country(rental_desk.rt, iso2="ES", name=None, is_open=False)
        assert await shop.rent(rental_desk, caller, key="k") == first

    async def test_is_not_misled_by_an_old_price(self, rental_desk: DeskOfTest) -> None:
        """A price that changed under a process's memory is not charged: it quotes again and charges the new one."""
        caller = await shop.renter(rental_desk)
        await prices.price_list(rental_desk.rt)
        await rental_desk.pool.execute("update rental_prices set price = 1300 where units = 7")
        assert (await shop.rent(rental_desk, caller)).price == 1300

    async def test_shares_its_stock_with_orders(self, desk: DeskOfTest) -> None:
        """A number that is rented is not sold by the code, and the other way round; a used service rests for both."""
        await shop.open_shop(desk, numbers=0)
        await prices.set_country(desk.rt, iso2="ID", name="Indonesia", is_open=True)
        await prices.load(
            desk.rt, [shop.given(2, "ID", ("whatsapp", "LONG", 7), 100)], complain=shop.refuse
        )
        await desk.pool.execute("update numbers set state = 3 where id > 1")
        caller, buyer = await shop.renter(desk), await desk.customer()
        request = lifecycle.RentRequest(None, b"", "Indonesia", RentType.LONG, ("whatsapp",), 7)
        rented, _ = await lifecycle.rent(desk.rt, caller, request)
        desk.rt.memory.forget("catalogue")
        with pytest.raises(Exception, match="No offer"):
            await desk.buy(buyer, LOCAL_OFFER)
        await shop.message(desk, rented.rental.msisdn)
        await shop.cancel(desk, caller, rented.rental.id)
        desk.clock.advance(1800)
        assert await order_lifecycle.release_quarantined(desk.rt) == 1
        await catalogue.catalogue(desk.rt, "IDR")
        with pytest.raises(Exception, match="No offer"):
            await desk.buy(buyer, LOCAL_OFFER)
        with pytest.raises(NoNumbers):
            await lifecycle.rent(desk.rt, await shop.renter(desk), request)

    async def test_is_safe_from_who_had_the_number_before(self, desk: DeskOfTest) -> None:
        """An earlier buyer gets a number back neither while it rests after a tenant nor ever after: what the tenant opened is theirs."""
        await shop.open_shop(desk, numbers=0)
        await prices.set_country(desk.rt, iso2="ID", name="Indonesia", is_open=True)
        await prices.load(
            desk.rt, [shop.given(2, "ID", ("telegram", "LONG", 7), 100)], complain=shop.refuse
        )
        await desk.pool.execute("update numbers set state = 3 where id > 1")
        buyer, tenant = await desk.customer(), await shop.renter(desk)
        order = await desk.order(buyer, 2)  # of telegram, by the code
        await desk.message(order.msisdn)
        await order_lifecycle.finish(desk.rt, buyer, order.id)
        desk.clock.advance(91 * DAY_S)
        await order_lifecycle.release_quarantined(desk.rt)
        assert (await order_lifecycle.read(desk.rt, buyer, order.id)).number_free
        await lifecycle.rent(
            desk.rt,
            tenant,
            lifecycle.RentRequest(None, b"", "Indonesia", RentType.LONG, ("telegram",), 7),
        )
        desk.clock.advance(7 * DAY_S + 1)
        await lifecycle.expire_due(desk.rt)
        for _ in range(2):
            assert not (await order_lifecycle.read(desk.rt, buyer, order.id)).number_free
            with pytest.raises(StateForbids):
                await reactivation.reactivate(
                    desk.rt, buyer, reactivation.ReactivateRequest("k", b"f", order.id, None, None)
                )
            desk.clock.advance(1801)
            await order_lifecycle.release_quarantined(desk.rt)
        assert await desk.pool.fetchval("select state from numbers where id = 1") == 0


class TestExtend:
    """Extending."""

    async def test_goes_on_from_the_old_end(self, rental_desk: DeskOfTest) -> None:
        """Days that were paid for are not lost, and the rental's price stays that of its rent."""
        caller = await shop.renter(rental_desk)
        rented = await shop.rent(rental_desk, caller)
        rental_desk.clock.advance(3 * DAY_S)
        _, quotes = await lifecycle.extension_quotes(rental_desk.rt, caller, rented.rental.id)
        assert [(quote.units, quote.price) for quote in quotes] == [
            (1, 250),
            (3, 600),
            (7, WEEK),
            (30, MONTH),
        ]
        extended = await shop.extend(rental_desk, caller, rented.rental.id, units=30)
        assert extended.expires_at == rented.expires_at + 30 * DAY_S
        rental = await lifecycle.read(rental_desk.rt, caller, rented.rental.id)
        assert (rental.units, rental.price) == (7, WEEK)
        assert await shop.money(rental_desk, caller) == (1_000_00 - WEEK - MONTH, 0)

    async def test_is_not_misled_by_an_old_price(self, rental_desk: DeskOfTest) -> None:
        """What an extension or a re-rent costs is read where it is charged, whatever a process remembers."""
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
        """A short rental cannot be made longer, an ended one neither, even before its end was written down."""
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
            await lifecycle.extension_quotes(rental_desk.rt, caller, long.rental.id)


class TestRerent:
    """Renting again."""

    async def test_begins_a_new_term_of_the_same_rental(self, rental_desk: DeskOfTest) -> None:
        """Number and id stay, the term starts now, and what came in the last one is still to be read."""
        caller = await shop.renter(rental_desk)
        rented = await shop.rent(rental_desk, caller)
        await shop.message(rental_desk, rented.rental.msisdn, "first term")
        rental_desk.clock.advance(7 * DAY_S + 60)
        _, quotes = await lifecycle.rerent_quotes(rental_desk.rt, caller, rented.rental.id)
        assert [quote.units for quote in quotes] == [1, 3, 7, 30]
        again = await shop.rerent(rental_desk, caller, rented.rental.id, units=1)
        assert again.rental == rented.rental
        assert again.starts_at == rented.expires_at + 60
        rental = await lifecycle.read(rental_desk.rt, caller, rented.rental.id)
        assert (rental.units, rental.price, [service.used for service in rental.services]) == (
            1,
            250,
            [False],
        )
        await shop.message(rental_desk, rented.rental.msisdn, "second term")
        page = await lifecycle.messages(rental_desk.rt, caller, rented.rental.id, page=1, limit=10)
        assert [item.text for item in page.items] == ["second term", "first term"]

    async def test_cannot_take_a_number_from_somebody(self, desk: DeskOfTest) -> None:
        """Once another has the number, or had it last and it rests, it is gone."""
        await shop.open_shop(desk, numbers=1)
        caller, other = await shop.renter(desk), await shop.renter(desk)
        rented = await shop.rent(desk, caller, units=1)
        desk.clock.advance(DAY_S)
        await lifecycle.expire_due(desk.rt)
        desk.clock.advance(1800)
        await order_lifecycle.release_quarantined(desk.rt)
        assert (await lifecycle.read(desk.rt, caller, rented.rental.id)).number_available
        theirs = await shop.rent(desk, other, units=1)
        for _ in range(2):
            assert not (await lifecycle.read(desk.rt, caller, rented.rental.id)).number_available
            with pytest.raises(NumberGone):
                await shop.rerent(desk, caller, rented.rental.id)
            with pytest.raises(NumberGone):
                await lifecycle.rerent_quotes(desk.rt, caller, rented.rental.id)
            if (await lifecycle.read(desk.rt, other, theirs.rental.id)).state is RentalState.ACTIVE:
                await shop.message(desk, theirs.rental.msisdn)
                await shop.cancel(desk, other, theirs.rental.id)
        desk.clock.advance(1800)
        await order_lifecycle.release_quarantined(desk.rt)
        with pytest.raises(NumberGone):  # the other used the service on it
            await shop.rerent(desk, caller, rented.rental.id)
        assert (
            await shop.rerent(desk, other, theirs.rental.id)
        ).rental.msisdn == rented.rental.msisdn


class TestCancel:
    """Cancelling."""

    async def test_gives_the_whole_term_back_to_where_it_came_from(
        self, rental_desk: DeskOfTest
    ) -> None:
        """Rent and extensions go back, bonus to bonus and wallet to wallet, in one journal of the chart of accounts."""
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
        assert written == chart.refund_rental(int(row[1]), customer_id=caller.customer_id, **back)
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
        """A number that received something, or was held for longer than the window, is given up for nothing."""
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
        """Who rents and cancels numbers in a row lets them all rest for nothing, and is stopped; one with a message speaks for them."""
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


class TestMessages:
    """What comes in."""

    async def test_marks_the_service_and_tells_the_customer(self, rental_desk: DeskOfTest) -> None:
        """A message is kept with its term, marks its service as used, and is an event with all that a webhook needs."""
        caller = await shop.renter(rental_desk)
        rented = await shop.rent(rental_desk, caller, services=["google", "whatsapp"])
        taken = await shop.message(
            rental_desk, rented.rental.msisdn, "G-482913 is your code", sender="INFO"
        )
        assert (taken.status, taken.customer_id) == ("taken", caller.customer_id)
        rental = await lifecycle.read(rental_desk.rt, caller, rented.rental.id)
        assert [service.used for service in rental.services] == [True, False]
        row = await rental_desk.pool.fetchrow(
            "select customer_id, dialect, document::text from events where kind = 'rental.message'"
        )
        assert row is not None
        assert tuple(row)[:2] == (caller.customer_id, shop.DIALECT)
        assert json.loads(row[2]) == {
            "v": 1,
            "rental": rented.rental.id,
            "msisdn": rented.rental.msisdn,
            "sender": "INFO",
            "text": "G-482913 is your code",
            "received_at": int(rental_desk.clock.now().timestamp()),
        }

    async def test_counts_a_repeat_once(self, rental_desk: DeskOfTest) -> None:
        """What a provider tells twice is one message and one event, also when the rental has ended between."""
        caller = await shop.renter(rental_desk)
        rented = await shop.rent(rental_desk, caller)
        first = await shop.message(rental_desk, rented.rental.msisdn, message_id="one")
        again = await shop.message(rental_desk, rented.rental.msisdn, message_id="one")
        await shop.cancel(rental_desk, caller, rented.rental.id)
        last = await shop.message(rental_desk, rented.rental.msisdn, message_id="one")
        assert [one.status for one in (first, again, last)] == ["taken", "seen", "seen"]
        assert first.message_id == again.message_id == last.message_id
        assert await rental_desk.pool.fetchval("select count(*) from events") == 1

    async def test_that_began_before_the_term_are_nobodys(self, desk: DeskOfTest) -> None:
        """A long message of which a part came for an earlier tenant is not told to the next one."""
        await shop.open_shop(desk, numbers=1)
        first, second = await shop.renter(desk), await shop.renter(desk)
        rented = await shop.rent(desk, first)

        async def part(position: int) -> str:
            event = MessageReceived(
                "simulator",
                f"p{position}",
                rented.rental.msisdn,
                "Bank",
                f"part {position}",
                part=Part(7, 2, position),
            )
            return (await receive.receive_message(desk.rt, event)).status

        assert await part(1) == "waiting"
        await shop.cancel(desk, first, rented.rental.id)
        desk.clock.advance(1800)
        await order_lifecycle.release_quarantined(desk.rt)
        theirs = await shop.rent(desk, second)
        assert await part(2) == "orphan"
        assert (
            await lifecycle.messages(desk.rt, second, theirs.rental.id, page=1, limit=9)
        ).total == 0

    async def test_are_the_tenants_whatever_order_they_name(self, rental_desk: DeskOfTest) -> None:
        """A reference that no order of ours has does not keep a message from the customer who rents the number."""
        caller = await shop.renter(rental_desk)
        rented = await shop.rent(rental_desk, caller)
        event = MessageReceived(
            "simulator", "with ref", rented.rental.msisdn, "Bank", "code 482913", provider_ref="abc"
        )
        assert (await receive.receive_message(rental_desk.rt, event)).status == "taken"
        assert (
            await lifecycle.messages(rental_desk.rt, caller, rented.rental.id, page=1, limit=9)
        ).total == 1
        assert not (await shop.cancel(rental_desk, caller, rented.rental.id)).refunded

    async def test_of_other_times_are_nobodys(self, rental_desk: DeskOfTest) -> None:
        """Before, between and after a customer's terms a number's messages are not theirs."""
        caller = await shop.renter(rental_desk)
        rented = await shop.rent(rental_desk, caller, units=1)
        await shop.message(rental_desk, rented.rental.msisdn, "mine")
        rental_desk.clock.advance(DAY_S)
        assert (
            await shop.message(rental_desk, rented.rental.msisdn, "between")
        ).status == "orphan"  # the end was not written down yet
        await shop.rerent(rental_desk, caller, rented.rental.id, units=1)
        await shop.message(rental_desk, rented.rental.msisdn, "mine again")
        page = await lifecycle.messages(rental_desk.rt, caller, rented.rental.id, page=1, limit=1)
        assert ([item.text for item in page.items], page.total) == (["mine again"], 2)
        beyond = await lifecycle.messages(rental_desk.rt, caller, rented.rental.id, page=9, limit=1)
        assert (beyond.items, beyond.total) == ((), 2)

    async def test_of_orders_go_their_way_in_the_same_batch(self, rental_desk: DeskOfTest) -> None:
        """Messages for orders and rentals that arrive together each find their own."""
        caller, buyer = await shop.renter(rental_desk), await rental_desk.customer()
        rented, order = await shop.rent(rental_desk, caller), await rental_desk.order(buyer)
        numbers = [rented.rental.msisdn, order.msisdn or 0, 999_999_999]
        answers = await asyncio.gather(*(shop.message(rental_desk, to) for to in numbers))
        assert [one.status for one in answers] == ["taken", "taken", "orphan"]
        assert answers[1].order_id == order.id

    async def test_are_forgotten_with_all_other_texts(self, rental_desk: DeskOfTest) -> None:
        """After the time that texts are kept, neither the message nor its event says what it said; the service stays used."""
        caller = await shop.renter(rental_desk)
        rented = await shop.rent(rental_desk, caller, units=30)
        await shop.message(rental_desk, rented.rental.msisdn, "a secret")
        rental_desk.clock.advance(31 * DAY_S)
        for one in retention.SWEEPS:
            await retention.sweep(rental_desk.rt, one=one)
        assert (
            await lifecycle.messages(rental_desk.rt, caller, rented.rental.id, page=1, limit=9)
        ).total == 0
        assert (
            await rental_desk.pool.fetchval(
                "select count(*) from events where document::text like '%a secret%'"
            )
            == 0
        )
        assert (await lifecycle.read(rental_desk.rt, caller, rented.rental.id)).services[0].used


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
            await lifecycle.messages(rental_desk.rt, stranger, rental_id, page=1, limit=9)
        with pytest.raises(NotFound):
            await lifecycle.read(rental_desk.rt, stranger, rental_id)
        assert (await lifecycle.active(rental_desk.rt, stranger, page=1, limit=9)).total == 0

    async def test_pages_by_state(self, rental_desk: DeskOfTest) -> None:
        """The newest term stands first, an unnoticed end counts, and a page beyond the last still tells how many there are."""
        caller = await shop.renter(rental_desk)
        ids = [(await shop.rent(rental_desk, caller, units=units)).rental.id for units in (1, 7, 7)]
        await shop.cancel(rental_desk, caller, ids[2])
        rental_desk.clock.advance(DAY_S)
        states = {
            state: await lifecycle.active(
                rental_desk.rt, caller, page=1, limit=9, states=frozenset({state})
            )
            for state in RentalState
        }
        assert [[one.public_id for one in page.items] for page in states.values()] == [
            [ids[1]],
            [ids[0]],
            [ids[2]],
        ]
        everything = await lifecycle.active(
            rental_desk.rt, caller, page=2, limit=2, states=frozenset(RentalState)
        )
        assert ([one.public_id for one in everything.items], everything.total) == ([ids[0]], 3)
        assert (
            await lifecycle.active(
                rental_desk.rt, caller, page=5, limit=2, states=frozenset(RentalState)
            )
        ).total == 3
        staff = await lifecycle.listing(
            rental_desk.rt, states=frozenset(RentalState), limit=2, offset=0
        )
        assert ([one.public_id for one in staff.items], staff.total) == ([ids[2], ids[1]], 3)


class TestExpiry:
    """The end of the time."""

    async def test_frees_the_number_and_tells_the_customer(self, rental_desk: DeskOfTest) -> None:
        """The number rests, the customer hears of it once, and nothing is paid back."""
        caller = await shop.renter(rental_desk)
        rented = await shop.rent(rental_desk, caller, units=1)
        assert await lifecycle.expire_due(rental_desk.rt) == 0
        rental_desk.clock.advance(DAY_S)
        assert [await lifecycle.expire_due(rental_desk.rt) for _ in range(2)] == [1, 0]
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
