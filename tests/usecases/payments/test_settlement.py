"""Settling top-ups: what the gateway says when asked becomes what the ledger holds, once."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from tests.races.processes import another
from tests.support.desk import DeskOfTest
from tests.support.gateway import PROVIDER, Till, open_till

from numdesk.domain.errors import InvalidInput, NotFound, StateForbids
from numdesk.domain.payments import judging
from numdesk.domain.payments.gateway_payments import Payment, PaymentStatus
from numdesk.domain.payments.topups import Decision, Doubt, TopUp, TopUpState
from numdesk.usecases.ledger import wallets
from numdesk.usecases.payments import settlement
from numdesk.usecases.payments import topups as payment_topups


@pytest.fixture
async def till(desk: DeskOfTest) -> Till:
    """A customer about to pay."""
    return await open_till(desk)


class TestPaid:
    """What was paid in full."""

    async def test_credits_exactly_the_amount(self, till: Till) -> None:
        """450.00 paid for 500.00 brings 500.00: the discount is frozen in the top-up, the fee is
        ours."""
        topup = await till.order(50_000)
        till.gateway.pay(topup, fee="4.50")
        assert (await till.settle(topup)).state is TopUpState.CREDITED
        assert await till.balance() == 50_000
        assert await till.account("clearing", PROVIDER) == -44_550
        assert await till.account("expense", f"fee:{PROVIDER}") == -450
        assert await till.account("expense", "topup_discount") == -5_000

    async def test_credits_once_however_often_it_is_settled(self, till: Till) -> None:
        """A repeat finds nothing left to book."""
        topup = await till.order()
        till.gateway.pay(topup)
        for _ in range(3):
            await till.settle(topup)
        assert await till.balance() == 50_000
        assert [kind for kind, _ in await till.events()] == ["payment.completed"]

    async def test_credits_once_when_many_settle_at_once(self, till: Till) -> None:
        """Two processes that settle one top-up twenty times at once book it once."""
        topup = await till.order()
        till.gateway.pay(topup)
        other = another(till.rt, till.rt.database)
        await asyncio.gather(*(settlement.settle(rt, topup.id) for rt in (till.rt, other) * 10))
        assert await till.balance() == 50_000
        assert [line.seq for line in await till.lines(topup)] == [1]

    async def test_tells_the_customer(self, till: Till) -> None:
        """The event and the history say what came, from where, and in which journal."""
        topup = await till.order()
        till.gateway.pay(topup)
        await till.settle(topup)
        ((kind, document),) = await till.events()
        (line,) = (await wallets.history(till.rt, till.caller, page=1, limit=9)).items
        assert kind == "payment.completed"
        assert document == {
            "v": 1,
            "invoice": topup.public_id,
            "provider": PROVIDER,
            "amount": 50_000,
            "final_amount": 45_000,
            "transaction": till.rt.keys.opaque_id("tx", line.id),
            "paid_at": int(till.desk.clock.now().timestamp()),
        }
        assert (line.type, line.description, line.amount) == (
            "topup",
            "Wallet top-up via Cryptomus",
            50_000,
        )
        assert line.metadata == {"provider": PROVIDER, "invoiceId": topup.public_id}

    async def test_clearing_equals_what_the_gateway_owes(self, till: Till) -> None:
        """Where the gateway says what it credits us in our currency, exactly that stands in its
        clearing account."""
        topup = await till.order()
        till.gateway.pay(topup, settled=Decimal("441.37"), settled_currency="EUR")
        await till.settle(topup)
        assert await till.account("clearing", PROVIDER) == -44_137

    async def test_gives_a_second_payment_a_credit_of_its_own(self, till: Till) -> None:
        """Who pays twice has twice; the second payment's amount may be another."""
        topup = await till.order()
        first = till.gateway.pay(topup)
        till.gateway.pay(topup, payment_id="again", parent_id=first.payment_id, share="0.5")
        await till.settle(topup)
        assert await till.balance() == 75_000


