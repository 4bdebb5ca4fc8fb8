"""The comparison with a gateway finds every lie and is silent about the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from tests.support.desk import DeskOfTest
from tests.support.gateway import PROVIDER, Till, open_till

from numdesk.domain.payments.audit import Difference, Fault
from numdesk.domain.payments.gateway_payments import Payment, PaymentStatus
from numdesk.domain.payments.topups import TopUp
from numdesk.ports.errors import Cause, ProviderError
from numdesk.runtime import Runtime
from numdesk.usecases.payments import audit, settlement

HONEST = 10_000


@pytest.fixture
async def till(desk: DeskOfTest) -> Till:
    """A customer who has paid once."""
    return await open_till(desk)


async def paid(till: Till, **facts: object) -> tuple[TopUp, Payment]:
    """A top-up that was paid and settled at the desk's now."""
    topup = await till.order()
    told = till.gateway.pay(topup, fee="4.50", at=till.desk.clock.now(), **facts)  # type: ignore[arg-type] - fields by name
    await till.settle(topup)
    return topup, told


async def compare(till: Till) -> list[Difference]:
    """Compares the day around now."""
    now = till.desk.clock.now()
    return await audit.compare(
        till.rt, since=now - timedelta(days=1), until=now + timedelta(days=1)
    )


Lie = Callable[[Payment, Payment], list[Payment]]


def told_as(**facts: object) -> Lie:
    """The list says something else of the payment."""
    return lambda truth, _: [replace(truth, **facts)]


LIES: dict[str, tuple[Lie, Fault]] = {
    "paid more": (told_as(paid=Decimal("777.000001")), Fault.FACTS),
    "paid less": (told_as(paid=Decimal("0.01")), Fault.FACTS),
    "paid nothing said": (told_as(paid=None), Fault.FACTS),
    "due something else": (told_as(due=Decimal(1)), Fault.FACTS),
    "another amount": (told_as(amount=Decimal("1.00")), Fault.FACTS),
    "another currency": (told_as(currency="USD"), Fault.FACTS),
    "another coin": (told_as(payer_currency="BTC"), Fault.FACTS),
    "another fee": (told_as(fee=Decimal("9.99")), Fault.FACTS),
    "another outcome": (told_as(settled=Decimal("1.00"), settled_currency="EUR"), Fault.FACTS),
    "another invoice": (told_as(invoice_id="g-other"), Fault.FACTS),
    "another top-up of ours": (
        lambda truth, other: [replace(truth, reference=other.reference)],
        Fault.FACTS,
    ),
    "nobody's reference": (told_as(reference="inv_nobody"), Fault.FACTS),
    "a wrong asset": (told_as(wrong_asset=True), Fault.FACTS),
    "a repeated payment": (told_as(parent_id="p-first"), Fault.FACTS),
    "refunded": (told_as(status=PaymentStatus.REFUNDED), Fault.FACTS),
    "held": (told_as(status=PaymentStatus.HELD), Fault.FACTS),
    "never paid": (told_as(status=PaymentStatus.WAITING, paid=None), Fault.FACTS),
    "listed twice": (lambda truth, _: [truth, replace(truth, paid=Decimal(1))], Fault.TWICE),
    "money for nobody": (
        lambda truth, _: [truth, replace(truth, payment_id="p-x", reference="inv_nobody")],
        Fault.UNOWNED,
    ),
    "a payment that we never heard of": (
        lambda truth, _: [truth, replace(truth, payment_id="p-y")],
        Fault.UNHEARD,
    ),
    "no such payment": (lambda _truth, _other: [], Fault.MISSING),
}


KINDS = (
    ("1", PaymentStatus.PAID),
    ("0.5", PaymentStatus.UNDERPAID),
    ("1.3", PaymentStatus.PAID),
    ("1", PaymentStatus.REFUNDED),
)

