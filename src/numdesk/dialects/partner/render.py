"""Answers of the partner API about accounts and money, in the vendor's keys and order.

All functions are pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from numdesk.dialects import JSON_TYPE, Answer, Header
from numdesk.dialects.partner.money import EUR, money
from numdesk.dialects.partner.query import Turned
from numdesk.domain.pages import Page
from numdesk.domain.payments.topups import TopUp
from numdesk.usecases.ledger.wallets import Balances, HistoryLine

#: Return the public form of an internal id: `opaque("tx", 7)`.
Opaque = Callable[[str, int], str]
#: Metadata of a transaction in the vendor's order: of a rental, then of a top-up.
_METADATA = ("number", "country", "services", "period", "rentType", "provider", "invoiceId")
#: The header of an answer that repeats an earlier one.
_REPLAYED: tuple[Header, ...] = (JSON_TYPE, (b"idempotency-replayed", b"true"))

_encode = msgspec.json.Encoder().encode


def success(
    data: object, *, replayed: bool = False, message: str | None = None, pagination: object = None
) -> Answer:
    """Return the envelope of a success: message (if any), data, pagination (if any)."""
    before = {} if message is None else {"message": message}
    behind = {} if pagination is None else {"pagination": pagination}
    body = _encode({"success": True, **before, "data": data, **behind})
    return Answer(200, body, _REPLAYED) if replayed else Answer(200, body)


def pagination(turned: Turned, total: int) -> dict[str, int]:
    """Return the pagination of a list."""
    return {
        "page": turned.page,
        "limit": turned.limit,
        "total": total,
        "totalPages": -(-total // turned.limit),
    }


def iso(moment: datetime) -> str:
    """Return a time in UTC, whole seconds, with Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def phone(msisdn: int) -> str:
    """Return a number with its plus."""
    return f"+{msisdn}"


def registered(*, partner_id: str, api_key: str, secret: str) -> Answer:
    """Return the answer to a registration; the only one that contains the secret."""
    return success(
        {
            "partnerId": partner_id,
            "apiKey": api_key,
            "secretKey": secret,
            "status": "pending_approval",
            "message": (
                "Registration received. Keep the secret key: it is not shown again. The account "
                "works once it is approved."
            ),
        }
    )


@lru_cache(maxsize=8192)
def balance(found: Balances) -> Answer:
    """Return the answer about a wallet's balance; equal balances are rendered once."""
    total = found.balance + found.bonus
    return success(
        {
            "balance": money(found.balance),
            "balanceBonus": money(found.bonus),
            "currency": EUR,
            "total": money(total),
            "reserved": money(found.held),
            "available": money(total - found.held),
        }
    )


def transactions(found: Page[HistoryLine], turned: Turned, opaque: Opaque) -> Answer:
    """Return a page of transactions; balances are of wallet and bonus together."""
    data = [
        {
            "id": opaque("tx", line.id),
            "type": line.type,
            "amount": money(line.amount),
            "currency": EUR,
            "balanceBefore": money(line.balance_before),
            "balanceAfter": money(line.balance_after),
            "description": line.description,
            "metadata": _ordered(line.metadata),
            "createdAt": iso(line.at),
        }
        for line in found.items
    ]
    return success(data, pagination=pagination(turned, found.total))


def invoice(made: TopUp, *, replayed: bool) -> Answer:
    """Return the answer about a top-up that waits for its payment.

    `amount` is the credit, `finalAmount` the sum to pay.
    """
    return success(
        {
            "invoiceId": made.public_id,
            "amount": money(made.amount),
            "finalAmount": money(made.final_amount),
            "discount": money(made.discount),
            "discountPercent": _percent(made.discount_bp),
            "paymentUrl": made.payment_url,
            "expiresAt": None if made.expires_at is None else iso(made.expires_at),
            "status": "pending",
        },
        replayed=replayed,
    )


def _ordered(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata in the vendor's order; the database does not keep one."""
    return {name: metadata[name] for name in (*_METADATA, *metadata) if name in metadata}


def _percent(basis_points: int) -> msgspec.Raw:
    """Return hundredths of a percent as a number without trailing zeros: 10, 12.5."""
    return msgspec.Raw(f"{basis_points / 100:g}".encode("ascii"))