def counted_doubts() -> set[str]:
    """Returns the reasons for which payments were counted as doubtful so far."""
    found = (
        sample
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if metric.name == "numdesk_topup_doubts"
    )
    return {sample.labels["reason"] for sample in found}


class TestNotExact:
    """Too little, too much, too late, something else."""

    async def test_credits_the_part_that_was_paid(self, till: Till) -> None:
        """A third of what was due brings a third, rounded down, and never the whole."""
        topup = await till.order(10_000)
        till.gateway.pay(topup, PaymentStatus.UNDERPAID, share="0.3333333")
        assert (await till.settle(topup)).state is TopUpState.PARTLY_CREDITED
        assert await till.balance() == 3_332

    async def test_holds_dust(self, till: Till) -> None:
        """What is worth less than the limit waits for staff, and is not the customer's
        meanwhile."""
        topup = await till.order()
        till.gateway.pay(topup, PaymentStatus.UNDERPAID, share="0.001")
        assert (await till.settle(topup)).state is TopUpState.HELD
        assert (await till.lines(topup))[0].doubt is Doubt.DUST
        assert await till.balance() == 0
        assert await till.account("suspense", "unapplied") == 45

    async def test_what_is_paid_twice_is_credited_twice(self, till: Till) -> None:
        """Whether a gateway calls it one payment of twice as much or two, the customer has the
        same."""
        for topup in (await till.order(), await till.order()):
            first = till.gateway.pay(topup, share="2" if await till.balance() == 0 else "1")
            if first.paid == first.due:
                till.gateway.pay(topup, payment_id="again", parent_id=first.payment_id)
            assert (await till.settle(topup)).credited == 100_000
        assert await till.account("suspense", "unapplied") == 0

    @pytest.mark.parametrize(
        ("decision", "credited", "apart"),
        [(Decision.APPROVED, 75_000, 0), (Decision.REFUSED, 55_000, 18_000)],
    )
    async def test_keeps_what_is_far_too_much_apart(
        self, till: Till, decision: Decision, credited: int, apart: int
    ) -> None:
        """What goes beyond the operator's limit belongs to nobody until a person says whose it is.

        What is below stays the customer's.
        """
        till.rt.settings = replace(till.rt.settings, topup_overpaid_bp=1_000)
        topup = await till.order()
        till.gateway.pay(topup, share="1.5")
        assert (await till.settle(topup)).state is TopUpState.CREDITED
        assert [line.doubt for line in await till.lines(topup)] == [Doubt.OVERPAID]
        assert [one.id for one in await payment_topups.listed(till.rt, doubtful=True)] == [topup.id]
        assert (await till.balance(), await till.account("suspense", "unapplied")) == (
            55_000,
            67_500 - 49_500,
        )
        await settlement.decide(till.rt, topup.public_id, decision)
        await till.settle(topup)
        assert [line.doubt for line in await till.lines(topup)] == [None]
        assert (await till.balance(), await till.account("suspense", "unapplied")) == (
            credited,
            apart,
        )

    @pytest.mark.parametrize("is_refused_first", [False, True])
    async def test_writes_off_the_excess_alone(self, till: Till, is_refused_first: bool) -> None:
        """When what was too much has gone back to the payer it leaves the books, and what was
        credited stays the customer's."""
        till.rt.settings = replace(till.rt.settings, topup_overpaid_bp=1_000)
        topup = await till.order()
        till.gateway.pay(topup, share="1.5")
        await till.settle(topup)
        if is_refused_first:
            await settlement.decide(till.rt, topup.public_id, Decision.REFUSED)
        assert (
            await settlement.decide(till.rt, topup.public_id, Decision.RETURNED)
        ).state is TopUpState.CREDITED
        await till.settle(topup)
        assert [line.doubt for line in await till.lines(topup)] == [None]
        assert (await till.balance(), await till.account("suspense", "unapplied")) == (55_000, 0)
        assert await till.account("clearing", PROVIDER) == -49_500
        with pytest.raises(NotFound):
            await settlement.decide(till.rt, topup.public_id, Decision.RETURNED)

    async def test_writes_off_no_payment_by_chance(self, till: Till) -> None:
        """Where one payment is held and another was refused, a write-off must name which of them
        went back."""
        till.rt.settings = replace(till.rt.settings, topup_overpaid_bp=1_000)
        topup = await till.order()
        till.gateway.pay(topup, share="1.5", payment_id="refused")
        await till.settle(topup)
        await settlement.decide(till.rt, topup.public_id, Decision.REFUSED)
        till.gateway.pay(topup, share="2", payment_id="held")
        await till.settle(topup)
        with pytest.raises(InvalidInput):
            await settlement.decide(till.rt, topup.public_id, Decision.RETURNED)
        await settlement.decide(till.rt, topup.public_id, Decision.RETURNED, payment_id="refused")
        assert [
            (line.line.payment.payment_id, line.doubt, line.share.suspense > 0)
            for line in await till.lines(topup)
        ] == [
            ("refused", None, False),
            ("held", Doubt.OVERPAID, True),
        ]

    async def test_writes_off_what_was_refused_before(self, till: Till) -> None:
        """What was refused stays apart until a person says that it went back."""
        till.rt.settings = replace(till.rt.settings, topup_underpaid=False)
        topup = await till.order()
        till.gateway.pay(topup, PaymentStatus.UNDERPAID, share="0.5")
        await till.settle(topup)
        await settlement.decide(till.rt, topup.public_id, Decision.REFUSED)
        assert await till.account("suspense", "unapplied") == 22_500
        assert (
            await settlement.decide(till.rt, topup.public_id, Decision.RETURNED)
        ).state is TopUpState.REFUNDED
        assert [
            await till.account("suspense", "unapplied"),
            await till.account("clearing", PROVIDER),
            await till.balance(),
        ] == [0, 0, 0]

    async def test_gives_too_little_the_discount_that_it_reaches(self, till: Till) -> None:
        """Where the operator wants it so, who orders 5,000 and pays 95 has the discount of 100, and
        not that of 5,000."""
        frozen = await till.order(500_000)
        till.rt.settings = replace(till.rt.settings, topup_partial_discount="reached")
        reached = await till.order(500_000)
        for topup in (frozen, reached):
            till.gateway.pay(topup, PaymentStatus.UNDERPAID, paid=Decimal(95), due=Decimal(4_250))
        assert (await till.settle(frozen)).credited == 9_500 * 100 // 85
        assert (await till.settle(reached)).credited == 10_000

    @pytest.mark.parametrize(
        "facts",
        [
            {"paid": Decimal("1e29")},
            {"due": Decimal("1e-29")},
            {"wrong_asset": True, "settled": Decimal("1e29"), "settled_currency": "EUR"},
            {"paid": Decimal("1e99"), "fee": "-1e99"},
        ],
    )
    async def test_doubts_what_no_wallet_holds(self, till: Till, facts: dict[str, object]) -> None:
        """Absurd numbers are a doubt like any other, and no error.

        A person may say what they are worth.
        """
        topup = await till.order()
        till.gateway.pay(topup, **facts)  # type: ignore[arg-type] - fields by name
        assert (await till.settle(topup)).state is TopUpState.HELD
        assert await till.balance() == 0
        await settlement.decide(till.rt, topup.public_id, Decision.APPROVED, worth=45_000)
        assert await till.balance() == 50_000

    async def test_credits_nothing_for_a_part_that_may_grow(self, till: Till) -> None:
        """Underpaid but still open is not settled: nothing is credited yet."""
        topup = await till.order()
        till.gateway.pay(topup, PaymentStatus.WAITING, share="0.9")
        assert (await till.settle(topup)).state is TopUpState.UNDERPAID
        assert await till.balance() == 0

    async def test_credits_a_late_payment_within_grace(self, till: Till) -> None:
        """An invoice that was over gets its credit at its rate within the grace, and the customer
        hears both news."""
        topup = await till.order()
        till.desk.clock.advance(7_200)
        assert (await till.settle(topup)).state is TopUpState.EXPIRED
        till.gateway.pay(topup, at=till.desk.clock.now())
        assert (await till.settle(topup)).state is TopUpState.CREDITED
        assert [kind for kind, _ in await till.events()] == ["payment.failed", "payment.completed"]

    async def test_credits_a_very_late_payment_by_its_outcome(self, till: Till) -> None:
        """After the grace the rate is gone: what the gateway made of the money counts, and without
        that a person decides."""
        topup, other = await till.order(), await till.order()
        at = till.desk.clock.now() + timedelta(days=3)
        till.gateway.pay(topup, at=at, settled=Decimal("300.00"), settled_currency="EUR")
        till.gateway.pay(other, at=at)
        assert (await till.settle(topup)).credited == 33_333
        assert (await till.settle(other)).state is TopUpState.HELD

    async def test_waits_for_staff_when_another_coin_came(self, till: Till) -> None:
        """A wrong asset is credited only after somebody said so, for what the gateway made of
        it."""
        topup = await till.order()
        till.gateway.pay(topup, wrong_asset=True, settled=Decimal("90.00"), settled_currency="EUR")
        assert (await till.settle(topup)).state is TopUpState.HELD
        done = await settlement.decide(till.rt, topup.public_id, Decision.APPROVED)
        assert (done.state, done.credited, await till.balance()) == (
            TopUpState.PARTLY_CREDITED,
            10_000,
            10_000,
        )

    @pytest.mark.parametrize(
        ("facts", "doubt"),
        [
            ({"currency": "USD"}, Doubt.CURRENCY),
            ({"amount": Decimal("1.00")}, Doubt.AMOUNT),
            ({"reference": "inv_somebody"}, Doubt.REFERENCE),
            ({"paid": None}, Doubt.NO_AMOUNTS),
            ({"due": Decimal(0)}, Doubt.NO_AMOUNTS),
            ({"status": PaymentStatus.HELD}, Doubt.GATEWAY),
        ],
    )
    async def test_quarantines_what_does_not_fit(
        self, till: Till, facts: dict[str, object], doubt: Doubt
    ) -> None:
        """Another currency, amount or reference than ours, or no amounts at all: nothing is
        credited, staff is told."""
        topup = await till.order()
        till.gateway.pay(topup, **facts)  # type: ignore[arg-type] - fields by name
        assert (await till.settle(topup)).state is TopUpState.HELD
        assert (await till.lines(topup))[0].doubt is doubt
        assert await till.balance() == 0

    async def test_gives_a_payment_to_the_top_up_that_it_names(self, till: Till) -> None:
        """News about one top-up that hold the payment of another leave it to that one."""
        mine, others = await till.order(), await till.order()
        told = till.gateway.pay(others)
        await settlement.take(till.rt, mine.id, [told])
        assert await till.lines(mine) == []
        payload = await till.desk.pool.fetchval(
            "select payload::text from jobs where kind = 'payments.settle'"
        )
        assert payload is not None
        await till.settle(others)
        assert await till.balance() == 50_000


