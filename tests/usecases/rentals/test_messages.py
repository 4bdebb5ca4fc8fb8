"""Messages of rented numbers."""

from __future__ import annotations

import asyncio
import json

from tests.support import rentals as shop
from tests.support.desk import DeskOfTest

from numdesk.ports.inbound import MessageReceived, Part
from numdesk.usecases import retention
from numdesk.usecases.inbound import receive
from numdesk.usecases.orders import ending as order_lifecycle
from numdesk.usecases.rentals import reading

DAY_S = 86_400


class TestMessages:
    """What comes in."""

    async def test_marks_the_service_and_tells_the_customer(self, rental_desk: DeskOfTest) -> None:
        """A message is kept with its term, marks its service as used, and is an event with all that
        a webhook needs."""
        caller = await shop.renter(rental_desk)
        rented = await shop.rent(rental_desk, caller, services=["google", "whatsapp"])
        taken = await shop.message(
            rental_desk, rented.rental.msisdn, "G-482913 is your code", sender="INFO"
        )
        assert (taken.status, taken.customer_id) == ("taken", caller.customer_id)
        rental = await reading.read(rental_desk.rt, caller, rented.rental.id)
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
        """What a provider tells twice is one message and one event, also when the rental has ended
        between."""
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
            await reading.messages(desk.rt, second, theirs.rental.id, page=1, limit=9)
        ).total == 0

    async def test_are_the_tenants_whatever_order_they_name(self, rental_desk: DeskOfTest) -> None:
        """A reference that no order of ours has does not keep a message from the customer who rents
        the number."""
        caller = await shop.renter(rental_desk)
        rented = await shop.rent(rental_desk, caller)
        event = MessageReceived(
            "simulator", "with ref", rented.rental.msisdn, "Bank", "code 482913", provider_ref="abc"
        )
        assert (await receive.receive_message(rental_desk.rt, event)).status == "taken"
        assert (
            await reading.messages(rental_desk.rt, caller, rented.rental.id, page=1, limit=9)
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
        page = await reading.messages(rental_desk.rt, caller, rented.rental.id, page=1, limit=1)
        assert ([item.text for item in page.items], page.total) == (["mine again"], 2)
        beyond = await reading.messages(rental_desk.rt, caller, rented.rental.id, page=9, limit=1)
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
        """After the time that texts are kept, neither the message nor its event says what it said.

        The service stays used.
        """
        caller = await shop.renter(rental_desk)
        rented = await shop.rent(rental_desk, caller, units=30)
        await shop.message(rental_desk, rented.rental.msisdn, "a secret")
        rental_desk.clock.advance(31 * DAY_S)
        for one in retention.SWEEPS:
            await retention.sweep(rental_desk.rt, one=one)
        assert (
            await reading.messages(rental_desk.rt, caller, rented.rental.id, page=1, limit=9)
        ).total == 0
        assert (
            await rental_desk.pool.fetchval(
                "select count(*) from events where document::text like '%a secret%'"
            )
            == 0
        )
        assert (await reading.read(rental_desk.rt, caller, rented.rental.id)).services[0].used
