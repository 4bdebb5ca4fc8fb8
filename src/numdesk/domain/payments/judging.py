"""Judge a payment: the customer's share of it, and the state of the top-up that follows.

Functions of facts alone, so that the order of news does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from numdesk.domain.money import AMOUNT_MAX, DECIMALS, floor_for_customer
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
from numdesk.domain.payments.topups import (
    MOVES,
    NOTHING,
    SETTLING_MAX,
    Decision,
    Doubt,
    Line,
    Share,
    TopUp,
    TopUpState,
    Verdict,
    credit_for,
    final_amount,
    units_of,
)


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
        NOTHING,
        find_mismatch(topup, payment) or (Doubt.STATUS if payment.status in ODD else None),
    )


def _judge_settled(topup: TopUp, line: Line) -> Verdict:
    """Return the share to book of a payment that is plainly paid."""
    payment = line.payment
    if line.decision is Decision.RETURNED:
        return Verdict(
            NOTHING if line.worth is None else _without_excess(_share(topup, payment, line.worth))
        )
    foreign = find_mismatch(topup, payment)
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
    return (
        None if settled is None else settled + units_of(payment.fee or Decimal(0), topup.currency)
    )


def _part_of_due(topup: TopUp, payment: Payment) -> int | None:
    if payment.paid is None or not payment.due or payment.due < 0 or payment.paid < 0:
        return None
    asked = (
        topup.final_amount
        if payment.parent_id is None
        else units_of(payment.amount, topup.currency)
    )
    return floor_for_customer(asked * Fraction(payment.paid) / Fraction(payment.due))


def find_mismatch(topup: TopUp, payment: Payment) -> Doubt | None:
    """Return the doubt when a payment is not the one that we asked for, or None."""
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
    return max(-AMOUNT_MAX, min(worth, units_of(payment.fee or Decimal(0), topup.currency)))


def _settled_units(topup: TopUp, payment: Payment) -> int | None:
    """Return what the gateway credits us in the wallet's currency.

    None where it does not say, or what nobody owns.
    """
    if not payment.settled or payment.settled_currency != topup.currency:
        return None
    units = units_of(payment.settled, topup.currency)
    return units if abs(units) <= AMOUNT_MAX else None
