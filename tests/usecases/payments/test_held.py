"""Money in a status that is not plainly paid is held for staff, credited to nobody, and free again
by the gateway's word or theirs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from tests.support.desk import DeskOfTest
from tests.support.gateway import PROVIDER, Till, callback_of, open_till

from numdesk.domain.errors import InvalidInput, StateForbids
from numdesk.domain.payments.audit import Fault
from numdesk.domain.payments.gateway_payments import PLAINLY_PAID, PaymentStatus
from numdesk.domain.payments.topups import Decision, Doubt, TopUp, TopUpState
from numdesk.usecases.payments import audit, callbacks, settlement
from numdesk.usecases.payments import held as payment_held
from numdesk.workers import runner

#: What a gateway may say of money that it has and that is not plainly paid, with the doubt that
#: staff see.
ODD = {
    PaymentStatus.UNKNOWN: Doubt.STATUS,
    PaymentStatus.FAILED: Doubt.STATUS,
    PaymentStatus.EXPIRED: Doubt.STATUS,
    PaymentStatus.HELD: Doubt.GATEWAY,
    PaymentStatus.REFUNDING: Doubt.GATEWAY,
}
WORD = "wrong_asset_confirmed"


@pytest.fixture
async def till(desk: DeskOfTest) -> Till:
    """A customer about to pay."""
    return await open_till(desk)


async def by_callback(till: Till, topup: TopUp) -> None:
    """The gateway calls."""
    await callbacks.receive(till.rt, PROVIDER, *callback_of(topup))
    await runner.job_runner_of(till.rt).run_all_due()


async def by_polling(till: Till, topup: TopUp) -> None:
    """Nobody calls, and we ask."""
    assert topup.id
    till.desk.clock.advance(61)
    assert await till.poll() == 1


async def by_comparison(till: Till, topup: TopUp) -> None:
    """The nightly comparison finds it."""
    assert topup.id
    now = till.desk.clock.now()
    await audit.audit(
        till.rt, PROVIDER, since=now - timedelta(days=1), until=now + timedelta(days=1)
    )


def gauge(doubt: Doubt) -> float | None:
    """Returns what the metrics say."""
    return REGISTRY.get_sample_value(
        "numdesk_topup_payments_held", {"provider": PROVIDER, "reason": doubt.value}
    )


async def held(till: Till, topup: TopUp) -> Doubt | None:
    """Returns why the one payment of a top-up is held."""
    (line,) = await till.lines(topup)
    return line.doubt


class TestHeld:
    @pytest.mark.parametrize("hears", [by_callback, by_polling, by_comparison])
    @pytest.mark.parametrize("status", ODD)
    async def test_is_shown_counted_and_not_credited(
        self, till: Till, status: PaymentStatus, hears: Callable[[Till, TopUp], Awaitable[None]]
    ) -> None:
        """However it is heard of, money of an odd status waits for staff under the gateway's own
        word, and is in nobody's books."""
        topup = await till.order()
        told = till.gateway.pay(
            topup, status, share="1.01", gateway_status=WORD, at=till.desk.clock.now()
        )
        await hears(till, topup)
        assert (await till.read(topup)).state is TopUpState.HELD
        ((found, (line,)),) = await payment_held.listed(till.rt)
        assert (found.id, line.doubt) == (topup.id, ODD[status])
        assert (line.line.payment.gateway_status, line.line.payment.paid) == (WORD, told.paid)
        assert await payment_held.count(till.rt) == {(PROVIDER, ODD[status]): 1}
        assert [
            await till.balance(),
            await till.account("clearing", PROVIDER),
            await till.account("suspense", "unapplied"),
        ] == [0, 0, 0]

    async def test_is_told_by_the_comparison(self, till: Till) -> None:
        """A held payment is named with the word, the money, and that nothing was credited, each
        time until it is decided."""
        topup = await till.order()
        till.gateway.pay(
            topup, PaymentStatus.UNKNOWN, gateway_status=WORD, at=till.desk.clock.now()
        )
        await till.settle(topup)
        now = till.desk.clock.now()
        for _ in range(2):
            (one,) = await audit.compare(
                till.rt, since=now - timedelta(days=1), until=now + timedelta(days=1)
            )
            assert (one.fault, one.invoice) == (Fault.HELD, topup.public_id)
            assert WORD in one.what
            assert "500.000000 USDT paid of 500.000000 due; 0 credited" in one.what
        await settlement.decide(till.rt, topup.public_id, Decision.REFUSED)
        assert (
            await audit.compare(
                till.rt, since=now - timedelta(days=1), until=now + timedelta(days=1)
            )
            == []
        )

    async def test_is_measured(self, till: Till) -> None:
        """The metrics have the number of held payments by gateway and doubt, and forget what was
        settled."""
        topup = await till.order()
        till.gateway.pay(topup, PaymentStatus.UNKNOWN)
        await till.settle(topup)
        await payment_held.measure(till.rt)
        assert gauge(Doubt.STATUS) == 1
        till.gateway.pay(topup)
        await till.settle(topup)
        await payment_held.measure(till.rt)
        assert gauge(Doubt.STATUS) is None

    @pytest.mark.parametrize("status", [PaymentStatus.SEEN, PaymentStatus.WAITING])
    async def test_is_what_does_not_settle_within_a_day(
        self, till: Till, status: PaymentStatus
    ) -> None:
        """Money on its way is no news for staff until it has been so for a day."""
        topup = await till.order()
        till.gateway.pay(topup, status, share="0.9", at=till.desk.clock.now())
        await till.settle(topup)
        assert await held(till, topup) is None
        till.desk.clock.advance(86_400)
        assert (await till.settle(topup)).state is TopUpState.HELD
        assert await held(till, topup) is Doubt.UNSETTLED
        till.gateway.pay(topup)
        assert (await till.settle(topup)).state is TopUpState.CREDITED
        assert await held(till, topup) is None

    @pytest.mark.parametrize("status", [*ODD, PaymentStatus.WAITING])
    async def test_is_no_invoice_without_money(self, till: Till, status: PaymentStatus) -> None:
        """A closed invoice that nobody paid waits for nobody, whatever its word.

        What a gateway keeps back has money in it.
        """
        topup = await till.order()
        till.gateway.pay(topup, status, paid=None)
        await till.settle(topup)
        assert (await held(till, topup) is not None) is (
            status in (PaymentStatus.HELD, PaymentStatus.REFUNDING)
        )


