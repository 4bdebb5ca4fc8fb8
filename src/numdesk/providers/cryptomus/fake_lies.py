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

from numdesk.providers.cryptomus.fake_world import Row

#: Made from the row's own uuid, so that a lie is the same whenever it is told.
_OTHER = "ffffffff"


def _with(**changes: Any) -> Callable[[Row], list[Row]]:
    return lambda row: [{**row, **changes}]


def _status(word: str) -> Callable[[Row], list[Row]]:
    return _with(status=word, payment_status=word)


def _times(name: str, factor: str) -> Callable[[Row], list[Row]]:
    return lambda row: [
        {**row, name: format((Decimal(row[name] or 0) * Decimal(factor)).normalize(), "f")}
    ]


def _other(row: Row) -> Row:
    return {**row, "uuid": _OTHER + row["uuid"][8:]}


def _late(row: Row) -> list[Row]:
    """It turns up two days after it was made, so it is missing from its own day's list."""
    later = {
        name: (datetime.fromisoformat(row[name]) + timedelta(days=2)).isoformat()
        for name in ("created_at", "updated_at")
    }
    return [{**row, **later}]


LIES: Mapping[str, Callable[[Row], list[Row]]] = {
    "missing": lambda _row: [],
    "doubled": lambda row: [row, *_times("payment_amount", "0.5")(row)],
    "doubled_as_another": lambda row: [row, _other(row)],
    "late": _late,
    "more_asked": _times("amount", "1.1"),
    "less_asked": _times("amount", "0.9"),
    "other_currency": _with(currency="USD"),
    "other_reference": _with(order_id="somebody-elses"),
    "no_reference": _with(order_id=None),
    "other_id": lambda row: [_other(row)],
    "paid_more": _times("payment_amount", "2"),
    "paid_less": _times("payment_amount", "0.5"),
    "other_coin": _with(payer_currency="ETH"),
    "paid_nothing": _with(payment_amount=None, merchant_amount=None),
    "due_less": _times("payer_amount", "0.5"),
    "not_paid": _status("check"),
    "seen_only": _status("confirm_check"),
    "closed": _status("cancel"),
    "failed": _status("fail"),
    "refunded": _status("refund_paid"),
    "stranger": lambda row: [row, {**_other(row), "order_id": "stranger"}],
}
