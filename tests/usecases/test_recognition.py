"""The service that was bought is the service that is delivered: foreign messages are withheld, earn
nothing, and are remembered."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support import rentals as shop
from tests.support.desk import (
    LOCAL_OFFER,
    LOCAL_OFFER_TWO,
    PRICE,
    REMOTE_OFFER,
    REMOTE_ONLY_OFFER,
    DeskOfTest,
)

from numdesk.domain.errors import InvalidInput, NotFound
from numdesk.domain.orders.lifecycle import State
from numdesk.domain.stock.refusals import NoOffer
from numdesk.ports.inbound import MessageReceived, Part
from numdesk.ports.suppliers import Reserved, Wanted
from numdesk.usecases import recognition, retention
from numdesk.usecases.inbound import receive, withheld
from numdesk.usecases.orders import ending
from numdesk.usecases.orders import lifecycle as order_lifecycle
from numdesk.usecases.rentals import reading

WHATSAPP, TELEGRAM, GOOGLE = 3, 4, 5
FOREIGN, OWN = "Telegram code: 48291", "Your WhatsApp code: 482-913"


async def uses(desk: DeskOfTest) -> set[int]:
    """Returns the services that some number may not be sold for."""
    return {
        row[0]
        for row in await desk.pool.fetch(
            "select service_id from number_uses where until > $1", desk.clock.now()
        )
    }


async def earned(desk: DeskOfTest) -> int:
    """Returns what was booked as revenue."""
    return await desk.pool.fetchval(
        "select coalesce(sum(e.amount), 0)::bigint from entries e join accounts a on a.id = "
        "e.account_id where a.kind = 'revenue'"
    )


def delivering(desk: DeskOfTest) -> None:
    """From now on the desk delivers foreign messages."""
    desk.rt.settings = replace(desk.rt.settings, foreign_messages="deliver")


class TestForeign:
    """A message of another service than the order is for."""

    @pytest.mark.parametrize(
        ("sender", "text"),
        [("Telegram", "48291"), ("INFO", FOREIGN), ("TELEGRAM.", "Use your WhatsApp")],
    )
    async def test_is_withheld_and_earns_nothing(
        self, desk: DeskOfTest, sender: str, text: str
    ) -> None:
        """The order stays as it was: no code, no text, no revision, no event, no money."""
        caller = await desk.customer()
        order = await desk.order(caller)
        taken = await desk.message(order.msisdn, text, sender=sender, message_id="one")
        assert (taken.status, taken.order_id) == ("withheld", order.id)
        assert await order_lifecycle.read(desk.rt, caller, order.id) == order
        assert await desk.pool.fetchval("select count(*) from events") == 0
        assert await earned(desk) == 0
        assert (
            await desk.message(order.msisdn, text, sender=sender, message_id="one")
        ).status == "seen"
        assert await uses(desk) == {TELEGRAM}

    async def test_does_not_stand_in_the_way_of_the_right_one(self, desk: DeskOfTest) -> None:
        """The order's own message, before or after, is delivered and earns the price once."""
        caller = await desk.customer()
        order = await desk.order(caller)
        statuses = [
            (await desk.message(order.msisdn, text)).status
            for text in (FOREIGN, OWN, FOREIGN, "Your code is 771204")
        ]
        assert statuses == ["withheld", "taken", "withheld", "taken"]
        read = await order_lifecycle.read(desk.rt, caller, order.id)
        assert (read.state, read.otp_code, read.sms_revision) == (State.RECEIVED, "771204", 2)
        assert await earned(desk) == PRICE
        await ending.finish(desk.rt, caller, order.id)
        assert await uses(desk) == {TELEGRAM, WHATSAPP}

    async def test_alone_leaves_the_order_to_be_paid_back(self, desk: DeskOfTest) -> None:
        """An order that had only foreign messages expires without a charge.

        Its number rests for their service, not for its own.
        """
        caller = await desk.customer()
        order = await desk.order(caller)
        await desk.message(order.msisdn, FOREIGN)
        desk.clock.advance(1200)
        await ending.expire_due(desk.rt)
        assert (await order_lifecycle.read(desk.rt, caller, order.id)).state is State.EXPIRED
        assert await desk.available(caller) == 1_000_000
        assert await uses(desk) == {TELEGRAM}

    async def test_leaves_the_order_cancellable(self, desk: DeskOfTest) -> None:
        """A withheld message is no message to a cancel."""
        caller = await desk.customer()
        order = await desk.order(caller)
        await desk.message(order.msisdn, FOREIGN)
        desk.clock.advance(120)
        assert (await ending.cancel(desk.rt, caller, order.id, show=None)).refund.units == PRICE
        assert await desk.available(caller) == 1_000_000

    async def test_of_an_order_without_any_message_keeps_its_service(
        self, desk: DeskOfTest
    ) -> None:
        """Nothing came: the number rests for the order's service, whose message may still be on its
        way."""
        caller = await desk.customer()
        await desk.order(caller)
        desk.clock.advance(1200)
        await ending.expire_due(desk.rt)
        assert await uses(desk) == {WHATSAPP}

    async def test_makes_the_number_unfit_for_its_service(self, desk: DeskOfTest) -> None:
        """A number that received a Telegram code is not sold for Telegram, whatever its order was
        for."""
        caller = await desk.customer()
        await desk.pool.execute("update numbers set state = 3 where id > 1")
        order = await desk.order(caller)
        await desk.message(order.msisdn, FOREIGN)
        desk.clock.advance(1200)
        await ending.expire_due(desk.rt)
        desk.clock.advance(3600)
        await ending.release_quarantined(desk.rt)
        desk.rt.memory.forget("catalogue")
        with pytest.raises(NoOffer):
            await desk.buy(caller, LOCAL_OFFER_TWO)
        assert len((await desk.buy(caller, LOCAL_OFFER)).document.orders) == 1

    async def test_is_delivered_when_the_operator_says_so(self, desk: DeskOfTest) -> None:
        """With "deliver" the order is earned, and the number still remembers the right service
        alone."""
        delivering(desk)
        caller = await desk.customer()
        order = await desk.order(caller)
        assert (await desk.message(order.msisdn, FOREIGN)).status == "taken"
        assert (await ending.finish(desk.rt, caller, order.id)).otp_code == "48291"
        assert await earned(desk) == PRICE
        assert await uses(desk) == {TELEGRAM}
        [kept] = await withheld.foreign(desk.rt, limit=10)
        assert (kept.withheld, kept.order_id) == (False, order.id)

    async def test_is_shown_to_staff_with_the_reason(self, desk: DeskOfTest) -> None:
        """Staff see what came, for which order, what it was recognised as and by what."""
        order = await desk.order(await desk.customer())
        first = await desk.message(order.msisdn, FOREIGN)
        second = await desk.message(order.msisdn, "48291", sender="Telegram")
        found = await withheld.foreign(desk.rt, limit=10)
        assert [(one.id, one.service, one.bought, one.told_by, one.withheld) for one in found] == [
            (second.message_id, "telegram", ["whatsapp"], "sender", True),
            (first.message_id, "telegram", ["whatsapp"], "text", True),
        ]
        assert [
            one.id for one in await withheld.foreign(desk.rt, limit=10, before=second.message_id)
        ] == [first.message_id]
        assert (await withheld.read(desk.rt, first.message_id or 0)).text == FOREIGN
        assert await withheld.count_withheld(desk.rt, hours=24) == 2
        with pytest.raises(NotFound):
            await withheld.read(desk.rt, 999)

    async def test_is_forgotten_with_all_others(self, desk: DeskOfTest) -> None:
        """After the time that texts are kept, nothing of a withheld message is left."""
        order = await desk.order(await desk.customer())
        await desk.message(order.msisdn, FOREIGN)
        desk.clock.advance(31 * 86_400)
        for one in retention.SWEEPS:
            await retention.sweep(desk.rt, one=one)
        assert (
            await desk.pool.fetchval(
                "select (select count(*) from messages) + (select count(*) from foreign_messages)"
            )
            == 0
        )


