"""Orders once they exist: every move, its window, its money and its event."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.desk import PRICE, REMOTE_OFFER, REMOTE_PRICE, DeskOfTest

from numdesk.domain.customers.callers import Caller
from numdesk.domain.errors import NotFound, StateForbids
from numdesk.domain.orders.lifecycle import (
    CANCEL_OPEN_AFTER,
    LIFETIME,
    MOVES,
    RESEND_COOLDOWN,
    Event,
    State,
)
from numdesk.domain.orders.outcomes import CreatedOrder
from numdesk.domain.orders.refusals import CancelCapReached, CancelTooEarly, SupplierFailed
from numdesk.ports.errors import ProviderError
from numdesk.usecases.orders import changes, ending, lifecycle, reactivation

OPEN_S = CANCEL_OPEN_AFTER.total_seconds()
LIFE_S = LIFETIME.total_seconds()


async def test_the_database_knows_the_same_moves(desk: DeskOfTest) -> None:
    """The table that the SQL commands and the trigger consult equals the domain's one."""
    rows = await desk.pool.fetch("select state, event, next from order_moves")
    assert {(State(r[0]), Event(r[1])): State(r[2]) for r in rows} == MOVES


class TestCancel:
    """Ending an order without a message gives the money back."""

    async def test_refunds_after_the_window(self, desk: DeskOfTest) -> None:
        """The hold is voided and the wallet whole again."""
        caller = await desk.customer()
        order = await desk.order(caller)
        desk.clock.advance(OPEN_S)
        canceled = await ending.cancel(desk.rt, caller, order.id, show=None)
        assert (canceled.order.state, canceled.refund.units, canceled.balance.units) == (
            State.CANCELED,
            PRICE,
            1_000_000,
        )

    async def test_refuses_inside_the_window(self, desk: DeskOfTest) -> None:
        """A young order cannot be cancelled and stays as it is."""
        caller = await desk.customer()
        order = await desk.order(caller)
        desk.clock.advance(OPEN_S - 1)
        with pytest.raises(CancelTooEarly):
            await ending.cancel(desk.rt, caller, order.id, show=None)
        assert (await lifecycle.read(desk.rt, caller, order.id)).state is State.ACTIVE

    async def test_refuses_after_a_message(self, desk: DeskOfTest) -> None:
        """A message, with or without a code, closes cancel and refund."""
        caller = await desk.customer()
        order = await desk.order(caller)
        await desk.message(order.msisdn, "open this link to confirm")
        desk.clock.advance(OPEN_S)
        with pytest.raises(StateForbids):
            await ending.cancel(desk.rt, caller, order.id, show=None)
        assert await desk.available(caller) == 1_000_000 - PRICE

    async def test_stays_open_when_the_supplier_refuses(self, desk: DeskOfTest) -> None:
        """The supplier is told first; its refusal leaves order and money alone."""
        caller = await desk.customer()
        order = await desk.order(caller, REMOTE_OFFER)
        desk.clock.advance(OPEN_S)
        await desk.simulator.script(["error_500"])
        with pytest.raises(SupplierFailed):
            await ending.cancel(desk.rt, caller, order.id, show=None)
        assert (await lifecycle.read(desk.rt, caller, order.id)).state is State.ACTIVE
        assert (
            await ending.cancel(desk.rt, caller, order.id, show=None)
        ).refund.units == REMOTE_PRICE

    async def test_happens_once(self, desk: DeskOfTest) -> None:
        """Of many parallel cancels one refunds and the others are refused."""
        caller = await desk.customer()
        order = await desk.order(caller)
        desk.clock.advance(OPEN_S)
        answers = await asyncio.gather(
            *(ending.cancel(desk.rt, caller, order.id, show=None) for _ in range(10)),
            return_exceptions=True,
        )
        assert sum(isinstance(a, ending.Canceled) for a in answers) == 1
        assert await desk.available(caller) == 1_000_000

    async def test_has_a_daily_cap(self, desk: DeskOfTest) -> None:
        """Beyond the cap cancelling waits for the next day."""
        caller = await desk.customer()
        order = await desk.order(caller)
        desk.clock.advance(OPEN_S)
        await desk.pool.execute(
            "insert into customer_hours values ($1, $2, 0, 2000, 0)",
            caller.customer_id,
            desk.clock.now(),
        )
        with pytest.raises(CancelCapReached) as caught:
            await ending.cancel(desk.rt, caller, order.id, show=None)
        assert 0 < caught.value.retry_after_s <= 86_400

    async def test_is_for_the_owner(self, desk: DeskOfTest) -> None:
        """Somebody else's order is not found, whatever is asked of it."""
        order = await desk.order(await desk.customer())
        stranger = await desk.customer()
        for act in (lifecycle.read, ending.finish, lifecycle.resend):
            with pytest.raises(NotFound):
                await act(desk.rt, stranger, order.id)
        with pytest.raises(NotFound):
            await ending.cancel(desk.rt, stranger, order.id, show=None)


