"""Messages: once each, to the right order, joined, late or nobody's."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.breakage import break_rows, fix_writes
from tests.support.desk import PRICE, DeskOfTest

from numdesk.domain.errors import InvalidInput
from numdesk.domain.orders.lifecycle import State
from numdesk.ports.inbound import MessageReceived, Part
from numdesk.usecases.inbound import receive
from numdesk.usecases.jobs import sweeps
from numdesk.usecases.orders import ending, lifecycle


def _part(to: int, position: int, total: int, text: str, *, reference: int = 7) -> MessageReceived:
    return MessageReceived(
        "simulator",
        f"p{reference}-{position}",
        to,
        "Bank",
        text,
        part=Part(reference, total, position),
    )


class TestReceive:
    """One message."""

    async def test_is_taken_once(self, desk: DeskOfTest) -> None:
        """Repeats of the same provider id, also in parallel, change nothing."""
        caller = await desk.customer()
        order = await desk.order(caller)
        answers = await asyncio.gather(
            *(desk.message(order.msisdn, message_id="same") for _ in range(30))
        )
        assert sorted(a.status for a in answers) == ["seen"] * 29 + ["taken"]
        assert (await desk.message(order.msisdn, message_id="same")).status == "seen"
        assert (await lifecycle.read(desk.rt, caller, order.id)).sms_revision == 1
        assert await desk.pool.fetchval("select count(*) from events") == 1

    async def test_earns_the_price_at_the_first_and_never_again(self, desk: DeskOfTest) -> None:
        """However many messages come, the price is booked once."""
        caller = await desk.customer()
        order = await desk.order(caller)
        for n in range(3):
            await desk.message(order.msisdn, f"Your code is 10020{n}")
        read = await lifecycle.read(desk.rt, caller, order.id)
        assert (read.sms_revision, read.otp_code, read.first_sms_at) == (
            3,
            "100202",
            desk.clock.now(),
        )
        assert (
            await desk.pool.fetchval(
                "select sum(e.amount) from entries e join accounts a on a.id = e.account_id where "
                "a.kind = 'revenue'"
            )
            == PRICE
        )

    async def test_keeps_the_last_code_when_a_message_has_none(self, desk: DeskOfTest) -> None:
        """A message without a code replaces the text and keeps the code."""
        caller = await desk.customer()
        order = await desk.order(caller)
        await desk.message(order.msisdn)
        await desk.message(order.msisdn, "Welcome aboard, enjoy!")
        read = await lifecycle.read(desk.rt, caller, order.id)
        assert (read.otp_code, read.otp_message, read.sms_revision) == (
            "482913",
            "Welcome aboard, enjoy!",
            2,
        )

    async def test_knows_late_and_unknown_numbers(self, desk: DeskOfTest) -> None:
        """A message for an ended order is kept as late, one for a number that was never ours as an
        orphan; no money moves."""
        caller = await desk.customer()
        order = await desk.order(caller)
        desk.clock.advance(1200)
        assert (await desk.message(order.msisdn)).status == "late"
        await ending.expire_due(desk.rt)
        assert (await desk.message(order.msisdn)).status == "late"
        assert (await desk.message(4917000001)).status == "orphan"
        assert await desk.available(caller) == 1_000_000
        assert (await lifecycle.read(desk.rt, caller, order.id)).state is State.EXPIRED

    async def test_holds_any_text(self, desk: DeskOfTest) -> None:
        """NUL, lone surrogates and very long texts are kept as far as they can be, never
        refused."""
        caller = await desk.customer()
        order = await desk.order(caller)
        for text in ("\0code 48\x0029", "\ud800 code 4829", "x" * 100_000, ""):
            assert (await desk.message(order.msisdn, text)).status == "taken"
        assert (await lifecycle.read(desk.rt, caller, order.id)).sms_revision == 4

    async def test_refuses_by_name_what_cannot_be_kept(self, desk: DeskOfTest) -> None:
        """A reference or number that no column holds is refused, and other oddities are cleaned,
        whoever shares the batch."""
        msisdn = (await desk.order(await desk.customer())).msisdn or 0
        bad = [
            MessageReceived("simulator", "b1", msisdn, "B", "x", part=Part(2**31, 2, 1)),
            MessageReceived("simulator", "b2", msisdn, "B", "x", part=Part(-1, 2, 1)),
            MessageReceived("simulator", "b3", 2**63, "B", "x"),
            MessageReceived("simulator", "b\ud800", msisdn, "B", "x"),
        ]
        for event in bad:
            with pytest.raises(InvalidInput):
                await receive.receive_message(desk.rt, event)
        odd = [
            MessageReceived(
                "simulator", "o1", msisdn, "B\0" * 9_000, "a\0\ud800", part=Part(1, 2, 1)
            ),
            MessageReceived("simulator", "o2", msisdn, "B", "x", provider_ref="ref\0"),
            MessageReceived("simulator", "o3", msisdn, "B", "x"),
        ]
        taken = await asyncio.gather(*(receive.receive_message(desk.rt, event) for event in odd))
        assert [one.status for one in taken] == ["waiting", "late", "taken"]


class TestSegments:
    """Long messages come in parts."""

    async def test_joins_in_any_order_with_repeats(self, desk: DeskOfTest) -> None:
        """Segments in any order, some told twice, make one message with the text in order."""
        caller = await desk.customer()
        order = await desk.order(caller)
        parts = [
            _part(order.msisdn or 0, n, 3, text)
            for n, text in (
                (3, "913."),
                (1, "Your code "),
                (1, "Your code "),
                (2, "is 482"),
                (2, "is 482"),
            )
        ]
        statuses = [(await receive.receive_message(desk.rt, part)).status for part in parts]
        assert statuses == ["waiting", "waiting", "seen", "taken", "seen"]
        read = await lifecycle.read(desk.rt, caller, order.id)
        assert (read.otp_message, read.otp_code, read.sms_revision) == (
            "Your code is 482913.",
            "482913",
            1,
        )

    async def test_last_two_at_once_make_one_message(self, desk: DeskOfTest) -> None:
        """Two last segments that arrive at the same moment join once."""
        caller = await desk.customer()
        order = await desk.order(caller)
        await asyncio.gather(
            *(
                receive.receive_message(desk.rt, _part(order.msisdn or 0, n, 2, f"half {n} "))
                for n in (1, 2)
            )
        )
        assert (await lifecycle.read(desk.rt, caller, order.id)).sms_revision == 1

    async def test_gives_up_waiting(self, desk: DeskOfTest) -> None:
        """What there is of a message is taken when the rest has not come in time."""
        caller = await desk.customer()
        order = await desk.order(caller)
        await receive.receive_message(desk.rt, _part(order.msisdn or 0, 1, 2, "code 482913"))
        assert await receive.join_overdue(desk.rt) == 0
        desk.clock.advance(121)
        assert await receive.join_overdue(desk.rt) == 1
        assert await receive.join_overdue(desk.rt) == 0
        assert (await lifecycle.read(desk.rt, caller, order.id)).otp_code == "482913"

    async def test_gives_up_waiting_beside_messages_that_cannot_be_taken(
        self, desk: DeskOfTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A whole batch of messages that are set aside holds up none behind them, and each is taken
        when it can be."""
        monkeypatch.setattr(receive, "OVERDUE_BATCH", 2)
        order = await desk.order(await desk.customer())
        for reference in (1, 2, 3):
            await receive.receive_message(
                desk.rt, _part(order.msisdn or 0, 1, 2, f"{reference}", reference=reference)
            )
            desk.clock.advance(1)
        await break_rows(desk.pool, "messages", "new.text in ('1', '2')", on="insert")
        desk.clock.advance(121)
        assert [await receive.join_overdue(desk.rt) for _ in range(3)] == [0, 1, 0]
        assert {one.sweep for one in await sweeps.every(desk.rt)} == {"inbound.join_overdue"}
        await fix_writes(desk.pool, "messages")
        desk.clock.advance(61)
        assert [await receive.join_overdue(desk.rt) for _ in range(2)] == [2, 0]
        assert await sweeps.every(desk.rt) == []