class TestLooks:
    """What only reads."""

    async def test_writes_nothing(self, desk: DeskOfTest) -> None:
        """Reading the catalogue's words and looking for overdue segments commits no receipt, so it
        works on a full disk, too."""
        before = await desk.pool.fetchval("select count(*) from receipts")
        desk.rt.memory.forget("services")
        await recognition.known(desk.rt)
        await receive.join_overdue(desk.rt)
        assert await desk.pool.fetchval("select count(*) from receipts") == before


class TestPaths:
    """Every way by which a message comes in."""

    async def test_joined_is_recognised_whole(self, desk: DeskOfTest) -> None:
        """Of a long message the whole text counts: its head names another service than a part of
        it."""
        caller = await desk.customer()
        order = await desk.order(caller)
        for position, text in ((2, "gram code: 48291"), (1, "Tele")):
            event = MessageReceived(
                "simulator",
                f"p{position}",
                order.msisdn or 0,
                "INFO",
                text,
                part=Part(7, 2, position),
            )
            status = (await receive.receive_message(desk.rt, event)).status
        assert status == "withheld"
        assert (await order_lifecycle.read(desk.rt, caller, order.id)).state is State.ACTIVE

    async def test_from_a_supplier_is_withheld_alike(self, desk: DeskOfTest) -> None:
        """An order on a supplier's number, the supplier naming its order."""
        caller = await desk.customer()
        order = await desk.order(caller, REMOTE_OFFER)
        event = MessageReceived(
            "simulator",
            "s1",
            order.msisdn or 0,
            "Telegram",
            "48291",
            provider_ref=order.provider_ref,
        )
        assert (await receive.receive_message(desk.rt, event)).status == "withheld"
        assert await earned(desk) == 0

    async def test_before_the_suppliers_answer_is_withheld_alike(self, desk: DeskOfTest) -> None:
        """A foreign message that is quicker than the answer does not earn the order that gets the
        number."""
        reserve = desk.simulator.reserve

        async def slow(wanted: Wanted) -> Reserved:
            reserved = await reserve(wanted)
            desk.clock.advance(1)
            assert (await desk.message(reserved.msisdn, FOREIGN)).status == "orphan"
            return reserved

        desk.simulator.reserve = slow
        order = await desk.order(await desk.customer(), REMOTE_ONLY_OFFER)
        assert (order.state, order.otp_code) == (State.ACTIVE, None)
        assert [one.order_id for one in await withheld.foreign(desk.rt, limit=10)] == [order.id]

    async def test_late_or_for_nobody_is_remembered(self, desk: DeskOfTest) -> None:
        """A number of ours remembers what it received after its order, or when nobody had it."""
        order = await desk.order(await desk.customer())
        desk.clock.advance(1200)
        await ending.expire_due(desk.rt)
        assert (await desk.message(order.msisdn, FOREIGN)).status == "late"
        free = await desk.pool.fetchval("select msisdn from numbers where state = 0 limit 1")
        assert (await desk.message(free, "G-482913")).status == "orphan"
        assert await uses(desk) == {WHATSAPP, TELEGRAM, GOOGLE}

    async def test_for_an_order_of_any_service_is_delivered(self, desk: DeskOfTest) -> None:
        """The catch-all takes every message, and its number remembers what that was of."""
        await desk.pool.execute(
            "update services set code = 'other', name = 'Any other' where id = $1", WHATSAPP
        )
        caller = await desk.customer()
        order = await desk.order(caller)
        assert (await desk.message(order.msisdn, FOREIGN)).status == "taken"
        await ending.finish(desk.rt, caller, order.id)
        assert await uses(desk) == {WHATSAPP, TELEGRAM}

    async def test_of_a_family_is_delivered(self, desk: DeskOfTest) -> None:
        """Services of one family have each other's messages: a code of Google's opens YouTube."""
        await desk.pool.execute(
            "update services set code = 'youtube', name = 'YouTube' where id = $1", WHATSAPP
        )
        order = await desk.order(await desk.customer())
        assert (await desk.message(order.msisdn, "G-482913", sender="Google")).status == "taken"