#: Copies of a top-up: every name of the model has its public id in it, and that of a copy ends with
#: its number.
COPIES = (
    """insert into topups (public_id, customer_id, dialect, provider, currency, amount,
        final_amount, discount_bp, policy, state, credited,
                           invoice_id, created_at, expires_at)
       select public_id || '-' || n, customer_id, dialect, provider, currency, amount,
         final_amount, discount_bp, policy, state, credited,
              invoice_id || '-' || n, created_at, expires_at
         from topups, generate_series(1, $2::int) n where public_id = $1""",
    """insert into topup_payments (topup_id, provider, payment_id, facts, changed_at, seen_at,
        heard_at, credit, received, fee, suspense,
                                   owed, seq)
       select t.id, p.provider, p.payment_id || '-' || n, replace(p.facts::text, $1,
         $1 || '-' || n)::jsonb, p.changed_at, p.seen_at,
              p.heard_at, p.credit, p.received, p.fee, p.suspense, p.owed, p.seq
         from generate_series(1, $2::int) n join topups t on t.public_id = $1 || '-' || n
         join topup_payments p on p.payment_id like '%' || $1""",
    """insert into journals (reason, ref, at) select reason, replace(ref, $1, $1 || '-' || n), at
         from journals, generate_series(1, $2::int) n where ref like '%' || $1 || ':%'""",
    """insert into transfers (journal_id, debit_id, credit_id, amount, currency)
       select c.id, t.debit_id, t.credit_id, t.amount, t.currency
         from journals j join transfers t on t.journal_id = j.id cross
           join generate_series(1, $2::int) n
         join journals c on c.ref = replace(j.ref, $1, $1 || '-' || n) and c.reason = j.reason
         where j.ref like '%' || $1 || ':%' order by t.id, n""",
)


