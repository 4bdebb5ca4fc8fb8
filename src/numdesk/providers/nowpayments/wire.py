"""NOWPayments' words: its statuses, and what an invoice and a payment of its say in ours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import structlog

from numdesk.ports.errors import Cause, ProviderError
from numdesk.ports.payments import Invoice, Payment, PaymentStatus
from numdesk.protocols.json_tokens import NumberToken

STATUS: Mapping[str, PaymentStatus] = {
    "waiting": PaymentStatus.WAITING,
    "confirming": PaymentStatus.SEEN,
    "confirmed": PaymentStatus.SEEN,
    "sending": PaymentStatus.SEEN,
    "spending": PaymentStatus.SEEN,
    "partially_paid": PaymentStatus.UNDERPAID,
    "finished": PaymentStatus.PAID,
    "failed": PaymentStatus.FAILED,
    "refunded": PaymentStatus.REFUNDED,
    "expired": PaymentStatus.EXPIRED,
}

#: Amounts have at most so many digits before and after the point; more is not money.
DIGITS_MAX = 30
TEXT_CHARS_MAX = 255
_AMOUNT = re.compile(rf"[0-9]{{1,{DIGITS_MAX}}}(?:\.[0-9]{{1,{DIGITS_MAX}}})?(?:[eE][+-]?[0-9]{{1,2}})?", re.ASCII)
_EPOCH_MS = re.compile(r"[0-9]{12,14}", re.ASCII)

_log = structlog.get_logger(__name__)
_reported: set[str] = set()


def read_invoice(row: Mapping[str, Any]) -> Invoice:
    """Returns an invoice as it was answered. Raises ProviderError for an answer that is none."""
    return Invoice(
        gateway_id=_word(row, "id"),
        reference=_word(row, "order_id"),
        amount=_amount(row, "price_amount"),
        currency=_word(row, "price_currency").upper(),
        payment_url=_word(row, "invoice_url"),
        expires_at=None,  # an invoice stays open; each attempt to pay it ends by itself
    )


def invoice_of(payment: Payment, *, page: str) -> Invoice:
    """Returns the invoice that a payment belongs to, as far as it can be told from there."""
    return Invoice(
        gateway_id=payment.invoice_id,
        reference=payment.reference,
        amount=payment.amount,
        currency=payment.currency,
        payment_url=page + payment.invoice_id,
        expires_at=None,
    )


def read_payment(row: Mapping[str, Any], *, parent: Mapping[str, Any] | None) -> Payment:
    """Returns a deposit; `parent` is the one that it repeats. Raises ProviderError for an answer that is none.

    A deposit in another coin than its parent's came by mistake. What would have been due in that coin nobody agreed upon.
    """
    word, coin = _word(row, "payment_status"), _maybe_word(row, "pay_currency")
    is_wrong = parent is not None and coin != _maybe_word(parent, "pay_currency")
    amount, paid = _amount(row, "price_amount"), _maybe_amount(row, "actually_paid")
    due = None if is_wrong else _maybe_amount(row, "pay_amount")
    settled, settled_currency = _maybe_amount(row, "outcome_amount"), _maybe_word(row, "outcome_currency")
    fee = None
    if due and paid and settled is not None and settled_currency == coin:
        fee = (paid - settled) * amount / due
    return Payment(
        payment_id=_word(row, "payment_id"),
        invoice_id=_maybe_word(row, "invoice_id") or "",
        reference=_maybe_word(row, "order_id") or "",
        status=_status(word),
        gateway_status=word,
        amount=amount,
        currency=_word(row, "price_currency").upper(),
        due=due,
        paid=paid,
        payer_currency=coin.upper() if coin else None,
        fee=fee,
        settled=settled,
        settled_currency=settled_currency.upper() if settled_currency else None,
        parent_id=parent_of(row),
        wrong_asset=is_wrong,
        txid=_maybe_word(row, "payin_hash"),
        changed_at=read_time(row.get("updated_at")) or read_time(row.get("created_at")),
    )


def payment_id_of(row: Mapping[str, Any]) -> str:
    """Returns a payment's id. Raises ProviderError when it has none."""
    return _word(row, "payment_id")


def parent_of(row: Mapping[str, Any]) -> str | None:
    """Returns the id of the deposit that this one repeats."""
    return _maybe_word(row, "parent_payment_id")


def objects(rows: object) -> Sequence[Mapping[str, Any]]:
    """Returns the rows of a list. Raises ProviderError for anything else."""
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise broken_answer("has no list of payments")
    return rows


def read_time(value: object) -> datetime | None:
    """Returns a moment such as 2026-01-31T12:00:00.000Z, or in milliseconds since 1970; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        if _EPOCH_MS.fullmatch(value):
            return datetime.fromtimestamp(int(value) / 1000, UTC)
        found = datetime.fromisoformat(value)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def write_time(moment: datetime) -> str:
    """Writes a moment as the list takes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def number(amount: Decimal) -> NumberToken:
    """Writes an amount as a JSON number, digit by digit."""
    return NumberToken(format(amount, "f"))


def broken_answer(what: str) -> ProviderError:
    """Returns the failure of an answer that we cannot read: whatever was asked for may have been done."""
    return ProviderError(Cause.PROVIDER_ERROR, f"the answer {what}", unknown=True)


def _status(word: str) -> PaymentStatus:
    """Translates a status; one that we do not know is told once and means that nothing is decided."""
    known = STATUS.get(word)
    if known is None and word not in _reported and len(_reported) < TEXT_CHARS_MAX:
        _reported.add(word)
        _log.warning("a payment has a status that we do not know", provider="nowpayments", status=word)
    return known or PaymentStatus.WAITING


def _word(row: Mapping[str, Any], name: str) -> str:
    found = _maybe_word(row, name)
    if not found:
        raise broken_answer(f"has no {name}")
    return found


def _maybe_word(row: Mapping[str, Any], name: str) -> str | None:
    """Returns a text; ids come as texts and as numbers, and mean the same."""
    value = row.get(name)
    if value is None:
        return None
    # Neither a database nor JSON takes NUL or halves of letters.
    if not isinstance(value, str) or len(value) > TEXT_CHARS_MAX or not value.isprintable():
        raise broken_answer(f"has a {name} that is no short text")
    return str(value)


def _amount(row: Mapping[str, Any], name: str) -> Decimal:
    value = row.get(name)
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
        raise broken_answer(f"has a {name} that is no amount")
    return Decimal(value)


def _maybe_amount(row: Mapping[str, Any], name: str) -> Decimal | None:
    return _amount(row, name) if row.get(name) is not None else None
