"""A payment at a gateway: what the gateway says of it when asked, and which of two such answers is
the newer truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class PaymentStatus(StrEnum):
    """A payment's state in our words; every gateway's own words are translated by its adapter.

    A word that the adapter does not know is UNKNOWN: nothing is booked for it, and where there is
    money, staff look at it.
    """

    WAITING = "waiting"  # no transaction yet, or not enough of it and more may come
    SEEN = "seen"  # a transaction that is not settled yet
    UNDERPAID = "underpaid"  # settled and closed, with less than was due
    PAID = "paid"  # settled with what was due, or more
    EXPIRED = "expired"  # closed without money; it may still come
    FAILED = "failed"
    HELD = "held"  # the gateway keeps it back (a check of its origin)
    REFUNDING = "refunding"
    REFUNDED = "refunded"
    UNKNOWN = "unknown"  # a word that we do not know


#: The only statuses whose money is booked without a person's word.
PLAINLY_PAID = frozenset({PaymentStatus.PAID, PaymentStatus.UNDERPAID})
#: The gateway keeps the money, or is sending it back: a person cannot credit it here.
KEPT_BACK = frozenset({PaymentStatus.HELD, PaymentStatus.REFUNDING})
#: Closed, or a word that we do not know: with money in it, staff look at it at once.
ODD = frozenset({PaymentStatus.UNKNOWN, PaymentStatus.FAILED, PaymentStatus.EXPIRED})
#: On its way: with money in it, it settles within a day, or staff look at it.
UNDER_WAY = frozenset({PaymentStatus.WAITING, PaymentStatus.SEEN})
#: Neither settled, nor kept back, nor returned. While its money stays the same, one such status is
#: as good as another.
OPEN = ODD | UNDER_WAY


@dataclass(frozen=True, slots=True)
class Payment:
    """One deposit (or the wait for it) as the gateway tells it when asked.

    `payment_id` is the gateway's id of the deposit, `invoice_id` that of its invoice (equal where
    the gateway has one id for both), `parent_id` the deposit that this one repeats. `amount` and
    `currency` are those of the invoice; `due` and `paid` are in the payer's own currency
    (`payer_currency`), None until known. `fee` is the gateway's commission in `currency`, None
    where it does not say. `settled` is what the gateway credits us for it, in `settled_currency`.
    `wrong_asset` says that it came in another coin or network than asked. `contradicted` is never
    told by a gateway: after this status the gateway said `gateway_status`, which does not go with
    it.
    """

    payment_id: str
    invoice_id: str
    reference: str
    status: PaymentStatus
    gateway_status: str
    amount: Decimal
    currency: str
    due: Decimal | None = None
    paid: Decimal | None = None
    payer_currency: str | None = None
    fee: Decimal | None = None
    settled: Decimal | None = None
    settled_currency: str | None = None
    parent_id: str | None = None
    wrong_asset: bool = False
    txid: str | None = None
    changed_at: datetime | None = None
    contradicted: bool = False


_PAST_WAITING = frozenset(PaymentStatus) - {PaymentStatus.WAITING}
_TAKEN_BACK = frozenset({PaymentStatus.HELD, PaymentStatus.REFUNDING, PaymentStatus.REFUNDED})

#: What a gateway may say next of a payment. Anything else is an answer that was overtaken by a
#: newer one. Money that was held or on its way back may come free again; money that went back never
#: does, a further deposit is a payment of its own.
FOLLOWERS: Mapping[PaymentStatus, frozenset[PaymentStatus]] = {
    PaymentStatus.WAITING: _PAST_WAITING,
    PaymentStatus.SEEN: _PAST_WAITING - {PaymentStatus.SEEN},
    PaymentStatus.EXPIRED: _PAST_WAITING - {PaymentStatus.EXPIRED},
    PaymentStatus.FAILED: _PAST_WAITING - {PaymentStatus.FAILED},
    PaymentStatus.UNKNOWN: frozenset(PaymentStatus) - {PaymentStatus.UNKNOWN},
    PaymentStatus.UNDERPAID: _TAKEN_BACK | {PaymentStatus.PAID},
    PaymentStatus.PAID: _TAKEN_BACK,
    PaymentStatus.HELD: PLAINLY_PAID | {PaymentStatus.REFUNDING, PaymentStatus.REFUNDED},
    PaymentStatus.REFUNDING: PLAINLY_PAID | {PaymentStatus.HELD, PaymentStatus.REFUNDED},
    PaymentStatus.REFUNDED: frozenset(),
}


def newer(known: Payment, told: Payment) -> Payment:
    """Return the facts of a payment after `told` was heard: a status never goes backwards, and the
    amount paid never shrinks.

    An odd status after a settled one moves no money; it is noted as a contradiction, until the
    gateway says the settled one again.
    """
    if known.changed_at and told.changed_at and told.changed_at < known.changed_at:
        return known
    if told.status in ODD and known.status in PLAINLY_PAID | KEPT_BACK:
        return _contradict(known, told)
    is_next = told.status in FOLLOWERS[known.status] or told.status is known.status
    is_older = told.status in (known.status, *OPEN) and _paid(told) < _paid(known)
    return told if is_next and not is_older else known


def has_money(payment: Payment) -> bool:
    """Return whether the payer's money was seen, whatever followed."""
    if payment.status is PaymentStatus.UNKNOWN and payment.txid:
        return True
    return payment.status not in ODD | {PaymentStatus.WAITING} or _paid(payment) > 0


def _contradict(known: Payment, told: Payment) -> Payment:
    """Return the known facts with the word that contradicts them.

    A word that was noted before is no news.
    """
    if told.gateway_status == known.gateway_status:
        return known
    return replace(
        known,
        gateway_status=told.gateway_status,
        contradicted=True,
        changed_at=told.changed_at or known.changed_at,
    )


def _paid(payment: Payment) -> Decimal:
    return payment.paid or Decimal(0)
