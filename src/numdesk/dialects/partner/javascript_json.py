"""JSON exactly as JavaScript reads and writes it, which clients of the partner API sign."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

#: Below this every whole double prints as its integer.
_EXACT_MAX = 2**53
#: ECMAScript writes numbers without an exponent from 1e-6 up to 21 digits before the point.
_WHOLE_DIGITS_MAX, _LEADING_ZEROS_MAX = 21, 5
#: Keys that JavaScript treats as array positions; it lists them first, by number.
_INDEX_MAX = 2**32 - 2
_is_index = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII).fullmatch
_lone_surrogate = re.compile("[\ud800-\udfff]")


def parse(text: str | bytes) -> Any:
    """Return the result of JSON.parse.

    Every number is a double; a repeated key keeps its first place and last value. Raises ValueError
    for a text that is not JSON, or is nested too deep.
    """
    try:
        decoded = text if isinstance(text, str) else text.decode()
        return json.loads(decoded, parse_int=float, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error


def stringify(value: Any) -> str:
    """Return the result of JSON.stringify.

    Raises ValueError for a value that is nested too deep.
    """
    try:
        return _written(value)
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"is not valid JSON: {name} is no number of it")


def _written(value: Any) -> str:
    match value:
        case str():
            return _text(value)
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float() | int():
            return _number(float(value))
        case Mapping():
            return (
                "{"
                + ",".join(f"{_text(key)}:{_written(value[key])}" for key in _listed(value))
                + "}"
            )
        case _:
            return "[" + ",".join(map(_written, value)) + "]"


_quoted = json.JSONEncoder(ensure_ascii=False).encode


def _text(text: str) -> str:
    """Return a string as JSON, with a lone surrogate as an escape."""
    return _lone_surrogate.sub(lambda found: f"\\u{ord(found[0]):04x}", _quoted(text))


def _listed(keys: Mapping[str, Any]) -> list[str]:
    """Return the keys in JavaScript's order: positions by number, then the rest in their order."""
    positions = sorted((key for key in keys if _is_index(key) and int(key) <= _INDEX_MAX), key=int)
    if not positions:
        return list(keys)
    first = set(positions)
    return positions + [key for key in keys if key not in first]


def _number(value: float) -> str:
    """Return a double as ECMAScript prints it: Python's shortest digits in another layout."""
    if -_EXACT_MAX < value < _EXACT_MAX and value.is_integer():
        return str(int(value))  # minus zero is zero
    if value in (float("inf"), float("-inf")):
        return "null"
    sign_bit, digit_list, exponent = Decimal(repr(value)).normalize().as_tuple()
    digits = "".join(map(str, digit_list))
    point = len(digits) + int(exponent)  # digits before the point
    if len(digits) <= point <= _WHOLE_DIGITS_MAX:
        text = digits + "0" * (point - len(digits))
    elif 0 < point <= _WHOLE_DIGITS_MAX:
        text = f"{digits[:point]}.{digits[point:]}"
    elif -_LEADING_ZEROS_MAX <= point <= 0:
        text = "0." + "0" * -point + digits
    else:
        text = digits[0] + ("." + digits[1:] if len(digits) > 1 else "") + f"e{point - 1:+d}"
    return "-" + text if sign_bit else text
