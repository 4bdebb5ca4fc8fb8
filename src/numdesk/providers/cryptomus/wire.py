"""Cryptomus' words: how it signs, its statuses, and what an invoice of its says in ours."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from numdesk.ports.payments import Invoice, Payment, PaymentStatus
from numdesk.protocols.json_tokens import (
    maybe_amount,
    maybe_moment,
    maybe_word,
    read_amount,
    read_word,
)
from numdesk.providers import broken_answer, reading_answer, status_of

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

CURSOR_CHARS_MAX = 1024


def sign(body: bytes, *, key: str) -> str:
    """Return the signature of a request's bytes, or of a callback's text without its own
    signature."""
    return hashlib.md5(base64.b64encode(body) + key.encode(), usedforsecurity=False).hexdigest()


@reading_answer()
def read_invoice(row: Mapping[str, Any]) -> Invoice:
    """Return an invoice as it was answered. Raises ProviderError for an answer that is none."""
    return Invoice(
        gateway_id=read_word(row, "uuid"),
        reference=read_word(row, "order_id"),
        amount=read_amount(row, "amount"),
        currency=read_word(row, "currency").upper(),
        payment_url=read_word(row, "url"),
        expires_at=_epoch(row.get("expired_at")),
    )


@reading_answer()
def read_payment(row: Mapping[str, Any]) -> Payment:
    """Return what an invoice says about its money.

    Raises ProviderError for an answer that is none.
    """
    word = read_word(row, "status" if row.get("status") is not None else "payment_status")
    amount, due, paid = (
        read_amount(row, "amount"),
        maybe_amount(row, "payer_amount"),
        maybe_amount(row, "payment_amount"),
    )
    payer_currency = maybe_word(row, "payer_currency")
    settled, settled_currency = _settled(row, payer_currency)
    is_comparable = (
        bool(due)
        and paid is not None
        and settled is not None
        and settled_currency == payer_currency
    )
    uuid = read_word(row, "uuid")
    return Payment(
        payment_id=uuid,
        invoice_id=uuid,
        reference=maybe_word(row, "order_id") or "",
        status=status_of(word, STATUS, provider="cryptomus"),
        gateway_status=word,
        amount=amount,
        currency=read_word(row, "currency").upper(),
        due=due,
        paid=paid,
        payer_currency=payer_currency,
        fee=(paid - settled) * amount / due
        if is_comparable and due and paid is not None and settled is not None
        else None,
        settled=settled,
        settled_currency=settled_currency,
        txid=maybe_word(row, "txid"),
        changed_at=maybe_moment(row.get("updated_at")) or maybe_moment(row.get("created_at")),
    )


def as_cursor(value: object) -> str:
    """Return the mark of a list's next page as it goes into a URL.

    Raises ProviderError for one that is none.
    """
    if not isinstance(value, str) or not 0 < len(value) <= CURSOR_CHARS_MAX:
        raise broken_answer("has a cursor that is no short text")
    return quote(value, safe="")


def _settled(
    row: Mapping[str, Any], payer_currency: str | None
) -> tuple[Decimal | None, str | None]:
    """Return what we get for it: in the payer's coin, unless it was exchanged on the way."""
    converted = row.get("convert")
    if isinstance(converted, Mapping) and converted.get("amount") is not None:
        return read_amount(converted, "amount"), maybe_word(converted, "to_currency")
    settled = maybe_amount(row, "merchant_amount")
    return settled, payer_currency if settled is not None else None


def _epoch(value: object) -> datetime | None:
    """Return a moment given in seconds since 1970, None for none."""
    if not isinstance(value, str) or not (value.isascii() and value.isdigit()) or len(value) > 11:
        return None
    return datetime.fromtimestamp(int(value), UTC)