class TestResolved:
    @pytest.mark.parametrize("status", ODD)
    @pytest.mark.parametrize(
        ("end", "balance"), [(PaymentStatus.PAID, 50_000), (PaymentStatus.REFUNDED, 0)]
    )
    async def test_ends_by_itself(
        self, till: Till, status: PaymentStatus, end: PaymentStatus, balance: int
    ) -> None:
        """Once the gateway says paid it is credited, once it says refunded it is over.

        Staff need do nothing.
        """
        topup = await till.order()
        for news in (status, end, end):
            till.gateway.pay(topup, news)
            await till.settle(topup)
        assert (await held(till, topup), await till.balance()) == (None, balance)
        assert await payment_held.count(till.rt) == {}

    async def test_is_credited_by_a_persons_word_and_not_again_by_the_gateways(
        self, till: Till
    ) -> None:
        """Approved for what it is worth.

        Other odd words, and paid in the end, change nothing of it; a refund takes it back.
        """
        topup = await till.order()
        till.gateway.pay(topup, PaymentStatus.UNKNOWN, gateway_status=WORD, due=None)
        await till.settle(topup)
        with pytest.raises(InvalidInput):
            await settlement.decide(till.rt, topup.public_id, Decision.APPROVED)
        await settlement.decide(till.rt, topup.public_id, Decision.APPROVED, worth=9_000)
        for status in (
            PaymentStatus.UNKNOWN,
            PaymentStatus.FAILED,
            PaymentStatus.EXPIRED,
            PaymentStatus.PAID,
        ):
            till.gateway.pay(topup, status, due=None)
            assert (await till.settle(topup)).credited == await till.balance() == 10_000
            assert await held(till, topup) is None
        assert await till.account("clearing", PROVIDER) == -9_000
        till.gateway.pay(topup, PaymentStatus.REFUNDED)
        await till.settle(topup)
        assert [await till.balance(), await till.account("clearing", PROVIDER)] == [0, 0]

    @pytest.mark.parametrize("status", [PaymentStatus.UNKNOWN, PaymentStatus.PAID])
    async def test_is_in_doubt_again_when_the_gateway_holds_it(
        self, till: Till, status: PaymentStatus
    ) -> None:
        """What staff approved, and the gateway then keeps back, is not credited any longer and
        waits for a person again."""
        topup = await till.order()
        till.gateway.pay(topup, status, share="0.1", due=None)
        await till.settle(topup)
        await settlement.decide(till.rt, topup.public_id, Decision.APPROVED, worth=9_000)
        assert await till.balance() == 10_000
        till.gateway.pay(topup, PaymentStatus.HELD, share="0.1", due=None)
        await till.settle(topup)
        assert await held(till, topup) is Doubt.GATEWAY
        assert [await till.balance(), await till.account("clearing", PROVIDER)] == [0, 0]

    @pytest.mark.parametrize(
        ("decision", "state"),
        [(Decision.REFUSED, TopUpState.REFUSED), (Decision.RETURNED, TopUpState.REFUNDED)],
    )
    @pytest.mark.parametrize("status", ODD)
    async def test_is_written_off_by_a_persons_word(
        self, till: Till, status: PaymentStatus, decision: Decision, state: TopUpState
    ) -> None:
        """What is refused or went back is in nobody's books and waits for nobody.

        Plainly paid after all, it is credited.
        """
        topup = await till.order()
        till.gateway.pay(topup, status)
        await till.settle(topup)
        assert (await settlement.decide(till.rt, topup.public_id, decision)).state is state
        await till.settle(topup)
        assert (await held(till, topup), await till.account("clearing", PROVIDER)) == (None, 0)
        till.gateway.pay(topup)
        assert (await till.settle(topup)).credited == 50_000

    @pytest.mark.parametrize("status", [PaymentStatus.HELD, PaymentStatus.REFUNDING])
    async def test_is_never_credited_while_the_gateway_keeps_it(
        self, till: Till, status: PaymentStatus
    ) -> None:
        """Nobody's word credits money that the gateway keeps back or is sending back."""
        topup = await till.order()
        till.gateway.pay(topup, status)
        await till.settle(topup)
        with pytest.raises(StateForbids):
            await settlement.decide(till.rt, topup.public_id, Decision.APPROVED, worth=1)


