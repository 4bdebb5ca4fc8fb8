"""JSON read without losing a byte of its numbers, and written the way PHP and JavaScript write it.

A signature over JSON covers text, and an amount is text until somebody decides how to round it: so
a number stays the token that stood in the document (`0.00001234`, `1.50`, `1e-7`), which no float
gives back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from math import isfinite
from typing import Any, NoReturn

#: A signed call of another company is short; what is longer is not one.
DOCUMENT_BYTES_MAX = 64 * 1024

#: A callback has some thirty members; one with so many parts is made to keep us busy: each costs
#: some 10 us.
CALLBACK_PARTS_MAX = 256

#: Deeper ones are made to exhaust a reader.
DEPTH_MAX = 32

#: Words and ids of other companies are shorter.
TEXT_CHARS_MAX = 255

#: Amounts have at most so many digits before and after the point; more is not money.
DIGITS_MAX = 30

_AMOUNT = re.compile(
    rf"[0-9]{{1,{DIGITS_MAX}}}(?:\.[0-9]{{1,{DIGITS_MAX}}})?(?:[eE][+-]?[0-9]{{1,2}})?", re.ASCII
)
_SPACE = re.compile(r"[ \t\n\r]*")
_NOT_IN_ASCII = re.compile(r"[^\x00-\x7f]+")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]+")
#: PHP escapes these two even when it leaves other letters as they are: JavaScript once took them
#: for ends of lines.
_LINE_ENDS = re.compile("[\u2028\u2029]")


class NumberToken(str):
    """A number of a document, as it stood there."""

    __slots__ = ()


class JsonRefused(ValueError):
    """The bytes are no JSON object that two readers would understand alike, or not the one we need.

    The text says why and holds no byte.
    """


def read_text(
    raw: bytes, *, bytes_max: int = DOCUMENT_BYTES_MAX, parts_max: int | None = None
) -> str:
    """Return a document's text.

    Raises JsonRefused when it is too long, not UTF-8, or of more parts than may be, where that is
    bounded.

    The cost of reading an unknown document grows with its parts, so they are counted before
    anything is built from them.
    """
    if len(raw) > bytes_max:
        raise JsonRefused(f"is longer than {bytes_max} bytes")
    if parts_max is not None and raw.count(b",") + raw.count(b"[") + raw.count(b"{") > parts_max:
        raise JsonRefused(f"has more than {parts_max} parts")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise JsonRefused("is not UTF-8") from error


def read_object(text: str) -> dict[str, Any]:
    """Return a document's members: dicts, lists, strings, NumberTokens, True, False and None.

    Raises JsonRefused for text that is not JSON, not an object, too deep, names a key twice or says
    NaN.
    """
    try:
        found = _DECODER.decode(text)
    except JsonRefused:
        raise
    except (ValueError, RecursionError) as error:
        raise JsonRefused("is not JSON") from error
    if not isinstance(found, dict):
        raise JsonRefused("is not a JSON object")
    _check_depth(found, left=DEPTH_MAX)
    return found


def read_word(row: Mapping[str, Any], name: str) -> str:
    """Return a member that is a short text, or a number as it stood there. Raises JsonRefused."""
    found = maybe_word(row, name)
    if not found:
        raise JsonRefused(f"has no {name}")
    return found


def maybe_word(row: Mapping[str, Any], name: str) -> str | None:
    """Return a member as `read_word` does, None where there is none. Raises JsonRefused."""
    value = row.get(name)
    if value is None:
        return None
    # Neither a database nor JSON takes NUL or halves of letters.
    if not isinstance(value, str) or len(value) > TEXT_CHARS_MAX or not value.isprintable():
        raise JsonRefused(f"has a {name} that is no short text")
    return str(value)


def read_amount(row: Mapping[str, Any], name: str) -> Decimal:
    """Return a member that is an amount, as a number or as text, digit by digit.

    Raises JsonRefused.
    """
    value = row.get(name)
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
        raise JsonRefused(f"has a {name} that is no amount")
    return Decimal(value)


def maybe_amount(row: Mapping[str, Any], name: str) -> Decimal | None:
    """Return a member as `read_amount` does, None where there is none. Raises JsonRefused."""
    return read_amount(row, name) if row.get(name) is not None else None


def maybe_moment(value: object) -> datetime | None:
    """Return a moment such as 2026-01-31T12:00:00.000Z, in UTC when it names no zone.

    None for anything else.
    """
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def cut_member(text: str, name: str) -> str:
    """Return the text of an object, which `read_object` has read, without one of its own members.

    All else stays as it was.
    """
    spans = list(_member_spans(text))
    for at, (found, begin, end) in enumerate(spans):
        if found != name:
            continue
        if at + 1 < len(spans):
            return text[:begin] + text[spans[at + 1][1] :]
        return (text[: spans[at - 1][2]] if at else text[:begin]) + text[end:]
    return text


def write_php(value: Any, *, escape_unicode: bool) -> str:
    """Write a value as PHP's json_encode does: `/` escaped, letters escaped too unless
    JSON_UNESCAPED_UNICODE was asked for."""

    def string(text: str) -> str:
        written = _quote(text).replace("/", "\\/")
        return _escape(written, _NOT_IN_ASCII if escape_unicode else _LINE_ENDS)

    return _write(value, string)


def write_js(value: Any, *, escape_unicode: bool = False) -> str:
    """Write a value as JSON.stringify does (or as it does once its letters were escaped).

    Number tokens stay as they are.
    """
    written = _write(value, _quote)
    return in_ascii(written) if escape_unicode else written


def in_ascii(written: str) -> str:
    """Return a written document with its other letters escaped.

    They stand nowhere but in its strings.
    """
    return _escape(written, _NOT_IN_ASCII)


def js_number(number: str) -> NumberToken:
    """Return the text that JavaScript gives a number, which it keeps as a double: `27.00` is 27 and
    `0.00000015` is 1.5e-7."""
    value = float(number)
    if not isfinite(value):
        return NumberToken("null")
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int), "the number is finite"
    text, point = "".join(map(str, digits)), len(digits) + exponent
    if not value:
        return NumberToken("0")
    if 0 < point <= 21:
        text = text.ljust(point, "0")
        written = text if len(text) == point else f"{text[:point]}.{text[point:]}"
    elif -6 < point <= 0:
        written = f"0.{'0' * -point}{text}"
    else:
        written = f"{text[0]}{'.' if text[1:] else ''}{text[1:]}e{point - 1:+d}"
    return NumberToken("-" * sign + written)


def sort_like_js(names: Iterable[str]) -> list[str]:
    """Return names in the order that a JavaScript object has to which they were added sorted: array
    indices first, by number."""
    return sorted(
        names,
        key=lambda name: (0, int(name), b"") if _is_array_index(name) else (1, 0, _utf16(name)),
    )


def sort_by_utf16(names: Iterable[str]) -> list[str]:
    """Return names in the order of JavaScript's Array.prototype.sort."""
    return sorted(names, key=_utf16)


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-be", "surrogatepass")


