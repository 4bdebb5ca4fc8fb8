"""Renting: price, stock, replay."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support import rentals as shop
from tests.support.desk import LOCAL_OFFER, DeskOfTest

from numdesk.domain.errors import StateForbids, WalletShort
from numdesk.domain.money import Money
from numdesk.domain.rentals import journals as rental_journals
from numdesk.domain.rentals.lifecycle import RentalState, RentType
from numdesk.domain.rentals.refusals import NoNumbers, PeriodNotOffered
from numdesk.storage.ledger import journals
from numdesk.usecases.ledger import wallets
from numdesk.usecases.orders import ending as order_ending
from numdesk.usecases.orders import lifecycle as order_lifecycle
from numdesk.usecases.orders import reactivation
from numdesk.usecases.rentals import ending, prices, reading, renting
from numdesk.usecases.stock import catalogue

WEEK = 1200
DAY_S = 86_400


class TestRent:
    """Renting."""

    async def test_spends_bonus_first_and_writes_all_of_it_down(
        self, rental_desk: DeskOfTest
    ) -> None:
        """Number, term, charge, journal and history agree, and the journal is the one of the chart
        of accounts."""
        caller = await shop.renter(rental_desk, bonus=500)
        rented = await shop.rent(rental_desk, caller, services=["google", "whatsapp"])
        assert await shop.money(rental_desk, caller) == (1_000_00 - 2200, 0)
        rental = await reading.read(rental_desk.rt, caller, rented.rental.id)
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
        assert written == rental_journals.charge_rental(
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
        """Periods that are not offered, too little money, and no numbers are refused, and the key
        is free afterwards."""
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
        """A price that changed under a process's memory is not charged: it quotes again and charges
        the new one."""
        caller = await shop.renter(rental_desk)
        await prices.price_list(rental_desk.rt)
        await rental_desk.pool.execute("update rental_prices set price = 1300 where units = 7")
        assert (await shop.rent(rental_desk, caller)).price == 1300

    async def test_shares_its_stock_with_orders(self, desk: DeskOfTest) -> None:
        """A number that is rented is not sold by the code, and the other way round.

        A used service rests for both.
        """
        await shop.open_shop(desk, numbers=0)
        await prices.set_country(desk.rt, iso2="ID", name="Indonesia", is_open=True)
        await prices.load(
            desk.rt, [shop.given(2, "ID", ("whatsapp", "LONG", 7), 100)], complain=shop.refuse
        )
        await desk.pool.execute("update numbers set state = 3 where id > 1")
        caller, buyer = await shop.renter(desk), await desk.customer()
        request = renting.RentRequest(None, b"", "Indonesia", RentType.LONG, ("whatsapp",), 7)
        rented, _ = await renting.rent(desk.rt, caller, request)
        desk.rt.memory.forget("catalogue")
        with pytest.raises(Exception, match="No offer"):
            await desk.buy(buyer, LOCAL_OFFER)
        await shop.message(desk, rented.rental.msisdn)
        await shop.cancel(desk, caller, rented.rental.id)
        desk.clock.advance(1800)
        assert await order_ending.release_quarantined(desk.rt) == 1
        await catalogue.catalogue(desk.rt, "IDR")
        with pytest.raises(Exception, match="No offer"):
            await desk.buy(buyer, LOCAL_OFFER)
        with pytest.raises(NoNumbers):
            await renting.rent(desk.rt, await shop.renter(desk), request)

    async def test_is_safe_from_who_had_the_number_before(self, desk: DeskOfTest) -> None:
        """An earlier buyer gets a number back neither while it rests after a tenant nor ever after:
        what the tenant opened is theirs."""
        await shop.open_shop(desk, numbers=0)
        await prices.set_country(desk.rt, iso2="ID", name="Indonesia", is_open=True)
        await prices.load(
            desk.rt, [shop.given(2, "ID", ("telegram", "LONG", 7), 100)], complain=shop.refuse
        )
        await desk.pool.execute("update numbers set state = 3 where id > 1")
        buyer, tenant = await desk.customer(), await shop.renter(desk)
        order = await desk.order(buyer, 2)  # of telegram, by the code
        await desk.message(order.msisdn)
        await order_ending.finish(desk.rt, buyer, order.id)
        desk.clock.advance(91 * DAY_S)
        await order_ending.release_quarantined(desk.rt)
        assert (await order_lifecycle.read(desk.rt, buyer, order.id)).number_free
        await renting.rent(
            desk.rt,
            tenant,
            renting.RentRequest(None, b"", "Indonesia", RentType.LONG, ("telegram",), 7),
        )
        desk.clock.advance(7 * DAY_S + 1)
        await ending.expire_due(desk.rt)
        for _ in range(2):
            assert not (await order_lifecycle.read(desk.rt, buyer, order.id)).number_free
            with pytest.raises(StateForbids):
                await reactivation.reactivate(
                    desk.rt, buyer, reactivation.ReactivateRequest("k", b"f", order.id, None, None)
                )
            desk.clock.advance(1801)
            await order_ending.release_quarantined(desk.rt)
        assert await desk.pool.fetchval("select state from numbers where id = 1") == 0
