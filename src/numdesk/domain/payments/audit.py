"""A gateway's list of payments against ours: every difference, with the top-up that it is about and
what each side says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from numdesk.domain.payments import judging
from numdesk.domain.payments.gateway_payments import ODD, PLAINLY_PAID, Payment, has_money
from numdesk.domain.payments.topups import OPEN_AT_GATEWAY, Doubt, Line, Share, TopUp


class Fault(StrEnum):
    """A kind of difference between two sides."""

    UNOWNED = "unowned"  # the gateway has money for no top-up of ours
    UNHEARD = "unheard"  # it has a payment of one of our top-ups that we do not know
    MISSING = "missing"  # we know a payment that it does not have
    TWICE = "twice"  # its list has one payment with two contents
    FACTS = "facts"  # both know the payment, and say different things of it
    HELD = (
        "held"  # both know the payment, and its money waits for the gateway, or for a person's word
    )
    UNANSWERED = "unanswered"  # it could not be asked, so nobody knows
    BOOKS = (
        "books"  # what is booked is not what the payment is worth, or not what stands in the ledger
    )


@dataclass(frozen=True, slots=True)
class Difference:
    """One payment of which the two sides differ (none when the gateway did not answer).

    `what` says how, for people.
    """

    provider: str
    fault: Fault
    invoice: str | None
    payment_id: str
    what: str


@dataclass(frozen=True, slots=True)
class Known:
    """A payment as we have it: facts, the amount booked of it, and the amount credited for it by
    the ledger's journals."""

    topup: TopUp
    line: Line
    share: Share
    in_ledger: int
    doubt: Doubt | None = None


#: What both sides must agree on. When something changed, and the number on the chain, are the
#: gateway's to complete later.
_COMPARED = (
    "status",
    "reference",
    "invoice_id",
    "amount",
    "currency",
    "due",
    "paid",
    "payer_currency",
    "fee",
    "settled",
    "settled_currency",
    "parent_id",
    "wrong_asset",
)


def compare(
    provider: str,
    *,
    told: Iterable[Payment],
    owners: Mapping[str, TopUp],
    known: Mapping[str, Known],
) -> list[Difference]:
    """Return how the gateway's list differs from what we know of the payments in it.

    `owners` are the top-ups by reference.
    """
    found: list[Difference] = []
    seen: dict[str, Payment] = {}
    for payment in told:
        before = seen.setdefault(payment.payment_id, payment)
        owner = owners.get(payment.reference)
        invoice = owner.public_id if owner else None
        if before is not payment and _unlike(before, payment):
            found.append(
                Difference(
                    provider,
                    Fault.TWICE,
                    invoice,
                    payment.payment_id,
                    "; ".join(_unlike(before, payment)),
                )
            )
        found += _judge(provider, payment, owner, known.get(payment.payment_id))
    return found


def check_books(provider: str, known: Iterable[Known]) -> list[Difference]:
    """Return where the books do not say what our own facts come to."""
    found: list[Difference] = []
    for one in known:
        due = judging.judge(one.topup, one.line).share
        payment_id = one.line.payment.payment_id
        if due != one.share:
            said = (
                f"credited {one.share.credit} of {one.share.received} received, but its facts "
                f"come to {due.credit} of {due.received}"
            )
            found.append(Difference(provider, Fault.BOOKS, one.topup.public_id, payment_id, said))
        elif one.in_ledger != one.share.credit:
            said = f"credited {one.share.credit}, but the ledger has {one.in_ledger}"
            found.append(Difference(provider, Fault.BOOKS, one.topup.public_id, payment_id, said))
    return found


def missing(provider: str, one: Known) -> Difference:
    """Return the difference of a payment that the gateway does not have."""
    said = (
        f"we have it as {one.line.payment.status} and credited {one.share.credit}; the gateway "
        f"has no such payment"
    )
    return Difference(
        provider, Fault.MISSING, one.topup.public_id, one.line.payment.payment_id, said
    )


def _judge(
    provider: str, told: Payment, owner: TopUp | None, known: Known | None
) -> list[Difference]:
    """Return how one payment of the list differs."""
    if known is not None:
        unlike = _unlike(known.line.payment, told)
        matters = has_money(told) or has_money(known.line.payment)
        facts = (
            [
                Difference(
                    provider, Fault.FACTS, known.topup.public_id, told.payment_id, "; ".join(unlike)
                )
            ]
            if unlike and matters
            else []
        )
        return facts + _held(provider, told, known)
    if not has_money(told):
        return []
    said = _said(told)
    if owner is None:
        return [
            Difference(
                provider,
                Fault.UNOWNED,
                None,
                told.payment_id,
                f"{said}, for {told.reference[:64]!r}",
            )
        ]
    return [Difference(provider, Fault.UNHEARD, owner.public_id, told.payment_id, said)]


def _held(provider: str, told: Payment, known: Known) -> list[Difference]:
    """Return that a payment's money is held, where that is because it is not plainly paid."""
    is_plain = known.line.payment.status in PLAINLY_PAID and known.doubt not in OPEN_AT_GATEWAY
    if known.doubt is None or is_plain:
        return []
    said = (
        f"{_said(told)}; {known.share.credit} credited, held as {known.doubt} until the gateway "
        f"settles it or staff decide"
    )
    return [Difference(provider, Fault.HELD, known.topup.public_id, told.payment_id, said)]


def _said(told: Payment) -> str:
    """Return the gateway's own word for a payment, and the money in it."""
    due = "" if told.due is None else f" of {_text(told.due)} due"
    paid = "an unknown sum" if told.paid is None else _text(told.paid)
    return (
        f"the gateway has it as {told.gateway_status!r}, {paid} "
        f"{told.payer_currency or ''}".rstrip()
        + f" paid{due}"
    )


def _unlike(ours: Payment, theirs: Payment) -> list[str]:
    """Return in what two tellings of a payment differ; numbers are compared as numbers.

    A word that contradicts the settled one stands beside the status that it contradicts, and the
    same word again is no news.
    """
    unlike: list[str] = []
    is_noted = theirs.status in ODD and ours.gateway_status == theirs.gateway_status
    for name in _COMPARED:
        mine, other = getattr(ours, name), getattr(theirs, name)
        if mine != other and not (name == "status" and is_noted):
            word = f" ({theirs.gateway_status!r})" if name == "status" else ""
            unlike.append(f"{name}: ours {_text(mine)}, theirs {_text(other)}{word}")
    if ours.contradicted and ours.gateway_status != theirs.gateway_status:
        unlike.append(f"gateway_status: ours {ours.gateway_status}, theirs {theirs.gateway_status}")
    return unlike


def _text(value: object) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)