class TestRental:
    """Numbers that are rented for services."""

    async def test_enforces_its_services(self, rental_desk: DeskOfTest) -> None:
        """A foreign message is in no list and no event, marks nothing as used, and a cancel still
        pays back."""
        caller = await shop.renter(rental_desk)
        rented = (await shop.rent(rental_desk, caller, services=["google", "whatsapp"])).rental
        taken = await shop.message(rental_desk, rented.msisdn, FOREIGN, message_id="one")
        assert (taken.status, taken.customer_id) == ("withheld", caller.customer_id)
        assert (
            await shop.message(rental_desk, rented.msisdn, FOREIGN, message_id="one")
        ).status == "seen"
        page = await reading.messages(rental_desk.rt, caller, rented.id, page=1, limit=10)
        assert (page.items, page.total) == ((), 0)
        rental = await reading.read(rental_desk.rt, caller, rented.id)
        assert not any(service.used for service in rental.services)
        assert await rental_desk.pool.fetchval("select count(*) from events") == 0
        [kept] = await withheld.foreign(rental_desk.rt, limit=10)
        assert (kept.rental, kept.service, kept.bought) == (
            rented.id,
            "telegram",
            ["google", "whatsapp"],
        )
        assert (await shop.cancel(rental_desk, caller, rented.id)).refunded
        assert await uses(rental_desk) == {TELEGRAM}

    async def test_hears_its_own_and_what_is_not_recognised(self, rental_desk: DeskOfTest) -> None:
        """Own messages, and those that nothing tells, are the customer's as before."""
        caller = await shop.renter(rental_desk)
        rented = (await shop.rent(rental_desk, caller)).rental
        texts = ["G-482913", "Your code is 482913", FOREIGN]
        assert [
            (await shop.message(rental_desk, rented.msisdn, text)).status for text in texts
        ] == ["taken", "taken", "withheld"]
        rental = await reading.read(rental_desk.rt, caller, rented.id)
        assert [service.used for service in rental.services] == [True]

    async def test_is_told_everything_when_the_operator_says_so(
        self, rental_desk: DeskOfTest
    ) -> None:
        """With "deliver" a foreign message is listed and counts against a refund, and the number
        remembers its service."""
        delivering(rental_desk)
        caller = await shop.renter(rental_desk)
        rented = (await shop.rent(rental_desk, caller)).rental
        assert (await shop.message(rental_desk, rented.msisdn, FOREIGN)).status == "taken"
        assert (
            await reading.messages(rental_desk.rt, caller, rented.id, page=1, limit=10)
        ).total == 1
        assert not (await shop.cancel(rental_desk, caller, rented.id)).refunded
        assert await uses(rental_desk) == {TELEGRAM}


