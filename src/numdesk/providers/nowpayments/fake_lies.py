"""Twenty ways in which a list of payments can be wrong, for proving that the nightly comparison
finds each; and one in which it may be.

A list that goes by other times than ours is `late`: what it lacks today it has on another day, and
by itself the payment is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from numdesk.providers.nowpayments.fake_world import Row, write_time

#: Made from the row's own id, so that a lie is the same whenever it is told.
_OTHER = 1_000_000_000


def _with(**changes: Any) -> Callable[[Row], list[Row]]:
    return lambda row: [{**row, **changes}]


def _times(name: str, factor: str) -> Callable[[Row], list[Row]]:
    return lambda row: [
        {**row, name: format((Decimal(row[name] or 0) * Decimal(factor)).normalize(), "f")}
    ]


def _other(row: Row) -> Row:
    return {**row, "payment_id": row["payment_id"] + _OTHER}


def _late(row: Row) -> list[Row]:
    """It turns up two days after it was made, so it is missing from its own day's list."""
    later = {
        name: write_time(datetime.fromisoformat(row[name]) + timedelta(days=2))
        for name in ("created_at", "updated_at")
    }
    return [{**row, **later}]


LIES: Mapping[str, Callable[[Row], list[Row]]] = {
    "missing": lambda _row: [],
    "doubled": lambda row: [row, *_times("actually_paid", "0.5")(row)],
    "doubled_as_another": lambda row: [row, _other(row)],
    "late": _late,
    "more_asked": _times("price_amount", "1.1"),
    "less_asked": _times("price_amount", "0.9"),
    "other_currency": _with(price_currency="usd"),
    "other_reference": _with(order_id="somebody-elses"),
    "no_reference": _with(order_id=None),
    "other_id": lambda row: [_other(row)],
    "paid_more": _times("actually_paid", "2"),
    "paid_less": _times("actually_paid", "0.5"),
    "other_coin": _with(pay_currency="eth"),
    "paid_nothing": _with(actually_paid="0", outcome_amount=None),
    "due_less": _times("pay_amount", "0.5"),
    "not_paid": _with(payment_status="waiting"),
    "seen_only": _with(payment_status="confirming"),
    "closed": _with(payment_status="expired"),
    "failed": _with(payment_status="failed"),
    "refunded": _with(payment_status="refunded"),
    "stranger": lambda row: [
        row,
        {**_other(row), "order_id": "stranger", "invoice_id": row["invoice_id"] + _OTHER},
    ],
}