class TestRaces:
    """Whatever meets on one order, it ends once and its money moves once."""

    @settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(seed=st.integers(0, 2**32))
    async def test_deliver_cancel_expire_finish_in_any_interleaving(
        self, desk: DeskOfTest, seed: int
    ) -> None:
        """Random acts at the same time leave one end state that agrees with the money."""
        chance = random.Random(seed)
        caller = await desk.customer()
        order = await desk.order(caller)
        desk.clock.advance(chance.choice([115, 1199, 1200]))
        acts = [
            lambda: desk.message(order.msisdn),
            lambda: ending.cancel(desk.rt, caller, order.id, show=None),
            lambda: ending.expire_due(desk.rt),
            lambda: ending.finish(desk.rt, caller, order.id),
        ]
        await asyncio.gather(
            *(chance.choice(acts)() for _ in range(chance.randrange(2, 8))), return_exceptions=True
        )
        read = await lifecycle.read(desk.rt, caller, order.id)
        refunded = read.state in (State.CANCELED, State.EXPIRED) or read.state is State.ACTIVE
        hold = await desk.pool.fetchrow(
            "select state, journal_id from holds where kind = 'order' and ref = $1", order.id
        )
        assert (hold["journal_id"] is None) == refunded == (read.first_sms_at is None)
        await desk.pool.execute(
            "update numbers set state = 0, order_id = null, free_at = null where state = 2"
        )
        await desk.pool.execute("delete from number_uses")
        desk.clock.advance(1300)
        await ending.expire_due(desk.rt)
        await desk.pool.execute(
            "update numbers set state = 0, order_id = null, free_at = null where state = 2"
        )
        await desk.pool.execute("delete from number_uses")
        desk.rt.memory.forget("catalogue")
