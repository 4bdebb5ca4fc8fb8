"""Cryptomus' words: how it signs, its statuses, and what an invoice of its says in ours."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote

import structlog

from numdesk.ports.errors import Cause, ProviderError
from numdesk.ports.payments import Invoice, Payment, PaymentStatus

#: Decided by the status and never by `is_final`, which may contradict it.
STATUS: Mapping[str, PaymentStatus] = {
    "process": PaymentStatus.WAITING,
    "check": PaymentStatus.WAITING,
    "confirm_check": PaymentStatus.SEEN,
    "wrong_amount_waiting": PaymentStatus.WAITING,
    "paid": PaymentStatus.PAID,
    "paid_over": PaymentStatus.PAID,
    "wrong_amount": PaymentStatus.UNDERPAID,
    "cancel": PaymentStatus.EXPIRED,
    "fail": PaymentStatus.FAILED,
    "system_fail": PaymentStatus.FAILED,
    "locked": PaymentStatus.HELD,
    "refund_process": PaymentStatus.REFUNDING,
    "refund_paid": PaymentStatus.REFUNDED,
    # The money did not go back, so it is ours as before.
    "refund_fail": PaymentStatus.PAID,
}

#: Amounts have at most so many digits before and after the point; more is not money.
DIGITS_MAX = 30
TEXT_CHARS_MAX = 255
CURSOR_CHARS_MAX = 1024
_AMOUNT = re.compile(rf"[0-9]{{1,{DIGITS_MAX}}}(?:\.[0-9]{{1,{DIGITS_MAX}}})?(?:[eE][+-]?[0-9]{{1,2}})?", re.ASCII)

_log = structlog.get_logger(__name__)
_reported: set[str] = set()


def sign(body: bytes, *, key: str) -> str:
    """Returns the signature of a request's bytes, or of a callback's text without its own signature."""
    return hashlib.md5(base64.b64encode(body) + key.encode(), usedforsecurity=False).hexdigest()


def read_invoice(row: Mapping[str, Any]) -> Invoice:
    """Returns an invoice as it was answered. Raises ProviderError for an answer that is none."""
    return Invoice(
        gateway_id=_word(row, "uuid"),
        reference=_word(row, "order_id"),
        amount=_amount(row, "amount"),
        currency=_word(row, "currency").upper(),
        payment_url=_word(row, "url"),
        expires_at=_epoch(row.get("expired_at")),
    )


def read_payment(row: Mapping[str, Any]) -> Payment:
    """Returns what an invoice says about its money. Raises ProviderError for an answer that is none."""
    word = _word(row, "status" if row.get("status") is not None else "payment_status")
    amount, due, paid = _amount(row, "amount"), _maybe_amount(row, "payer_amount"), _maybe_amount(row, "payment_amount")
    payer_currency = _maybe_word(row, "payer_currency")
    settled, settled_currency = _settled(row, payer_currency)
    is_comparable = bool(due) and paid is not None and settled is not None and settled_currency == payer_currency
    uuid = _word(row, "uuid")
    return Payment(
        payment_id=uuid,
        invoice_id=uuid,
        reference=_maybe_word(row, "order_id") or "",
        status=_status(word),
        gateway_status=word,
        amount=amount,
        currency=_word(row, "currency").upper(),
        due=due,
        paid=paid,
        payer_currency=payer_currency,
        fee=(paid - settled) * amount / due if is_comparable and due and paid is not None and settled is not None else None,
        settled=settled,
        settled_currency=settled_currency,
        txid=_maybe_word(row, "txid"),
        changed_at=read_time(row.get("updated_at")) or read_time(row.get("created_at")),
    )


def as_cursor(value: object) -> str:
    """Returns the mark of a list's next page as it goes into a URL. Raises ProviderError for one that is none."""
    if not isinstance(value, str) or not 0 < len(value) <= CURSOR_CHARS_MAX:
        raise broken_answer("has a cursor that is no short text")
    return quote(value, safe="")


def read_time(text: object) -> datetime | None:
    """Returns a moment such as 2026-01-31T12:00:00+03:00, None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _settled(row: Mapping[str, Any], payer_currency: str | None) -> tuple[Decimal | None, str | None]:
    """Returns what we get for it: in the payer's coin, unless it was exchanged on the way."""
    converted = row.get("convert")
    if isinstance(converted, Mapping) and converted.get("amount") is not None:
        return _amount(converted, "amount"), _maybe_word(converted, "to_currency")
    settled = _maybe_amount(row, "merchant_amount")
    return settled, payer_currency if settled is not None else None


def _status(word: str) -> PaymentStatus:
    """Translates a status; one that we do not know is told once and means that nothing is decided."""
    known = STATUS.get(word)
    if known is None and word not in _reported and len(_reported) < TEXT_CHARS_MAX:
        _reported.add(word)
        _log.warning("a payment has a status that we do not know", provider="cryptomus", status=word)
    return known or PaymentStatus.WAITING


def _word(row: Mapping[str, Any], name: str) -> str:
    found = _maybe_word(row, name)
    if not found:
        raise broken_answer(f"has no {name}")
    return found


def _maybe_word(row: Mapping[str, Any], name: str) -> str | None:
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
    try:
        return Decimal(value)
    except InvalidOperation as error:  # the expression lets through nothing that Decimal does not read
        raise broken_answer(f"has a {name} that is no amount") from error


def _maybe_amount(row: Mapping[str, Any], name: str) -> Decimal | None:
    return _amount(row, name) if row.get(name) is not None else None


def _epoch(value: object) -> datetime | None:
    """Returns a moment given in seconds since 1970, None for none."""
    if not isinstance(value, str) or not (value.isascii() and value.isdigit()) or len(value) > 11:
        return None
    return datetime.fromtimestamp(int(value), UTC)


def broken_answer(what: str) -> ProviderError:
    """Returns the failure of an answer that we cannot read: whatever was asked for may have been done."""
    return ProviderError(Cause.PROVIDER_ERROR, f"the answer {what}", unknown=True)