class TestTakenBack:
    """Refunds and locks after the credit."""

    async def test_a_refund_takes_everything_back(self, till: Till) -> None:
        """Every account stands as before the payment, and the customer is told."""
        topup = await till.order()
        till.gateway.pay(topup, fee="1.00")
        await till.settle(topup)
        till.gateway.pay(topup, PaymentStatus.REFUNDED)
        assert (await till.settle(topup)).state is TopUpState.REFUNDED
        assert await till.balance() == 0
        assert await till.account("clearing", PROVIDER) == 0
        assert [kind for kind, _ in await till.events()] == ["payment.completed", "payment.failed"]

    async def test_what_was_spent_is_owed(self, till: Till) -> None:
        """A wallet is never silently negative: what it lacks is a claim on the customer, who may
        spend nothing more."""
        topup = await till.order()
        till.gateway.pay(topup)
        await till.settle(topup)
        await till.spend(49_000)
        till.gateway.pay(topup, PaymentStatus.REFUNDED)
        await till.settle(topup)
        assert await till.balance() == 0
        assert await till.account("receivable", f"customer:{till.caller.customer_id}") == -49_000
        assert (
            await till.desk.pool.fetchval(
                "select state from customers where id = $1", till.caller.customer_id
            )
            == 2
        )
        assert "spent" in counted_doubts()
        assert not [
            reason for reason in counted_doubts() if any(letter.isdigit() for letter in reason)
        ]

    async def test_what_is_owed_can_be_collected(self, till: Till) -> None:
        """Once the wallet has money again, staff takes what is owed, and no more."""
        topup = await till.order()
        till.gateway.pay(topup)
        await till.settle(topup)
        await till.spend(50_000)
        till.gateway.pay(topup, PaymentStatus.REFUNDED)
        await till.settle(topup)
        await wallets.adjust(
            till.rt,
            customer_id=till.caller.customer_id,
            currency="EUR",
            units=20_000,
            reason_ref="cash",
        )
        assert [await settlement.collect(till.rt, topup.public_id) for _ in range(2)] == [20_000, 0]
        assert await till.account("receivable", f"customer:{till.caller.customer_id}") == -30_000

    async def test_a_lock_that_is_lifted_gives_the_credit_again(self, till: Till) -> None:
        """Held after the credit is taken back, released is credited once more.

        What was owed is paid first.
        """
        topup = await till.order()
        for status in (PaymentStatus.PAID, PaymentStatus.HELD, PaymentStatus.PAID):
            till.gateway.pay(topup, status)
            await till.settle(topup)
            if (
                await till.balance() == 50_000
                and status is PaymentStatus.PAID
                and (await till.lines(topup))[0].seq == 1
            ):
                await till.spend(10_000)
        assert await till.balance() == 40_000
        assert await till.account("receivable", f"customer:{till.caller.customer_id}") == 0

    async def test_a_credit_outlives_an_edited_invoice(self, till: Till) -> None:
        """What was credited is not taken back because the gateway suddenly names another amount.

        The comparison tells of it.
        """
        topup = await till.order()
        till.gateway.pay(topup)
        await till.settle(topup)
        till.gateway.pay(topup, amount=Decimal("1.00"))
        assert (await till.settle(topup)).credited == 50_000