class TestContradicted:
    """Paid, and then a word that does not go with it."""

    async def contradicted(
        self, till: Till, status: PaymentStatus = PaymentStatus.UNKNOWN
    ) -> TopUp:
        """A credited top-up whose gateway says an odd word since."""
        topup = await till.order()
        till.gateway.pay(topup)
        await till.settle(topup)
        till.gateway.pay(topup, status, gateway_status="partially_refunded")
        return await till.settle(topup)

    @pytest.mark.parametrize(
        "status", [PaymentStatus.UNKNOWN, PaymentStatus.FAILED, PaymentStatus.EXPIRED]
    )
    async def test_keeps_the_credit_and_asks_staff(self, till: Till, status: PaymentStatus) -> None:
        """Nothing is taken from a customer because of a word.

        Staff see it, and the gateway is asked on until it is plain again.
        """
        topup = await self.contradicted(till, status)
        assert (topup.state, await till.balance()) == (TopUpState.CREDITED, 50_000)
        assert await held(till, topup) is Doubt.STATUS
        till.gateway.pay(topup)
        till.desk.clock.advance(4_000)
        assert await till.poll() == 1
        assert await held(till, topup) is None
        till.desk.clock.advance(4_000)
        assert await till.poll() == 0

    async def test_stands_when_staff_say_so(self, till: Till) -> None:
        """Approved without a figure, what was booked stands.

        The same word again is no news, another one is.
        """
        topup = await self.contradicted(till)
        await settlement.decide(till.rt, topup.public_id, Decision.APPROVED)
        await till.settle(topup)
        assert (await held(till, topup), await till.balance()) == (None, 50_000)
        till.gateway.pay(topup, PaymentStatus.UNKNOWN, gateway_status="charged_back")
        await till.settle(topup)
        assert (await held(till, topup), await till.balance()) == (Doubt.STATUS, 50_000)

    async def test_is_worth_what_staff_say(self, till: Till) -> None:
        """Refunded in part: the rest is what staff say it is, and no more was taken back."""
        topup = await self.contradicted(till)
        await settlement.decide(till.rt, topup.public_id, Decision.APPROVED, worth=18_000)
        await till.settle(topup)
        assert [await till.balance(), await till.account("clearing", PROVIDER)] == [20_000, -18_000]

    async def test_is_written_off(self, till: Till) -> None:
        """Sent back: out of the wallet and of the books, until the gateway plainly has it again."""
        topup = await self.contradicted(till)
        await settlement.decide(till.rt, topup.public_id, Decision.RETURNED)
        till.gateway.pay(topup, PaymentStatus.UNKNOWN, gateway_status="archived")
        await till.settle(topup)
        assert [await till.balance(), await till.account("clearing", PROVIDER)] == [0, 0]
        till.gateway.pay(topup)
        assert (await till.settle(topup)).credited == 50_000


STEP = st.tuples(
    st.sampled_from(list(PaymentStatus)),
    st.sampled_from(["0.5", "1", "1.01"]),
    st.sampled_from([None, 1, 2, 3]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    steps=st.lists(STEP, max_size=8),
    end=st.sampled_from([PaymentStatus.PAID, PaymentStatus.REFUNDED]),
)
async def test_any_sequence_of_statuses_moves_money_once(
    till: Till, steps: list[tuple[PaymentStatus, str, int | None]], end: PaymentStatus
) -> None:
    """In any order, with repeats and contradictions: credited is what is plainly paid, all else
    with money in it is held, and a plain end ends every doubt."""
    topup = await till.order()
    before = await till.balance()
    start = till.desk.clock.now()
    for status, share, minute in steps:
        at = None if minute is None else start + timedelta(minutes=minute)
        news = till.gateway.pay(
            topup,
            status,
            share=share,
            at=at,
            gateway_status=f"says {status}",
            payment_id=f"p{topup.id}",
        )
        for _ in range(2):
            await settlement.take(till.rt, topup.id, [news])
        (line,) = await till.lines(topup)
        assert line.share.credit == await till.balance() - before
        assert not line.share.credit or line.line.payment.status in PLAINLY_PAID
        assert line.share.credit <= topup.amount * Decimal("1.01")
        if line.line.payment.status in ODD:
            assert line.doubt is ODD[line.line.payment.status]
    last = till.gateway.pay(
        topup, end, share="1.01", at=start + timedelta(minutes=9), payment_id=f"p{topup.id}"
    )
    await settlement.take(till.rt, topup.id, [last])
    (line,) = await till.lines(topup)
    was_refunded = PaymentStatus.REFUNDED in {line.line.payment.status, end}
    assert await till.balance() - before == (0 if was_refunded else 50_500)
    assert line.doubt is None
