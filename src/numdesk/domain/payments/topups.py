"""Top-ups of wallets: their price, their states, and the parts of a payment.

Amounts are minor units of the wallet's currency.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum
from fractions import Fraction

from numdesk.domain.money import DECIMALS, floor_for_customer, half_up
from numdesk.domain.payments.gateway_payments import (
    OPEN,
    PLAINLY_PAID,
    Payment,
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
    #: There is money, and the gateway's status for it is unknown, failed, expired, or contradicts
    #: an
    #: earlier one.
    STATUS = "status"
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
        is_same = money_of(payment) == money_of(self.payment) or self._is_settling(payment)
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


def units_of(amount: Decimal, currency: str) -> int:
    """Return an amount in minor units."""
    return half_up(Fraction(amount) * 10 ** DECIMALS[currency])


def money_of(payment: Payment) -> tuple[object, ...]:
    """Return what of a payment a decision about it rests on.

    Before it is settled, that is the money that came, by whatever word.
    """
    if payment.status in OPEN:
        return OPEN, payment.paid
    return payment.status, payment.paid, payment.due, payment.settled
