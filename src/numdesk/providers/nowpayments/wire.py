"""NOWPayments' words: its statuses, and what an invoice and a payment of its say in ours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from numdesk.ports.payments import Invoice, Payment, PaymentStatus
from numdesk.protocols.json_tokens import (
    NumberToken,
    maybe_amount,
    maybe_moment,
    maybe_word,
    read_amount,
    read_word,
)
from numdesk.providers import broken_answer, reading_answer, status_of

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

_EPOCH_MS = re.compile(r"[0-9]{12,14}", re.ASCII)


@reading_answer()
def read_invoice(row: Mapping[str, Any]) -> Invoice:
    """Return an invoice as it was answered. Raises ProviderError for an answer that is none."""
    return Invoice(
        gateway_id=read_word(row, "id"),
        reference=read_word(row, "order_id"),
        amount=read_amount(row, "price_amount"),
        currency=read_word(row, "price_currency").upper(),
        payment_url=read_word(row, "invoice_url"),
        expires_at=None,  # an invoice stays open; each attempt to pay it ends by itself
    )


def invoice_of(payment: Payment, *, page: str) -> Invoice:
    """Return the invoice that a payment belongs to, as far as it can be told from there."""
    return Invoice(
        gateway_id=payment.invoice_id,
        reference=payment.reference,
        amount=payment.amount,
        currency=payment.currency,
        payment_url=page + payment.invoice_id,
        expires_at=None,
    )


@reading_answer()
def read_payment(row: Mapping[str, Any], *, parent: Mapping[str, Any] | None) -> Payment:
    """Return a deposit; `parent` is the one that it repeats.

    Raises ProviderError for an answer that is none.

    A deposit in another coin than its parent's came by mistake. What would have been due in that
    coin nobody agreed upon.
    """
    word, coin = read_word(row, "payment_status"), maybe_word(row, "pay_currency")
    is_wrong = parent is not None and coin != maybe_word(parent, "pay_currency")
    amount, paid = read_amount(row, "price_amount"), maybe_amount(row, "actually_paid")
    due = None if is_wrong else maybe_amount(row, "pay_amount")
    settled, settled_currency = (
        maybe_amount(row, "outcome_amount"),
        maybe_word(row, "outcome_currency"),
    )
    fee = None
    if due and paid and settled is not None and settled_currency == coin:
        fee = (paid - settled) * amount / due
    return Payment(
        payment_id=read_word(row, "payment_id"),
        invoice_id=maybe_word(row, "invoice_id") or "",
        reference=maybe_word(row, "order_id") or "",
        status=status_of(word, STATUS, provider="nowpayments"),
        gateway_status=word,
        amount=amount,
        currency=read_word(row, "price_currency").upper(),
        due=due,
        paid=paid,
        payer_currency=coin.upper() if coin else None,
        fee=fee,
        settled=settled,
        settled_currency=settled_currency.upper() if settled_currency else None,
        parent_id=parent_of(row),
        wrong_asset=is_wrong,
        txid=maybe_word(row, "payin_hash"),
        changed_at=read_time(row.get("updated_at")) or read_time(row.get("created_at")),
    )


@reading_answer()
def payment_id_of(row: Mapping[str, Any]) -> str:
    """Return a payment's id. Raises ProviderError when it has none."""
    return read_word(row, "payment_id")


@reading_answer()
def parent_of(row: Mapping[str, Any]) -> str | None:
    """Return the id of the deposit that this one repeats."""
    return maybe_word(row, "parent_payment_id")


def objects(rows: object) -> Sequence[Mapping[str, Any]]:
    """Return the rows of a list. Raises ProviderError for anything else."""
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise broken_answer("has no list of payments")
    return rows


def read_time(value: object) -> datetime | None:
    """Return a moment such as 2026-01-31T12:00:00.000Z, or in milliseconds since 1970.

    None for anything else.
    """
    if isinstance(value, str) and _EPOCH_MS.fullmatch(value):
        return datetime.fromtimestamp(int(value) / 1000, UTC)
    return maybe_moment(value)


def write_time(moment: datetime) -> str:
    """Write a moment as the list takes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def number(amount: Decimal) -> NumberToken:
    """Write an amount as a JSON number, digit by digit."""
    return NumberToken(format(amount, "f"))
