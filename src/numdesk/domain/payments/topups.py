"""A wallet's top-up: its price, what each payment for it is worth to the customer, and the states
it goes through.

Amounts are minor units of the wallet's currency; discounts are basis points (hundredths of a
percent). The discount and the operator's rules are frozen in the top-up: a credit must not change
because a setting does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum
from fractions import Fraction

from numdesk.domain.money import AMOUNT_MAX, DECIMALS, floor_for_customer, half_up
from numdesk.domain.payments.gateway_payments import (
    KEPT_BACK,
    ODD,
    OPEN,
    PLAINLY_PAID,
    UNDER_WAY,
    Payment,
    PaymentStatus,
    has_money,
)

#: One hundred percent.
WHOLE_BP = 10_000
#: Money that a gateway has seen is settled within this; later, staff look at it.
SETTLING_MAX = timedelta(days=1)
#: A discount above this is a slip of the operator.
DISCOUNT_MAX_BP = 5_000


class TopUpState(IntEnum):
    """The state of a top-up. The numbers are stored."""

    CREATED = 0  # wanted; the gateway has not given an invoice yet
    AWAITING = 1
    SEEN = 2
    UNDERPAID = 3  # some money came, more may come, nothing is credited yet
    CREDITED = 4
    PARTLY_CREDITED = 5
    EXPIRED = 6
    FAILED = 7
    HELD = 8  # money is there, but the gateway or a rule of ours keeps it from the customer
    REFUNDED = 9  # it went back to the payer, or never became ours
    REFUSED = 10  # staff decided against it


_BEGUN = frozenset({TopUpState.SEEN, TopUpState.UNDERPAID})
_ENDED = frozenset({TopUpState.EXPIRED, TopUpState.FAILED})
_DECIDED = frozenset(
    {
        TopUpState.CREDITED,
        TopUpState.PARTLY_CREDITED,
        TopUpState.HELD,
        TopUpState.REFUNDED,
        TopUpState.REFUSED,
    }
)

#: What may follow: never back to before the money came. From credited only to taken back; a further
#: deposit may follow anything.
MOVES: Mapping[TopUpState, frozenset[TopUpState]] = {
    TopUpState.CREATED: _BEGUN | _ENDED | _DECIDED | {TopUpState.AWAITING},
    TopUpState.AWAITING: _BEGUN | _ENDED | _DECIDED,
    TopUpState.SEEN: _ENDED | _DECIDED | {TopUpState.UNDERPAID},
    TopUpState.UNDERPAID: _DECIDED,
    TopUpState.EXPIRED: _BEGUN | _DECIDED | {TopUpState.FAILED},
    TopUpState.FAILED: _BEGUN | _DECIDED | {TopUpState.EXPIRED},
    TopUpState.CREDITED: frozenset(
        {TopUpState.PARTLY_CREDITED, TopUpState.HELD, TopUpState.REFUNDED}
    ),
    TopUpState.PARTLY_CREDITED: frozenset(
        {TopUpState.CREDITED, TopUpState.HELD, TopUpState.REFUNDED}
    ),
    TopUpState.HELD: _DECIDED - {TopUpState.HELD},
    TopUpState.REFUNDED: _DECIDED - {TopUpState.REFUNDED},
    TopUpState.REFUSED: _DECIDED - {TopUpState.REFUSED},
}

#: Nothing more is expected: polling ends, callbacks and the nightly audit still count.
SETTLED = frozenset({TopUpState.CREDITED, TopUpState.REFUNDED, TopUpState.REFUSED})


class Doubt(StrEnum):
    """Why a payment waits for a person. The words are stored."""

    GATEWAY = "gateway"  # the gateway holds it, or is sending it back
    STATUS = "status"  # there is money, and the gateway's word for it is unknown, failed, expired, or contradicts an earlier one
    UNSETTLED = "unsettled"  # there is money, and the gateway has not settled it for a day
    REFERENCE = "reference"  # it is for another reference than ours
    INVOICE = "invoice"  # or for another invoice
    CURRENCY = "currency"  # it was asked in another currency
    AMOUNT = "amount"  # or another amount was asked
    WRONG_ASSET = "wrong_asset"
    LATE = "late"
    NO_AMOUNTS = "no_amounts"  # settled, the gateway says, but not how much of what
    UNDERPAID = "underpaid"
    DUST = "dust"
    OVERPAID = "overpaid"  # so much too much that the rest is kept apart


#: Doubts that the gateway may end by itself: it is asked on, whatever else of the top-up is
#: settled.
OPEN_AT_GATEWAY = frozenset({Doubt.GATEWAY, Doubt.STATUS, Doubt.UNSETTLED})


class Decision(StrEnum):
    """The decision of staff on a doubt. The words are stored."""

    APPROVED = "approved"
    REFUSED = "refused"
    RETURNED = (
        "returned"  # it, or its excess, went back to the payer, whatever the gateway's status says
    )


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's rules, frozen in each top-up: the over-payment that goes to the customer (the
    rest is kept apart), the least worth crediting, whether an under-payment is credited at all, and
    how long after its end an invoice's rate still holds. `tiers` are the discounts that count for
    an under-payment, by the amount it reaches; none for the top-up's own."""

    overpaid_bp: int = 1_000_000
    dust: int = 100
    credits_underpaid: bool = True
    late_grace: timedelta = timedelta(hours=24)
    tiers: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class TopUp:
    """One top-up: `amount` is what the customer gets for `final_amount`.

    The public id is also the reference that the gateway knows.
    """

    id: int
    public_id: str
    customer_id: int
    dialect: str
    provider: str
    currency: str
    amount: int
    final_amount: int
    discount_bp: int
    state: TopUpState
    created_at: datetime
    invoice_id: str | None = None
    payment_url: str | None = None
    expires_at: datetime | None = None
    credited: int = 0
    policy: Policy = Policy()

    @property
    def discount(self) -> int:
        """The discount of the customer."""
        return self.amount - self.final_amount

    @property
    def credit_max(self) -> int:
        """The most that one payment may bring, however much was paid."""
        return self.amount * (WHOLE_BP + self.policy.overpaid_bp) // WHOLE_BP