class TestEnd:
    """Finish and expiry."""

    async def test_finish_needs_a_message(self, desk: DeskOfTest) -> None:
        """Finish completes an order that had a message and refuses one that had none."""
        caller = await desk.customer()
        order = await desk.order(caller)
        with pytest.raises(StateForbids):
            await ending.finish(desk.rt, caller, order.id)
        await desk.message(order.msisdn)
        assert (await ending.finish(desk.rt, caller, order.id)).state is State.COMPLETED
        with pytest.raises(StateForbids):
            await ending.finish(desk.rt, caller, order.id)

    async def test_expiry_refunds_what_was_not_earned(self, desk: DeskOfTest) -> None:
        """At its time an order without a message expires and is refunded, one with a message is
        completed."""
        caller = await desk.customer()
        silent, spoken = await desk.order(caller), await desk.order(caller)
        await desk.message(spoken.msisdn)
        desk.clock.advance(LIFE_S - 1)
        assert await ending.expire_due(desk.rt) == 0
        desk.clock.advance(1)
        assert await ending.expire_due(desk.rt) == 2
        assert (await lifecycle.read(desk.rt, caller, silent.id)).state is State.EXPIRED
        assert (await lifecycle.read(desk.rt, caller, spoken.id)).state is State.COMPLETED
        assert await desk.available(caller) == 1_000_000 - PRICE
        kinds = await desk.pool.fetch("select kind from events order by id")
        assert [r[0] for r in kinds] == ["order.received", "order.expired", "order.completed"]

    async def test_a_remote_supplier_hears_of_the_end(self, desk: DeskOfTest) -> None:
        """An expired order of a supplier leaves a job that releases the number there."""
        caller = await desk.customer()
        order = await desk.order(caller, REMOTE_OFFER)
        desk.clock.advance(LIFE_S)
        await ending.expire_due(desk.rt)
        job = await desk.pool.fetchval(
            "select payload->>'order' from jobs where kind = 'orders.release'"
        )
        assert int(job) == order.id
        await ending.release_at_supplier(desk.rt, {"order": order.id})
        await desk.simulator.script(["error_500"])
        with pytest.raises(ProviderError):
            await ending.release_at_supplier(desk.rt, {"order": order.id})


class TestResend:
    """One more message."""

    async def test_waits_for_the_next_message_and_keeps_the_last(self, desk: DeskOfTest) -> None:
        """Resend puts the order back to waiting without forgetting the code; a cooldown follows."""
        caller = await desk.customer()
        order = await desk.order(caller)
        with pytest.raises(StateForbids):
            await lifecycle.resend(desk.rt, caller, order.id)
        await desk.message(order.msisdn)
        resent = await lifecycle.resend(desk.rt, caller, order.id)
        assert (resent.resent, resent.order.state, resent.order.otp_code) == (
            True,
            State.RESENT,
            "482913",
        )
        with pytest.raises(StateForbids) as refused:
            await lifecycle.resend(desk.rt, caller, order.id)
        assert refused.value.until == desk.clock.now() + RESEND_COOLDOWN
        desk.clock.advance(RESEND_COOLDOWN.total_seconds())
        await lifecycle.resend(desk.rt, caller, order.id)
        await desk.message(order.msisdn, "Your code is 771204")
        again = await lifecycle.read(desk.rt, caller, order.id)
        assert (again.state, again.otp_code, again.sms_revision) == (State.RECEIVED, "771204", 2)
        assert await desk.available(caller) == 1_000_000 - PRICE