class TestRaces:
    """Foreign and own messages, and what ends an order, at the same time."""

    @settings(
        max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
    )
    @given(seed=st.integers(0, 2**32))
    async def test_only_an_own_message_earns(self, desk: DeskOfTest, seed: int) -> None:
        """In any interleaving the price is booked exactly when an own message was taken, and given
        back otherwise."""
        chance = random.Random(seed)
        caller = await desk.customer()
        order = await desk.order(caller)
        desk.clock.advance(chance.choice([120, 1199, 1200]))
        acts = [
            lambda: desk.message(
                order.msisdn, FOREIGN, message_id=f"f{order.id}-{chance.randrange(2)}"
            ),
            lambda: desk.message(order.msisdn, OWN, message_id=f"o{order.id}"),
            lambda: ending.cancel(desk.rt, caller, order.id, show=None),
            lambda: ending.expire_due(desk.rt),
        ]
        await asyncio.gather(
            *(chance.choice(acts)() for _ in range(chance.randrange(2, 9))), return_exceptions=True
        )
        read = await order_lifecycle.read(desk.rt, caller, order.id)
        journal_id = await desk.pool.fetchval(
            "select journal_id from holds where kind = 'order' and ref = $1", order.id
        )
        own = await desk.pool.fetchval(
            """select count(*) from messages m where order_id = $1 and not late
                 and not exists (select from foreign_messages f where f.message_id = m.id)""",
            order.id,
        )
        assert (journal_id is not None) == (own > 0) == (read.first_sms_at is not None)
        assert read.otp_message in (None, OWN)
        desk.clock.advance(1300)
        await ending.expire_due(desk.rt)
        await desk.pool.execute(
            "update numbers set state = 0, order_id = null, free_at = null where state = 2"
        )
        await desk.pool.execute("delete from number_uses")
        desk.rt.memory.forget("catalogue")


