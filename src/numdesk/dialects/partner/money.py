"""Amounts of this API: cents inside, euros with two decimals as a JSON number outside."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from numdesk.domain.errors import InvalidInput
from numdesk.domain.money import AMOUNT_MAX

#: The currency of every wallet here, and the sign that calls about numbers use instead.
EUR, SIGN = "EUR", "€"


def money(cents: int) -> msgspec.Raw:
    """Return an amount as the JSON number of the vendor's document: 27.00, never 27."""
    whole, part = divmod(abs(cents), 100)
    return msgspec.Raw(f"{'-' if cents < 0 else ''}{whole}.{part:02}".encode("ascii"))


def cents_of(value: object, *, field: str) -> int:
    """Return the cents of a number of euros from a client; refuses with InvalidInput.

    The shortest digits of a double are the client's digits, as long as the client wrote no more
    than a double holds.
    """
    if value is None:
        raise InvalidInput(field=field, reason="is required: a number of euros, such as 500")
    if type(value) is not float:
        raise InvalidInput(
            field=field,
            reason="must be a JSON number of euros, such as 500 or 27.50 without quotes",
        )
    if not value > 0:
        raise InvalidInput(field=field, reason="must be above zero")
    if value > AMOUNT_MAX // 100:
        raise InvalidInput(field=field, reason=f"must be at most {AMOUNT_MAX // 100:,} euros")
    cents = Decimal(repr(value)) * 100
    if cents != cents.to_integral_value():
        raise InvalidInput(field=field, reason="must have at most two decimals")
    return int(cents)