@dataclass(frozen=True, slots=True)
class Share:
    """The booked share of one payment: the customer's `credit`, the amount before the gateway's
    `fee`, and the part that is kept apart."""

    credit: int = 0
    received: int = 0
    fee: int = 0
    suspense: int = 0

    @property
    def net(self) -> int:
        """The amount that the gateway owes us for it."""
        return self.received - self.fee

    @property
    def discount(self) -> int:
        """The discount beside the payment."""
        return self.credit - (self.received - self.suspense)


NOTHING = Share()


@dataclass(frozen=True, slots=True)
class Line:
    """A payment of a top-up as we know it.

    `seen_at` is when its money was first seen, by the gateway's watch; `worth` what staff said it
    is worth when they approved it, or what it was worth when they decided about no more than its
    excess.
    """

    payment: Payment
    seen_at: datetime | None = None
    decision: Decision | None = None
    worth: int | None = None

    def with_news(self, payment: Payment, *, seen_at: datetime | None) -> Line:
        """Return the facts once the gateway has told newer ones.

        A person decided about the money that was there then, so where that is another now, their
        decision counts no more.
        """
        is_same = _money_of(payment) == _money_of(self.payment) or self._is_settling(payment)
        still_decided = is_same and not self._is_back(payment)
        return (
            replace(self, payment=payment, seen_at=seen_at)
            if still_decided
            else Line(payment, seen_at)
        )

    def _is_settling(self, payment: Payment) -> bool:
        """Do the gateway settle the very money that a person has approved before?"""
        was_open = self.decision is Decision.APPROVED and self.payment.status in OPEN
        return was_open and payment.status in PLAINLY_PAID and payment.paid == self.payment.paid

    def _is_back(self, payment: Payment) -> bool:
        """Do the gateway say by another word, and plainly, that it has the money that a person took
        for returned?"""
        is_plain = payment.status in PLAINLY_PAID and not payment.contradicted
        return (
            self.decision is Decision.RETURNED
            and is_plain
            and payment.gateway_status != self.payment.gateway_status
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """The share of a payment to book now, and the doubt that keeps the rest for a person."""

    share: Share
    doubt: Doubt | None = None


def discount_for(amount: int, *, tiers: Mapping[int, int]) -> int:
    """Return the discount in basis points of the highest tier (least amount to discount) that the
    amount reaches."""
    reached = [least for least in tiers if least <= amount]
    return tiers[max(reached)] if reached else 0


def final_amount(amount: int, *, discount_bp: int) -> int:
    """Return the price of `amount`."""
    return half_up(Fraction(amount * (WHOLE_BP - discount_bp), WHOLE_BP))


def credit_for(received: int, *, topup: TopUp, is_capped: bool = True) -> int:
    """Return the credit for `received`: exactly the amount for the full price.

    A share of it rounded down; for more than was due more at the same discount, up to the ratio
    that the operator allows unless it is not to be capped.
    """
    if received == topup.final_amount:
        return topup.amount
    fair = floor_for_customer(Fraction(received * WHOLE_BP, WHOLE_BP - topup.discount_bp))
    if received < topup.final_amount:
        return _partial_credit(received, topup) if topup.policy.tiers else fair
    return min(max(fair, topup.amount), topup.credit_max) if is_capped else max(fair, topup.amount)


def _partial_credit(received: int, topup: TopUp) -> int:
    """Return what too little brings by the highest discount whose tier it reaches.

    Never a higher one than was promised.
    """
    discounts = [
        (0, 0),
        *((least, bp) for least, bp in topup.policy.tiers if bp <= topup.discount_bp),
    ]
    credits_ = (
        (least, floor_for_customer(Fraction(received * WHOLE_BP, WHOLE_BP - bp)))
        for least, bp in discounts
    )
    return max(credit for least, credit in credits_ if credit >= least)


def judge(topup: TopUp, line: Line) -> Verdict:
    """Return the share of a payment to book, from its facts alone, so that the order of news does
    not matter."""
    if line.payment.status not in PLAINLY_PAID:
        return _judge_unsettled(topup, line)
    verdict = _judge_settled(topup, line)
    return Verdict(verdict.share, Doubt.STATUS) if line.payment.contradicted else verdict


def _judge_unsettled(topup: TopUp, line: Line) -> Verdict:
    """Return the share to book of a payment that is not plainly paid: nothing, unless a person has
    said what it is worth."""
    payment = line.payment
    if payment.status in OPEN and line.decision is Decision.APPROVED and line.worth is not None:
        return Verdict(_share(topup, payment, line.worth, is_capped=False))
    if (
        line.decision is not None
        or payment.status is PaymentStatus.REFUNDED
        or not has_money(payment)
    ):
        return Verdict(NOTHING)
    if payment.status in KEPT_BACK:
        return Verdict(NOTHING, Doubt.GATEWAY)
    return Verdict(
        NOTHING, stranger(topup, payment) or (Doubt.STATUS if payment.status in ODD else None)
    )


def _judge_settled(topup: TopUp, line: Line) -> Verdict:
    """Return the share to book of a payment that is plainly paid."""
    payment = line.payment
    if line.decision is Decision.RETURNED:
        return Verdict(
            NOTHING if line.worth is None else _without_excess(_share(topup, payment, line.worth))
        )
    foreign = stranger(topup, payment)
    worth = worth_of(topup, line) if line.worth is None else line.worth
    if line.decision is Decision.APPROVED and worth is not None:
        return Verdict(_share(topup, payment, worth, is_capped=False))
    kept = NOTHING if worth is None or foreign else _kept_apart(topup, payment, worth)
    doubt = foreign or _doubt(topup, line, worth)
    if line.decision is Decision.REFUSED:
        return Verdict(
            kept if worth is None or line.worth is None else _share(topup, payment, worth)
        )
    if worth is None or doubt:
        return Verdict(kept, doubt)
    share = _share(topup, payment, worth)
    return Verdict(share, Doubt.OVERPAID if share.suspense else None)


def with_time(topup: TopUp, line: Line, verdict: Verdict, *, now: datetime) -> Verdict:
    """Return the verdict with the doubt that comes with time alone: money that was seen and is
    still not settled."""
    if (
        verdict.doubt
        or line.decision
        or line.payment.status not in UNDER_WAY
        or not has_money(line.payment)
    ):
        return verdict
    since = line.seen_at or topup.expires_at or topup.created_at
    return replace(verdict, doubt=Doubt.UNSETTLED) if now >= since + SETTLING_MAX else verdict


def worth_of(topup: TopUp, line: Line) -> int | None:
    """Return what a settled payment is worth: its part of the price, at the rate locked in the
    invoice; or, when it came late or in another coin, what the gateway made of it. None when that
    cannot be said in the wallet's currency, or is more than any wallet holds."""
    payment = line.payment
    worth = (
        _outcome(topup, payment)
        if payment.wrong_asset or _is_late(topup, line)
        else _part_of_due(topup, payment)
    )
    return worth if worth is not None and worth <= AMOUNT_MAX else None


def _outcome(topup: TopUp, payment: Payment) -> int | None:
    settled = _settled_units(topup, payment)
    return None if settled is None else settled + _units(payment.fee or Decimal(0), topup.currency)


def _part_of_due(topup: TopUp, payment: Payment) -> int | None:
    if payment.paid is None or not payment.due or payment.due < 0 or payment.paid < 0:
        return None
    asked = (
        topup.final_amount if payment.parent_id is None else _units(payment.amount, topup.currency)
    )
    return floor_for_customer(asked * Fraction(payment.paid) / Fraction(payment.due))


def stranger(topup: TopUp, payment: Payment) -> Doubt | None:
    """Return what shows that a payment is not the one that we asked for."""
    if payment.reference != topup.public_id:
        return Doubt.REFERENCE
    if payment.invoice_id != topup.invoice_id:
        return Doubt.INVOICE
    if payment.currency != topup.currency:
        return Doubt.CURRENCY
    # What is paid once more to the same address has an amount of its own.
    if (
        payment.parent_id is None
        and payment.amount * 10 ** DECIMALS[topup.currency] != topup.final_amount
    ):
        return Doubt.AMOUNT
    return None


def state_of(topup: TopUp, judged: Iterable[tuple[Line, Verdict]], *, now: datetime) -> TopUpState:
    """Return the state that follows from all payments of a top-up, or the one it has when that may
    not follow."""
    wanted = _wanted_state(topup, list(judged), now=now)
    return wanted if wanted in MOVES[topup.state] else topup.state


def _wanted_state(topup: TopUp, judged: list[tuple[Line, Verdict]], *, now: datetime) -> TopUpState:
    credited = sum(verdict.share.credit for _, verdict in judged)
    statuses = {line.payment.status for line, _ in judged}
    rules = (
        (credited >= topup.amount, TopUpState.CREDITED),
        (credited > 0, TopUpState.PARTLY_CREDITED),
        (any(verdict.doubt for _, verdict in judged), TopUpState.HELD),
        (any(line.decision is Decision.REFUSED for line, _ in judged), TopUpState.REFUSED),
        (any(_went_back(line) for line, _ in judged), TopUpState.REFUNDED),
        (PaymentStatus.SEEN in statuses, TopUpState.SEEN),
        (any(has_money(line.payment) for line, _ in judged), TopUpState.UNDERPAID),
    )
    return next((state for holds, state in rules if holds), None) or _empty_state(
        topup, statuses, now=now
    )


def _went_back(line: Line) -> bool:
    return line.payment.status is PaymentStatus.REFUNDED or line.decision is Decision.RETURNED


def _empty_state(topup: TopUp, statuses: set[PaymentStatus], *, now: datetime) -> TopUpState:
    """Return the state of a top-up for which no money was seen."""
    if statuses == {PaymentStatus.FAILED}:
        return TopUpState.FAILED
    over = topup.expires_at is not None and now >= topup.expires_at
    if over or (statuses and not statuses & {PaymentStatus.WAITING, PaymentStatus.UNKNOWN}):
        return TopUpState.EXPIRED
    return TopUpState.AWAITING


def _doubt(topup: TopUp, line: Line, worth: int | None) -> Doubt | None:
    """Return why one of our own payments is not simply credited."""
    payment = line.payment
    if payment.wrong_asset:
        return Doubt.WRONG_ASSET
    if worth is None:
        return Doubt.LATE if _is_late(topup, line) else Doubt.NO_AMOUNTS
    if payment.status is PaymentStatus.UNDERPAID and not topup.policy.credits_underpaid:
        return Doubt.UNDERPAID
    if credit_for(worth, topup=topup) < min(topup.policy.dust, topup.amount):
        return Doubt.DUST
    return None


def _money_of(payment: Payment) -> tuple[object, ...]:
    """Return what of a payment a decision about it rests on.

    Before it is settled, that is the money that came, by whatever word.
    """
    if payment.status in OPEN:
        return OPEN, payment.paid
    return payment.status, payment.paid, payment.due, payment.settled


def _is_late(topup: TopUp, line: Line) -> bool:
    """Return whether the money came too long after the invoice's end for its rate.

    False when the gateway does not say when it came.
    """
    return (
        line.seen_at is not None
        and topup.expires_at is not None
        and line.seen_at > topup.expires_at + topup.policy.late_grace
    )


def _share(topup: TopUp, payment: Payment, worth: int, *, is_capped: bool = True) -> Share:
    """Return how what a payment is worth is divided."""
    credit = credit_for(worth, topup=topup, is_capped=is_capped)
    if credit < topup.credit_max or not is_capped:
        return Share(credit, worth, _fee(topup, payment, worth))
    price = max(topup.final_amount, final_amount(credit, discount_bp=topup.discount_bp))
    return Share(credit, worth, _fee(topup, payment, worth), suspense=max(0, worth - price))


def _kept_apart(topup: TopUp, payment: Payment, worth: int) -> Share:
    """Return the division of money that is at the gateway and not the customer's."""
    return Share(0, worth, _fee(topup, payment, worth), worth)


def _without_excess(share: Share) -> Share:
    """Return the share of a payment whose part kept apart went back to the payer."""
    return replace(share, received=share.received - share.suspense, suspense=0)


def _fee(topup: TopUp, payment: Payment, worth: int) -> int:
    """Return the gateway's commission: what of the worth it does not credit us, where it says so in
    the wallet's currency."""
    settled = _settled_units(topup, payment)
    if settled is not None:
        return worth - settled
    return max(-AMOUNT_MAX, min(worth, _units(payment.fee or Decimal(0), topup.currency)))


def _settled_units(topup: TopUp, payment: Payment) -> int | None:
    """Return what the gateway credits us in the wallet's currency.

    None where it does not say, or what nobody owns.
    """
    if not payment.settled or payment.settled_currency != topup.currency:
        return None
    units = _units(payment.settled, topup.currency)
    return units if abs(units) <= AMOUNT_MAX else None


def _units(amount: Decimal, currency: str) -> int:
    """Return an amount in minor units."""
    return half_up(Fraction(amount) * 10 ** DECIMALS[currency])