class TestDecide:
    """What staff says to a doubt."""

    async def test_refuses_what_the_gateway_holds(self, till: Till) -> None:
        """Money that the gateway keeps cannot be credited by a word."""
        topup = await till.order()
        till.gateway.pay(topup, PaymentStatus.HELD)
        await till.settle(topup)
        with pytest.raises(StateForbids):
            await settlement.decide(till.rt, topup.public_id, Decision.APPROVED)

    async def test_wants_to_know_what_a_stranger_is_worth(self, till: Till) -> None:
        """A payment of another currency has no worth that we can tell.

        Given one, it is credited for that.
        """
        topup = await till.order()
        till.gateway.pay(topup, currency="USD")
        await till.settle(topup)
        with pytest.raises(InvalidInput):
            await settlement.decide(till.rt, topup.public_id, Decision.APPROVED)
        done = await settlement.decide(till.rt, topup.public_id, Decision.APPROVED, worth=45_000)
        assert (done.state, done.credited) == (TopUpState.CREDITED, 50_000)

    async def test_a_refusal_keeps_the_money_apart(self, till: Till) -> None:
        """Refused money is not the customer's, yet it is at the gateway, and the books say both.

        It is not asked about again.
        """
        topup = await till.order()
        till.gateway.pay(topup, PaymentStatus.UNDERPAID, share="0.001")
        await till.settle(topup)
        assert (
            await settlement.decide(till.rt, topup.public_id, Decision.REFUSED)
        ).state is TopUpState.REFUSED
        assert (await till.settle(topup)).state is TopUpState.REFUSED
        assert await till.account("clearing", PROVIDER) == -45
        with pytest.raises(NotFound):
            await settlement.decide(till.rt, topup.public_id, Decision.APPROVED)

    @pytest.mark.parametrize("decision", list(Decision))
    async def test_a_decision_is_about_the_money_that_was_there(
        self, till: Till, decision: Decision
    ) -> None:
        """A word about a thousandth of what is due says nothing of the rest: once that has come, it
        is credited as ever."""
        topup = await till.order(50_000)
        till.gateway.pay(topup, PaymentStatus.UNDERPAID, share="0.001")
        await till.settle(topup)
        await settlement.decide(till.rt, topup.public_id, decision)
        till.gateway.pay(topup)
        assert (await till.settle(topup)).state is TopUpState.CREDITED
        assert await till.balance() == 50_000

    async def test_what_grows_into_another_doubt_is_doubted_anew(self, till: Till) -> None:
        """A refusal of little is none of more, and staff are asked again."""
        topup = await till.order(50_000)
        till.gateway.pay(topup, share="0.5", wrong_asset=True)
        await till.settle(topup)
        await settlement.decide(till.rt, topup.public_id, Decision.REFUSED)
        till.gateway.pay(topup, share="0.6", wrong_asset=True)
        await till.settle(topup)
        (line,) = await till.lines(topup)
        assert (line.doubt, line.line.decision) == (Doubt.WRONG_ASSET, None)


