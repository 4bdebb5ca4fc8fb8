"""Requests that ask suppliers: what a supplier's answer may not do to us, and messages that are
quicker than it."""

from __future__ import annotations

from dataclasses import replace

import asyncpg
import pytest
from tests.support.breakage import break_row, fix_writes
from tests.support.desk import PRICE, REMOTE_OFFER, REMOTE_ONLY_OFFER, REMOTE_PRICE, DeskOfTest

from numdesk.domain.errors import RequestInProgress
from numdesk.domain.orders.lifecycle import State
from numdesk.domain.orders.refusals import SupplierFailed
from numdesk.ports.inbound import MessageReceived, Part
from numdesk.ports.suppliers import Reserved, Wanted
from numdesk.usecases.inbound import receive
from numdesk.usecases.orders import lifecycle


def _answer(desk: DeskOfTest, **changes: object) -> None:
    """Lets the supplier give these facts instead of the true ones."""
    reserve = desk.simulator.reserve

    async def lie(wanted: Wanted) -> Reserved:
        return replace(await reserve(wanted), **changes)

    desk.simulator.reserve = lie


class TestAnswer:
    """A supplier's answer is data from a stranger."""

    async def test_is_not_taken_when_dearer_than_agreed(self, desk: DeskOfTest) -> None:
        """A cost above what we said is refused, the number given back, and nothing booked."""
        caller = await desk.customer()
        _answer(desk, cost=10**12)
        with pytest.raises(SupplierFailed) as caught:
            await desk.buy(caller, REMOTE_ONLY_OFFER)
        assert caught.value.attempts[0][2] == "price_rejected"
        await desk.release_by_jobs()
        assert await desk.simulator._world.open_sales() == {}
        assert await desk.available(caller) == 1_000_000

    async def test_is_not_taken_with_a_reference_of_another_order(self, desk: DeskOfTest) -> None:
        """A reference that an order has already is a fault of the supplier, and that order keeps
        its number."""
        caller = await desk.customer()
        first = await desk.order(caller, REMOTE_ONLY_OFFER)
        _answer(desk, provider_ref=first.provider_ref)
        with pytest.raises(SupplierFailed):
            await desk.buy(caller, REMOTE_ONLY_OFFER)
        await desk.release_by_jobs()
        assert (await lifecycle.read(desk.rt, caller, first.id)).state is State.ACTIVE
        assert await desk.available(caller) == 1_000_000 - REMOTE_PRICE

    async def test_is_not_taken_with_a_number_in_use(self, desk: DeskOfTest) -> None:
        """One number of a supplier is never sold to two customers for one service at the same
        time."""
        first = await desk.order(await desk.customer(), REMOTE_ONLY_OFFER)
        _answer(desk, msisdn=first.msisdn)
        with pytest.raises(SupplierFailed):
            await desk.buy(await desk.customer(), REMOTE_ONLY_OFFER)


class TestMessages:
    """Messages and the orders they are for."""

    async def test_waits_for_an_answer_that_it_overtook(self, desk: DeskOfTest) -> None:
        """A message that comes before the supplier's answer belongs to the order once that has the
        number."""
        caller = await desk.customer()
        reserve = desk.simulator.reserve

        async def slow(wanted: Wanted) -> Reserved:
            reserved = await reserve(wanted)
            desk.clock.advance(1)
            assert (await desk.message(reserved.msisdn)).status == "orphan"
            return reserved

        desk.simulator.reserve = slow
        order = await desk.order(caller, REMOTE_ONLY_OFFER)
        assert (order.state, order.otp_code, order.sms_revision) == (State.RECEIVED, "482913", 1)
        assert (await desk.message(order.msisdn, message_id="m1")).status == "seen"

    async def test_go_to_the_order_of_their_own_supplier(
        self, desk: DeskOfTest, pool: asyncpg.Pool
    ) -> None:
        """When two sellers have one number, a supplier's message is for its own order."""
        local, remote = await desk.customer(), await desk.customer()
        ours, theirs = await desk.order(local), await desk.order(remote, REMOTE_OFFER)
        await pool.execute("update orders set msisdn = $1 where id = $2", ours.msisdn, theirs.id)
        taken = await receive.receive_message(
            desk.rt, MessageReceived("other", "x1", ours.msisdn or 0, "Bank", "code 482913")
        )
        assert taken.order_id == ours.id
        assert (await lifecycle.read(desk.rt, remote, theirs.id)).sms_revision == 0
        assert await desk.available(local) == 1_000_000 - PRICE

    async def test_joined_late_are_the_same_message(self, desk: DeskOfTest) -> None:
        """Segments that were joined, but not marked so before a crash, make no second message when
        their time is up."""
        caller = await desk.customer()
        order = await desk.order(caller)
        for position, name in ((1, "bbb"), (2, "aaa")):
            await receive.receive_message(
                desk.rt,
                MessageReceived(
                    "simulator",
                    name,
                    order.msisdn or 0,
                    "Bank",
                    f"half {position} ",
                    part=Part(7, 2, position),
                ),
            )
        await desk.pool.execute("update message_parts set joined = false")
        desk.clock.advance(121)
        assert await receive.join_overdue(desk.rt) == 1
        assert (await lifecycle.read(desk.rt, caller, order.id)).sms_revision == 1


async def test_asks_about_each_order_whatever_becomes_of_the_others(desk: DeskOfTest) -> None:
    """An order that cannot be resolved is told as the reason, the others end, and the next try asks
    about that one alone."""
    desk.deafen()
    await desk.simulator.script(["late_ok"] * 3)
    with pytest.raises(RequestInProgress):
        await desk.buy(await desk.customer(), REMOTE_ONLY_OFFER, quantity=3)
    desk.hear()
    first, *others = [
        row[0] for row in await desk.pool.fetch("select id from orders where state = 0 order by id")
    ]
    await break_row(desk.pool, "orders", first)
    with pytest.raises(asyncpg.CheckViolationError):
        await desk.resolve_by_jobs()
    pending = "select id from orders where state = 0"
    assert (len(others), [row[0] for row in await desk.pool.fetch(pending)]) == (2, [first])
    await fix_writes(desk.pool, "orders")
    await desk.resolve_by_jobs()
    assert await desk.pool.fetch(pending) == []