class TestWait:
    """Waiting for a change."""

    async def test_answers_at_the_first_change(self, desk: DeskOfTest) -> None:
        """A waiter is woken by the message and not by the clock."""
        caller = await desk.customer()
        order = await desk.order(caller)
        waiter = asyncio.create_task(lifecycle.wait(desk.rt, caller, order.id, seconds=25))
        await asyncio.sleep(0)
        await desk.message(order.msisdn)
        assert (await asyncio.wait_for(waiter, 60)).otp_code == "482913"

    async def test_answers_as_it_is_when_nothing_happens(self, desk: DeskOfTest) -> None:
        """After its time the waiter gets the order unchanged."""
        caller = await desk.customer()
        order = await desk.order(caller)
        assert (await lifecycle.wait(desk.rt, caller, order.id, seconds=0.01)).state is State.ACTIVE

    async def test_answers_at_once_what_has_happened(self, desk: DeskOfTest) -> None:
        """A message that came between two calls is told at once, and after a resend the wait is for
        the next."""
        caller = await desk.customer()
        order = await desk.order(caller)
        await desk.message(order.msisdn)
        assert (
            await asyncio.wait_for(lifecycle.wait(desk.rt, caller, order.id, seconds=25), 60)
        ).sms_revision == 1
        await lifecycle.resend(desk.rt, caller, order.id)
        waiter = asyncio.create_task(lifecycle.wait(desk.rt, caller, order.id, seconds=25))
        await asyncio.sleep(0)
        await desk.message(order.msisdn, "Your code is 771204")
        assert (await asyncio.wait_for(waiter, 60)).sms_revision == 2

    async def test_lets_everybody_go_at_the_stop(self, desk: DeskOfTest) -> None:
        """A process that stops answers its waiters at once, and whoever still comes."""
        caller = await desk.customer()
        order = await desk.order(caller)
        waiter = asyncio.create_task(lifecycle.wait(desk.rt, caller, order.id, seconds=25))
        await asyncio.sleep(0)
        changes.close(desk.rt)
        assert (await asyncio.wait_for(waiter, 60)).state is State.ACTIVE
        assert (
            await asyncio.wait_for(lifecycle.wait(desk.rt, caller, order.id, seconds=25), 60)
        ).state is State.ACTIVE


class TestReactivate:
    """The same number once more."""

    async def _completed(self, desk: DeskOfTest, offer_id: int) -> tuple[Caller, int, int]:
        caller = await desk.customer()
        order = await desk.order(caller, offer_id)
        await desk.message(order.msisdn)
        await ending.finish(desk.rt, caller, order.id)
        if order.provider_ref:
            await ending.release_at_supplier(desk.rt, {"order": order.id})
        return caller, order.id, order.msisdn or 0

    async def test_is_closed_with_the_service(self, desk: DeskOfTest) -> None:
        """A number of a service that is switched off is not sold again."""
        caller, order_id, _ = await self._completed(desk, 1)
        await desk.pool.execute("update services set active = false")
        desk.rt.memory.forget("catalogue")
        with pytest.raises(StateForbids):
            await reactivation.reactivate(
                desk.rt, caller, reactivation.ReactivateRequest("k", b"f", order_id, None, None)
            )

    @pytest.mark.parametrize("offer_id", [1, REMOTE_OFFER])
    async def test_sells_the_number_to_a_child_order(self, desk: DeskOfTest, offer_id: int) -> None:
        """The child has the same number and a hold of its own; the parent stays completed.

        The key makes it one.
        """
        caller, order_id, msisdn = await self._completed(desk, offer_id)
        before = await desk.available(caller)
        options = await reactivation.reactivation_options(desk.rt, caller, order_id, show=None)
        request = reactivation.ReactivateRequest("k", b"f", order_id, None, None)
        first = await reactivation.reactivate(desk.rt, caller, request)
        again = await reactivation.reactivate(desk.rt, caller, request)
        with pytest.raises(StateForbids) as refused:
            await reactivation.reactivate(
                desk.rt, caller, reactivation.ReactivateRequest("k2", b"f", order_id, None, None)
            )
        assert refused.value.state == "number taken"
        child: CreatedOrder = first.document.orders[0]
        assert (child.msisdn, again.document, again.replayed) == (msisdn, first.document, True)
        assert await desk.available(caller) == before - options.cost.units
        assert (await lifecycle.read(desk.rt, caller, child.id)).state is State.ACTIVE
        assert (await lifecycle.read(desk.rt, caller, order_id)).state is State.COMPLETED

    async def test_one_of_many_wins(self, desk: DeskOfTest) -> None:
        """A number that is in use again cannot be bought a second time."""
        caller, order_id, _ = await self._completed(desk, 1)
        requests = [
            reactivation.ReactivateRequest(f"k{n}", b"f", order_id, None, None) for n in range(8)
        ]
        answers = await asyncio.gather(
            *(reactivation.reactivate(desk.rt, caller, r) for r in requests), return_exceptions=True
        )
        assert sum(not isinstance(a, BaseException) for a in answers) == 1
        assert all(isinstance(a, StateForbids) for a in answers if isinstance(a, BaseException))