NEWS = (
    (PaymentStatus.SEEN, "1"),
    (PaymentStatus.UNDERPAID, "0.6"),
    (PaymentStatus.PAID, "1"),
    (PaymentStatus.PAID, "1"),
    (PaymentStatus.PAID, "1.05"),
    (PaymentStatus.REFUNDED, "1.05"),
)


def told(till: Till, topup: TopUp, news: tuple[PaymentStatus, str]) -> Payment:
    """Returns one answer of the gateway."""
    return till.gateway.pay(topup, news[0], share=news[1])


@pytest.mark.timeout(120)
async def test_every_order_of_news_ends_alike(till: Till) -> None:
    """Seen, under, paid, paid, over, refund: in each of the 720 orders the refund has the last
    word, and without it the over-payment."""
    for with_refund, end in (
        (True, (0, TopUpState.REFUNDED)),
        (False, (52_500, TopUpState.CREDITED)),
    ):
        for order in sorted(set(itertools.permutations(NEWS if with_refund else NEWS[:-1]))):
            topup = await till.order()
            for news in order:
                await settlement.take(till.rt, topup.id, [told(till, topup, news)])
            found = await till.read(topup)
            assert (found.credited, found.state) == end, order
    total = sum(
        [
            await till.account("clearing", PROVIDER),
            await till.account("expense", "topup_discount"),
            await till.balance(),
        ]
    )
    assert total == 0


