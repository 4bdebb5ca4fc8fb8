"""Top-ups from the wish to the invoice, callbacks from the bytes to the settlement, and the
questions when nobody calls."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from tests.races.processes import another
from tests.support.desk import DeskOfTest
from tests.support.gateway import PROVIDER, Till, callback_of, open_till

from numdesk.domain.errors import (
    InvalidInput,
    KeyReused,
    NotFound,
    RequestInProgress,
    TooManyRequests,
)
from numdesk.domain.payments.refusals import GatewayUnavailable, TopUpTooSmall
from numdesk.domain.payments.topups import TopUp, TopUpState
from numdesk.ports.errors import Cause, ProviderError
from numdesk.runtime import Runtime
from numdesk.usecases.payments import callbacks, polling, settlement, topups
from numdesk.usecases.payments.topups import TopUpRequest
from numdesk.workers import runner

GONE = ProviderError(Cause.PROVIDER_UNAVAILABLE, "no connection")
LOST = ProviderError(Cause.PROVIDER_UNAVAILABLE, "no answer", unknown=True)


@pytest.fixture
async def till(desk: DeskOfTest) -> Till:
    """A customer about to pay."""
    return await open_till(desk)


class TestCreateTopUp:
    """The wish for a top-up."""

    async def test_freezes_discount_and_price(self, till: Till) -> None:
        """500.00 at ten percent costs 450.00, and the gateway is asked for that under our
        reference."""
        topup = await till.order(50_000)
        (intent,) = till.gateway.created
        assert (topup.final_amount, topup.discount, topup.discount_bp) == (45_000, 5_000, 1_000)
        assert (intent.reference, str(intent.amount), intent.currency) == (
            topup.public_id,
            "450.00",
            "EUR",
        )
        assert (topup.state, topup.payment_url) == (
            TopUpState.AWAITING,
            f"https://pay/{topup.public_id}",
        )

    async def test_gives_the_callback_url_where_there_is_one(self, till: Till) -> None:
        """Gateways call back below the public URL; without one they are not asked to."""
        await till.order()
        till.rt.settings = replace(till.rt.settings, public_url="https://desk.example")
        await till.order()
        assert [intent.callback_url for intent in till.gateway.created] == [
            None,
            f"https://desk.example/callbacks/{PROVIDER}",
        ]

    @pytest.mark.parametrize("amount", [0, -5, 10**15])
    async def test_refuses_amounts_that_nobody_pays(self, till: Till, amount: int) -> None:
        """Zero, less, and more than a wallet may hold."""
        with pytest.raises(InvalidInput):
            await till.order(amount)

    async def test_refuses_less_than_the_gateways_minimum(self, till: Till) -> None:
        """The least is set per gateway, and told."""
        with pytest.raises(TopUpTooSmall) as refused:
            await till.order(499)
        assert refused.value.minimum == 500

    async def test_refuses_a_gateway_that_we_do_not_have(self, till: Till) -> None:
        """An unknown provider is bad input."""
        with pytest.raises(InvalidInput):
            await topups.create_topup(
                till.rt, till.caller, TopUpRequest(None, b"", "paypal", 50_000)
            )

    async def test_a_repeat_gets_the_same_answer(self, till: Till) -> None:
        """The same key gives the same invoice and state, even when it was paid meanwhile.

        Another request under it is refused.
        """
        first = await till.order(key="k")
        till.gateway.pay(first)
        await till.settle(first)
        again, replayed = await topups.create_topup(
            till.rt, till.caller, TopUpRequest("k", b"same", PROVIDER, 50_000)
        )
        assert replayed
        assert replace(again, credited=0) == replace(first, credited=0)
        with pytest.raises(KeyReused):
            await topups.create_topup(
                till.rt, till.caller, TopUpRequest("k", b"other", PROVIDER, 60_000)
            )

    async def test_bounds_what_waits_for_money(self, till: Till) -> None:
        """So many unpaid top-ups and no more, however many are wanted at once.

        One that is paid or over makes room.
        """
        till.rt.settings = replace(till.rt.settings, topup_open_max=3)
        found = await asyncio.gather(*(till.order() for _ in range(6)), return_exceptions=True)
        made = [one for one in found if isinstance(one, TopUp)]
        assert len(made) == 3
        assert all(isinstance(one, TopUp | TooManyRequests) for one in found)
        till.gateway.pay(made[0])
        await till.settle(made[0])
        await till.order(key="k")
        with pytest.raises(TooManyRequests) as refused:
            await till.order(key="other")
        assert await till.order(key="k")
        till.desk.clock.advance(refused.value.retry_after_s)
        assert await till.order(key="other")

    async def test_many_at_once_make_one_invoice(self, till: Till) -> None:
        """Twenty copies of one request in two processes ask the gateway once.

        Those that come meanwhile are told to wait.
        """
        other = another(till.rt, till.rt.database)
        request = TopUpRequest("k", b"same", PROVIDER, 50_000)
        found = await asyncio.gather(
            *(topups.create_topup(rt, till.caller, request) for rt in (till.rt, other) * 10),
            return_exceptions=True,
        )
        assert len({one[0].public_id for one in found if isinstance(one, tuple)}) == 1
        assert all(isinstance(one, tuple | RequestInProgress) for one in found)
        assert len(till.gateway.created) == 1

    async def test_a_gateway_that_is_away_can_be_tried_again(self, till: Till) -> None:
        """No invoice, no charge: the same key is tried again and gets one."""
        till.gateway.failures.append(GONE)
        with pytest.raises(GatewayUnavailable):
            await till.order(key="k")
        assert (await till.order(key="k")).payment_url

    async def test_a_lost_answer_is_found_again(self, till: Till) -> None:
        """An invoice that was made although its answer was lost is the one that the next try gets.

        Never a second one.
        """
        till.gateway.repeatable = False
        till.gateway.loses_answers = LOST
        with pytest.raises(GatewayUnavailable):
            await till.order(key="k")
        assert (await till.order(key="k")).invoice_id
        assert len(till.gateway.created) == 1

    async def test_an_intent_whose_invoice_nobody_finds_is_over(self, till: Till) -> None:
        """A gateway that cannot be asked twice and knows of none makes no second invoice under that
        reference."""
        till.gateway.repeatable = False
        till.gateway.failures.append(LOST)
        for _ in range(2):
            with pytest.raises(GatewayUnavailable):
                await till.order(key="k")
        assert till.gateway.created == []
        assert (await topups.listed(till.rt))[0].state is TopUpState.FAILED

    async def test_refuses_an_invoice_of_another_amount(self, till: Till) -> None:
        """What the gateway made must be what was asked."""
        make = till.gateway.create
        till.gateway.create = lambda intent: make(replace(intent, amount=intent.amount / 2))
        with pytest.raises(GatewayUnavailable):
            await till.order()


class TestReceive:
    """Callbacks."""

    async def test_a_callback_leads_to_the_credit(self, till: Till) -> None:
        """Kept first, looked into by a job."""
        topup = await till.order()
        till.gateway.pay(topup)
        await callbacks.receive(till.rt, PROVIDER, *callback_of(topup))
        assert await till.balance() == 0
        await runner.run_due(till.rt)
        assert await till.balance() == 50_000

    async def test_says_nothing_about_amounts(self, till: Till) -> None:
        """A genuine callback about an invoice that was not paid credits nothing."""
        topup = await till.order()
        await callbacks.receive(till.rt, PROVIDER, *callback_of(topup))
        await runner.run_due(till.rt)
        assert await till.balance() == 0

    async def test_refuses_what_does_not_verify_and_changes_nothing(self, till: Till) -> None:
        """A bad signature leaves no trace but a line in the log."""
        topup = await till.order()
        with pytest.raises(InvalidInput):
            await callbacks.receive(
                till.rt, PROVIDER, {"x-signature": "forged"}, callback_of(topup)[1]
            )
        assert await till.desk.pool.fetchval("select count(*) from payment_inbox") == 0

    async def test_refuses_a_gateway_that_we_do_not_have(self, till: Till) -> None:
        """There is no door for it."""
        with pytest.raises(NotFound):
            await callbacks.receive(till.rt, "paypal", {}, b"")

    async def test_keeps_the_same_bytes_once(self, till: Till) -> None:
        """Fifty copies at once leave one row and one job."""
        topup = await till.order()
        till.gateway.pay(topup)
        await asyncio.gather(
            *(callbacks.receive(till.rt, PROVIDER, *callback_of(topup)) for _ in range(50))
        )
        assert await till.desk.pool.fetchval("select count(*) from payment_inbox") == 1
        assert (
            await till.desk.pool.fetchval("select count(*) from jobs where kind = 'payments.hear'")
            == 1
        )

    async def test_keeps_what_was_signed_once_however_it_is_spaced(self, till: Till) -> None:
        """A signature covers the document and not its spaces.

        Fifty ways of writing one are one callback.
        """
        headers, body = callback_of(await till.order())
        for blanks in range(50):
            await callbacks.receive(
                till.rt, PROVIDER, headers, body.replace(b",", b"," + b" " * blanks)
            )
        assert await till.desk.pool.fetchval("select count(*) from payment_inbox") == 1

    async def test_sets_callbacks_about_strangers_aside(self, till: Till) -> None:
        """An unknown reference, or our reference with another invoice, is noted as such and settles
        nothing."""
        topup = await till.order()
        for stranger in (
            replace(topup, public_id="inv_unknown"),
            replace(topup, invoice_id="g-other"),
        ):
            await callbacks.receive(till.rt, PROVIDER, *callback_of(stranger))
        await runner.run_due(till.rt)
        rows = await till.desk.pool.fetch("select result from payment_inbox order by id")
        assert [row[0] for row in rows] == ["unknown", "mismatch"]
        assert till.gateway.asked == 0

    async def test_a_gateway_that_is_away_is_asked_again(self, till: Till) -> None:
        """A callback whose read-back failed waits in its job, and in the end the money is there."""
        topup = await till.order()
        till.gateway.pay(topup)
        till.gateway.failures.append(GONE)
        await callbacks.receive(till.rt, PROVIDER, *callback_of(topup))
        await runner.run_due(till.rt)
        assert await till.balance() == 0
        till.desk.clock.advance(5)
        await runner.run_due(till.rt)
        assert await till.balance() == 50_000


class TestPollDue:
    """Questions about top-ups of which nobody spoke."""

    async def test_finds_what_no_callback_told(self, till: Till) -> None:
        """A lost callback costs minutes, not money."""
        topup = await till.order()
        till.gateway.pay(topup)
        assert await till.poll() == 0
        till.desk.clock.advance(61)
        assert await till.poll() == 1
        assert await till.balance() == 50_000

    async def test_asks_ever_less_often_and_ends_after_thirty_days(self, till: Till) -> None:
        """After 1, 2, 5 and 15 minutes, then hourly, until thirty days after the invoice's end.

        Then the nightly comparison watches.
        """
        await till.order()
        asked: list[int] = []
        for minute in range(1, 150):
            till.desk.clock.advance(60)
            if await till.poll():
                asked.append(minute)
        assert asked == [1, 3, 8, 23, 83, 143]
        till.desk.clock.advance(31 * 86_400)
        assert await till.poll() == 1
        till.desk.clock.advance(86_400)
        assert await till.poll() == 0

    async def test_customers_take_turns(self, till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
        """The one top-up of a customer is in the first round, behind more of another's than a round
        has room for."""
        monkeypatch.setattr(polling, "POLL_BATCH", 4)
        for _ in range(9):
            await till.order()
        till.desk.clock.advance(30)
        other = await open_till(till.desk, till.gateway)
        till.gateway.pay(await other.order())
        till.desk.clock.advance(61)
        assert await till.poll() == 4
        assert await other.balance() == 50_000
        assert [await till.poll() for _ in range(3)] == [4, 2, 0]

    async def test_ends_with_the_credit(self, till: Till) -> None:
        """What is credited is not asked about any more."""
        topup = await till.order()
        till.gateway.pay(topup)
        await till.settle(topup)
        till.desk.clock.advance(3_600)
        assert await till.poll() == 0

    async def test_takes_up_an_invoice_whose_answer_was_lost(self, till: Till) -> None:
        """Even when nobody asks again: the customer may have seen the gateway's page."""
        till.gateway.loses_answers = LOST
        with pytest.raises(GatewayUnavailable):
            await till.order()
        (topup,) = await topups.listed(till.rt)
        (invoice,) = till.gateway.invoices.values()
        till.gateway.pay(replace(topup, invoice_id=invoice.gateway_id))
        till.desk.clock.advance(61)
        await till.poll()
        assert await till.balance() == 50_000

    async def test_one_that_fails_does_not_stop_the_others(self, till: Till) -> None:
        """An answer that does not come is asked for at the next time."""
        for _ in range(3):
            till.gateway.pay(await till.order())
        till.gateway.failures.append(GONE)
        till.desk.clock.advance(61)
        await till.poll()
        assert await till.balance() == 100_000

    async def test_one_that_nobody_can_settle_does_not_stop_the_others(
        self, till: Till, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whatever one answer breaks, the others are looked at."""
        poisoned, honest = await till.order(), await till.order()
        till.gateway.pay(honest)
        settle = settlement.settle

        async def breaks(rt: Runtime, topup_id: int) -> None:
            if topup_id == poisoned.id:
                raise ArithmeticError
            await settle(rt, topup_id)

        monkeypatch.setattr(polling, "settle", breaks)
        till.desk.clock.advance(61)
        assert await till.poll() == 2
        assert await till.balance() == 50_000


async def test_headers_are_kept_as_they_can_be(till: Till) -> None:
    """A callback's headers go into the database whatever they hold."""
    topup = await till.order()
    headers, body = callback_of(topup)
    await callbacks.receive(till.rt, PROVIDER, {**headers, "x-odd": "a\0b" * 1_000}, body)
    kept = json.loads(await till.desk.pool.fetchval("select headers::text from payment_inbox"))
    assert len(kept["x-odd"]) == callbacks.HEADER_CHARS_MAX
