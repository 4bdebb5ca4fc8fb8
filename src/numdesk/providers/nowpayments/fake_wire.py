"""The notation of the fake NOWPayments: amounts as JavaScript's numbers, callbacks signed over
their sorted keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numdesk.protocols.json_tokens import js_number, write_js
from numdesk.providers.nowpayments.callback import HEADER, canonical, sign
from numdesk.providers.nowpayments.fake_world import COIN, COINS, Row

_AMOUNTS = (
    "price_amount",
    "pay_amount",
    "actually_paid",
    "actually_paid_at_fiat",
    "outcome_amount",
)
_NOTICED = (
    "payment_id", "parent_payment_id", "invoice_id", "payment_status", "pay_address", "payin_extra_id", "price_amount", "price_currency",
    "pay_amount", "actually_paid", "actually_paid_at_fiat", "pay_currency", "order_id", "order_description", "purchase_id",
    "outcome_amount", "outcome_currency", "payment_extra_ids", "fee",
)  # fmt: skip


def write_notice(
    document: Mapping[str, Any], *, claims: Mapping[str, Any], key: str, escapes: bool
) -> tuple[dict[str, str], bytes]:
    """Return a callback's headers and bytes, signed; `claims` take the place of the true values."""
    told = as_told({name: document[name] for name in _NOTICED}) | _numbers(dict(claims))
    signature = sign(
        write_js(canonical(told, lists_as_objects=True), escape_unicode=escapes), key=key
    )
    return {"Content-Type": "application/json", HEADER: signature}, write_js(told).encode()


def write_document(document: Any) -> str:
    """Write an answer."""
    return write_js(_numbers(document))


def as_told(row: Row) -> Row:
    """Return a payment as it goes over the wire: amounts are numbers there."""
    fee = row["fee"] and {
        name: value if name == "currency" else js_number(value)
        for name, value in row["fee"].items()
    }
    amounts = {name: js_number(row[name]) for name in _AMOUNTS if row.get(name) is not None}
    return _numbers({**row, **amounts, "fee": fee})


def coin_of(currency: str | None) -> str | None:
    """Return the coin that a currency names, None for other money."""
    name = {"usdt": COIN}.get((currency or "").lower(), (currency or "").lower())
    return name if name in COINS else None


def _numbers(value: Any) -> Any:
    """Return a value whose whole numbers are tokens."""
    if isinstance(value, dict):
        return {name: _numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return (
        js_number(str(value)) if isinstance(value, int) and not isinstance(value, bool) else value
    )