STEP = st.tuples(
    st.sampled_from(list(PaymentStatus)),
    st.integers(0, 200),
    st.sampled_from(["one", "two"]),
    st.booleans(),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(steps=st.lists(STEP, max_size=12), amount=st.integers(500, 200_000))
async def test_credits_are_what_was_confirmed(
    till: Till, steps: list[tuple[PaymentStatus, int, str, bool]], amount: int
) -> None:
    """Whatever a gateway says in whatever order, credits are the sum over its payments of what each
    confirmed one is worth, never more."""
    topup = await till.order(amount)
    before = await till.balance()
    for status, percent, payment_id, races in steps:
        news = till.gateway.pay(
            topup, status, share=Decimal(percent) / 100, payment_id=f"{payment_id}{topup.id}"
        )
        await asyncio.gather(
            *(settlement.take(till.rt, topup.id, [news]) for _ in range(2 if races else 1))
        )
    lines = await till.lines(topup)
    worth = sum(judging.judge(topup, one.line).share.credit for one in lines)
    fair = Decimal(0)
    for one in lines:
        if one.share.credit:
            payment = one.line.payment
            assert payment.paid is not None
            assert payment.due is not None
            fair += topup.amount * payment.paid / payment.due
    credited = (await till.read(topup)).credited
    assert (
        credited == worth == await till.balance() - before == sum(one.share.credit for one in lines)
    )
    assert credited <= fair + 2 * len(lines)
    assert all(
        one.line.payment.status in (PaymentStatus.PAID, PaymentStatus.UNDERPAID)
        for one in lines
        if one.share.credit
    )