class TestCompare:
    """What the gateway lists against what we have."""

    @pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
    async def test_finds_every_lie(self, till: Till, lie: tuple[Lie, Fault]) -> None:
        """Each lie is found and named with the top-up that it is about."""
        topup, truth = await paid(till)
        _, other = await paid(till)
        till.gateway.listed = [*lie[0](truth, other), other]
        if lie[1] is Fault.MISSING:
            del till.gateway.truth[truth.payment_id]
        found = await compare(till)
        assert lie[1] in {one.fault for one in found}
        named = {one.invoice for one in found if one.fault is lie[1]}
        assert named == ({None} if lie[1] is Fault.UNOWNED else {topup.public_id})
        assert all(other.reference != one.invoice for one in found)

    async def test_finds_money_that_was_credited_without_a_payment(self, till: Till) -> None:
        """A payment row whose amounts were touched no longer comes to what its facts are worth, nor
        to the ledger."""
        topup, _ = await paid(till)
        await till.desk.pool.execute("update topup_payments set credit = credit + 1")
        (one,) = await compare(till)
        assert (one.fault, one.invoice) == (Fault.BOOKS, topup.public_id)
        await till.desk.pool.execute(
            "update topup_payments set credit = credit - 1"
        )  # the ledger's own check would tell, too

    async def test_asks_again_before_it_calls_a_payment_missing(self, till: Till) -> None:
        """A list that goes by other times than ours is no lie: what is not in it is asked for by
        itself."""
        await paid(till)
        till.gateway.listed = []
        assert await compare(till) == []

    async def test_says_nothing_of_invoices_without_money(self, till: Till) -> None:
        """An invoice that waits, or expired unpaid, is not ours to know."""
        till.gateway.pay(await till.order(), PaymentStatus.WAITING, paid=None)
        assert await compare(till) == []

    async def test_changes_nothing(self, till: Till) -> None:
        """Comparing is looking."""
        topup, truth = await paid(till)
        till.gateway.truth[truth.payment_id] = replace(truth, status=PaymentStatus.REFUNDED)
        assert await compare(till)
        assert (await till.read(topup)).credited == 50_000

    @pytest.mark.timeout(120)
    async def test_is_silent_about_ten_thousand_honest_payments(self, till: Till) -> None:
        """Paid exactly, too little and too much, refunded after the credit: none of them differs,
        and one lie among them is found."""
        for share, status in KINDS:
            topup = await till.order()
            for known in (
                [status] if status is not PaymentStatus.REFUNDED else [PaymentStatus.PAID, status]
            ):
                told = till.gateway.pay(
                    topup, known, share=share, fee="1.00", at=till.desk.clock.now()
                )
                await settlement.take(till.rt, topup.id, [told])
            await multiply(till, topup, HONEST // len(KINDS) - 1)
        assert len(till.gateway.truth) == HONEST
        assert await compare(till) == []
        victim = sorted(till.gateway.truth)[HONEST // 2]
        till.gateway.truth[victim] = replace(till.gateway.truth[victim], paid=Decimal(1))
        assert [one.payment_id for one in await compare(till)] == [victim]


class TestAuditDue:
    """The nightly run."""

    async def test_looks_once_a_day_and_writes_down_what_it_found(self, till: Till) -> None:
        """Whichever process comes first.

        What the gateway knew and we did not is settled on the way.
        """
        topup, truth = await paid(till)
        till.gateway.truth[truth.payment_id] = replace(truth, status=PaymentStatus.REFUNDED)
        till.desk.clock.advance(60)
        assert [await audit.audit_due(till.rt, provider=PROVIDER) for _ in range(2)] == [1, 0]
        assert (await till.read(topup)).credited == 0
        (row,) = await till.desk.pool.fetch("select checked, differences::text from payment_audits")
        assert row["checked"] == 1
        assert topup.public_id in row["differences"]
        till.desk.clock.advance(86_400)
        assert await audit.audit_due(till.rt, provider=PROVIDER) == 1
        assert (
            await till.desk.pool.fetchval(
                "select differences::text from payment_audits order by id desc limit 1"
            )
            == "[]"
        )

    async def test_one_that_nobody_can_settle_does_not_stop_the_others(
        self, till: Till, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whatever one answer breaks, the night's other news are booked and the comparison is
        done."""
        (first, one), (second, other) = await paid(till), await paid(till)
        for truth in (one, other):
            till.gateway.truth[truth.payment_id] = replace(truth, status=PaymentStatus.REFUNDED)
        settle = settlement.settle

        async def breaks(rt: Runtime, topup_id: int, *, payment_ids: list[str]) -> None:
            if topup_id == first.id:
                raise ArithmeticError
            await settle(rt, topup_id, payment_ids=payment_ids)

        monkeypatch.setattr(settlement, "settle", breaks)
        till.desk.clock.advance(60)
        assert await audit.audit_due(till.rt, provider=PROVIDER) == 1
        assert ((await till.read(first)).credited, (await till.read(second)).credited) == (
            50_000,
            0,
        )

    async def test_asks_nobody_before_the_first_top_up(self, till: Till) -> None:
        """A desk that never took a payment has nothing to compare."""
        assert await audit.audit_due(till.rt, provider=PROVIDER) == 0

    async def test_comes_back_when_the_gateway_was_away(self, till: Till) -> None:
        """A night without an answer is no night without differences."""
        await paid(till)
        till.gateway.failures.append(ProviderError(Cause.PROVIDER_UNAVAILABLE, "no connection"))
        assert [await audit.audit_due(till.rt, provider=PROVIDER) for _ in range(2)] == [0, 1]


async def multiply(till: Till, model: TopUp, count: int) -> None:
    """Makes so many copies of a settled top-up, with its payment and journals, and of what the
    gateway knows of it."""
    for statement in COPIES:
        await till.desk.pool.execute(statement, model.public_id, count)
    (truth,) = [one for one in till.gateway.truth.values() if one.reference == model.public_id]
    for n in range(1, count + 1):
        names = (f"{name}-{n}" for name in (truth.payment_id, truth.invoice_id, truth.reference))
        payment_id, invoice_id, reference = names
        till.gateway.truth[payment_id] = replace(
            truth, payment_id=payment_id, invoice_id=invoice_id, reference=reference
        )