class TestWords:
    """What operators say about services."""

    async def test_of_the_operator_count_from_the_next_message_on(self, desk: DeskOfTest) -> None:
        """A word that staff add is recognised, and one that they take away no longer."""
        caller = await desk.customer()
        order = await desk.order(caller)
        assert (await desk.message(order.msisdn, "48291", sender="TgCode")).status == "taken"
        await recognition.set_word(desk.rt, service="Telegram", word=" TgCode ", use="sender")
        assert (await desk.message(order.msisdn, "48291", sender="TGCODE")).status == "withheld"
        await recognition.set_word(desk.rt, service="telegram", word="TgCode", use="never")
        assert (await desk.message(order.msisdn, "48291", sender="TgCode")).status == "taken"
        await recognition.remove_word(desk.rt, service="telegram", word="TgCode")
        with pytest.raises(NotFound):
            await recognition.remove_word(desk.rt, service="telegram", word="TgCode")
        assert all(line.words == () for line in await recognition.every(desk.rt))

    async def test_of_numdesks_own_can_be_taken_away(self, desk: DeskOfTest) -> None:
        """Where a built-in word does harm, the operator switches it off."""
        order = await desk.order(await desk.customer())
        await recognition.set_word(desk.rt, service="telegram", word="Telegram", use="never")
        assert (await desk.message(order.msisdn, FOREIGN)).status == "taken"

    async def test_families_can_be_made_and_undone(self, desk: DeskOfTest) -> None:
        """Services that the operator puts together share messages.

        One that is alone shares none.
        """
        order = await desk.order(await desk.customer())
        await recognition.set_family(desk.rt, services=["whatsapp", "telegram"], family="Chats")
        assert [line.family for line in await recognition.every(desk.rt)] == [
            "google",
            "chats",
            "chats",
        ]
        assert (await desk.message(order.msisdn, FOREIGN)).status == "taken"
        await recognition.set_family(desk.rt, services=["telegram", "google"], family=None)
        assert [line.family for line in await recognition.every(desk.rt)] == [None, None, "chats"]
        assert (await desk.message(order.msisdn, FOREIGN)).status == "withheld"

    async def test_are_refused_by_field(self, desk: DeskOfTest) -> None:
        """Unknown services, words without a letter and too many words are refused."""
        for service, word in (
            ("nobody", "x"),
            ("telegram", " "),
            ("telegram", "!!"),
            ("telegram", "x" * 65),
            ("telegram", "a\0b"),
        ):
            with pytest.raises(InvalidInput):
                await recognition.set_word(desk.rt, service=service, word=word, use="text")
        with pytest.raises(InvalidInput):
            await recognition.set_family(desk.rt, services=["nobody"], family="x")
        for n in range(recognition.WORDS_PER_SERVICE_MAX):
            await recognition.set_word(desk.rt, service="telegram", word=f"w{n}", use="text")
        await recognition.set_word(desk.rt, service="telegram", word="w0", use="sender")
        with pytest.raises(InvalidInput):
            await recognition.set_word(desk.rt, service="telegram", word="one more", use="text")

    async def test_can_be_tried(self, desk: DeskOfTest) -> None:
        """Staff see what a text would be recognised as."""
        assert await recognition.try_text(desk.rt, "hello", sender="INFO") is None
        found = await recognition.try_text(desk.rt, FOREIGN, sender="INFO")
        assert found is not None
        assert (found[1], found[0].told_by) == ("telegram", "text")