def _is_array_index(name: str) -> bool:
    return (
        name.isascii()
        and name.isdigit()
        and (name == "0" or name[0] != "0")
        and len(name) <= 10
        and int(name) < 2**32 - 1
    )


def _member_spans(text: str) -> Iterable[tuple[str, int, int]]:
    """Yield name, begin and end of each member of an object whose text is known to be
    well-formed."""
    at = _skip(text, _skip(text, 0) + 1)
    while text[at] != "}":
        begin = at
        name, at = _DECODER.raw_decode(text, at)
        at = _skip(text, _skip(text, at) + 1)
        _, at = _DECODER.raw_decode(text, at)
        yield name, begin, at
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    assert match is not None, "nothing at all is space enough"
    return match.end()


def _write(value: Any, string: Callable[[str], str]) -> str:
    """Write a value that was read, without any space, with a way of writing strings."""
    if isinstance(value, NumberToken):
        return str(value)
    if isinstance(value, str):
        return string(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return (
            "{"
            + ",".join(f"{string(name)}:{_write(item, string)}" for name, item in value.items())
            + "}"
        )
    assert isinstance(value, list), f"no document holds {type(value).__name__}"
    return "[" + ",".join(_write(item, string) for item in value) + "]"


def _quote(text: str) -> str:
    """Write a string with what both languages escape: quotes, backslashes, controls below space,
    and halves of letters."""
    return _escape(_AS_IT_IS(text), _LONE_SURROGATE)


def _escape(written: str, letters: re.Pattern[str]) -> str:
    """Write all of some letters as \\uXXXX, two of them where UTF-16 needs two."""
    return letters.sub(lambda match: _IN_ASCII(match[0])[1:-1], written)


def _check_depth(value: Any, *, left: int) -> None:
    if not isinstance(value, dict | list):
        return
    if not left:
        raise JsonRefused("is nested too deeply")
    for item in value.values() if isinstance(value, dict) else value:
        _check_depth(item, left=left - 1)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise JsonRefused("names a key twice")
    return found


def _no_constant(_word: str) -> NoReturn:
    raise JsonRefused("holds a number that JSON does not have")


#: json.dumps without its preparations, which it would repeat for every letter.
_IN_ASCII = json.JSONEncoder().encode
_AS_IT_IS = json.JSONEncoder(ensure_ascii=False).encode
_DECODER = json.JSONDecoder(
    parse_float=NumberToken,
    parse_int=NumberToken,
    parse_constant=_no_constant,
    object_pairs_hook=_once,
)
