"""A message that was withheld by mistake can be released: the customer gets it, and it counts once,
as any other."""

from __future__ import annotations

import asyncio
import random

import pytest
from tests.support import rentals as shop
from tests.support.desk import PRICE, DeskOfTest

from numdesk.domain.errors import NotFound, Refusal, StateForbids
from numdesk.domain.orders.lifecycle import State
from numdesk.usecases.inbound import withheld as inbound_withheld
from numdesk.usecases.orders import ending
from numdesk.usecases.orders import lifecycle as order_lifecycle
from numdesk.usecases.rentals import reading

FOREIGN = "Telegram code: 48291"


async def charged(desk: DeskOfTest) -> int:
    """Returns what was booked as revenue."""
    return await desk.pool.fetchval(
        "select coalesce(sum(e.amount), 0)::bigint from entries e join accounts a on a.id = "
        "e.account_id where a.kind = 'revenue'"
    )


async def withheld(desk: DeskOfTest, msisdn: int | None) -> int:
    """Returns the number of a message that was withheld."""
    taken = await desk.message(msisdn, FOREIGN)
    assert taken.status == "withheld"
    assert taken.message_id is not None
    return taken.message_id


class TestOrder:
    """A message that was withheld from an order."""

    async def test_released_is_delivered_and_earns_once(self, desk: DeskOfTest) -> None:
        """The order has text, code, revision and event, and is charged once, however often it is
        released."""
        caller = await desk.customer()
        order = await desk.order(caller)
        message = await withheld(desk, order.msisdn)
        released = [await inbound_withheld.release(desk.rt, message) for _ in range(2)]
        assert [one.withheld for one in released] == [False, False]
        read = await order_lifecycle.read(desk.rt, caller, order.id)
        assert (read.state, read.otp_code, read.otp_message, read.sms_revision) == (
            State.RECEIVED,
            "48291",
            FOREIGN,
            1,
        )
        assert await charged(desk) == PRICE
        [document] = await desk.pool.fetch(
            "select kind, document->>'otp_code' code, document->>'state' state from events"
        )
        assert tuple(document) == ("order.received", "48291", "2")

    async def test_released_marks_the_number_as_used(self, desk: DeskOfTest) -> None:
        """The number is not sold as fresh for the service of the order whose message it was."""
        caller = await desk.customer()
        order = await desk.order(caller)
        await inbound_withheld.release(desk.rt, await withheld(desk, order.msisdn))
        await ending.finish(desk.rt, caller, order.id)
        assert 3 in {row[0] for row in await desk.pool.fetch("select service_id from number_uses")}

    async def test_released_after_another_is_charged_no_more(self, desk: DeskOfTest) -> None:
        """Only the first message earns."""
        caller = await desk.customer()
        order = await desk.order(caller)
        message = await withheld(desk, order.msisdn)
        await desk.message(order.msisdn, "Your code is 771204")
        await inbound_withheld.release(desk.rt, message)
        assert (await order_lifecycle.read(desk.rt, caller, order.id)).sms_revision == 2
        assert await charged(desk) == PRICE

    async def test_of_an_ended_order_stays_withheld(self, desk: DeskOfTest) -> None:
        """What was paid back is not charged again: also when the time is over and nobody has ended
        the order yet."""
        caller = await desk.customer()
        order = await desk.order(caller)
        message = await withheld(desk, order.msisdn)
        desk.clock.advance(1200)
        for _ in range(2):
            with pytest.raises(StateForbids):
                await inbound_withheld.release(desk.rt, message)
            await ending.expire_due(desk.rt)
        assert (await inbound_withheld.read(desk.rt, message)).withheld
        assert await desk.available(caller) == 1_000_000
        with pytest.raises(NotFound):
            await inbound_withheld.release(desk.rt, message + 1)

    @pytest.mark.parametrize("seed", range(6))
    async def test_released_beside_its_end_is_charged_or_paid_back(
        self, desk: DeskOfTest, seed: int
    ) -> None:
        """Releases, an own message and a cancel at the same time: the order is charged once or not
        at all, by its state."""
        caller = await desk.customer()
        order = await desk.order(caller)
        message = await withheld(desk, order.msisdn)
        desk.clock.advance(180)
        acts = [
            lambda: inbound_withheld.release(desk.rt, message),
            lambda: inbound_withheld.release(desk.rt, message),
            lambda: desk.message(order.msisdn, "Your code is 771204"),
            lambda: ending.cancel(desk.rt, caller, order.id, show=None),
        ]
        random.Random(seed).shuffle(acts)
        for outcome in await asyncio.gather(*(act() for act in acts), return_exceptions=True):
            assert not isinstance(outcome, BaseException) or isinstance(outcome, Refusal)
        read = await order_lifecycle.read(desk.rt, caller, order.id)
        assert await charged(desk) == (PRICE if read.first_sms_at else 0)
        assert (read.state is State.CANCELED) == (read.first_sms_at is None)
        assert await desk.available(caller) == 1_000_000 - (PRICE if read.first_sms_at else 0)


class TestRental:
    """A message that was withheld from a rental."""

    async def test_released_is_listed_and_counts_once(self, rental_desk: DeskOfTest) -> None:
        """The customer reads it, hears of it once, and it counts against a refund."""
        caller = await shop.renter(rental_desk)
        rented = (await shop.rent(rental_desk, caller)).rental
        taken = await shop.message(rental_desk, rented.msisdn, FOREIGN)
        assert taken.message_id is not None
        await asyncio.gather(
            *(inbound_withheld.release(rental_desk.rt, taken.message_id) for _ in range(2))
        )
        page = await reading.messages(rental_desk.rt, caller, rented.id, page=1, limit=10)
        assert [one.text for one in page.items] == [FOREIGN]
        assert (
            await rental_desk.pool.fetchval(
                "select count(*) from events where kind = 'rental.message'"
            )
            == 1
        )
        assert not (await shop.cancel(rental_desk, caller, rented.id)).refunded

    async def test_released_marks_the_number_as_used(self, rental_desk: DeskOfTest) -> None:
        """Which of several rented services the message is of, nobody knows: the number is not sold
        as fresh for any of them."""
        caller = await shop.renter(rental_desk)
        rented = (await shop.rent(rental_desk, caller, services=["google", "whatsapp"])).rental
        taken = await shop.message(rental_desk, rented.msisdn, FOREIGN)
        assert taken.message_id is not None
        await inbound_withheld.release(rental_desk.rt, taken.message_id)
        used = (
            "select s.code from number_uses u join services s on s.id = u.service_id where "
            "u.until > $1"
        )
        codes = {row[0] for row in await rental_desk.pool.fetch(used, rental_desk.clock.now())}
        assert codes >= {"google", "whatsapp"}

    async def test_of_an_ended_term_stays_withheld(self, rental_desk: DeskOfTest) -> None:
        """After the refund nothing is delivered."""
        caller = await shop.renter(rental_desk)
        rented = (await shop.rent(rental_desk, caller)).rental
        taken = await shop.message(rental_desk, rented.msisdn, FOREIGN)
        assert (await shop.cancel(rental_desk, caller, rented.id)).refunded
        assert taken.message_id is not None
        with pytest.raises(StateForbids):
            await inbound_withheld.release(rental_desk.rt, taken.message_id)
