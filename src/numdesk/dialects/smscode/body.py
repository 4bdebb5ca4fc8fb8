"""The JSON object in a body of the smscode API, and its fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from numdesk.domain.errors import InvalidInput

INT64_MAX = 2**63 - 1
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def read_object(body: bytes, *, allowed: frozenset[str]) -> dict[str, Any]:
    """Return the body's JSON object.

    Refuses with InvalidInput other JSON, unknown fields and repeated fields.
    """
    try:
        data = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(field="body", reason=_fault_of(body)) from error
    # Each field has one colon; a closer look is needed only if there are more (within texts, or by
    # a repeated name).
    if body.count(b":") != len(data):
        _check_repeats(body)
    if not data.keys() <= allowed:
        raise InvalidInput(field="body", reason=f"has no field {min(data.keys() - allowed)[:64]!r}")
    return data


def _fault_of(body: bytes) -> str:
    """Return the fault of a body without a JSON object, such as bytes that editors do not show."""
    if body.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        return "starts with a byte order mark; send the JSON object without it, as UTF-8"
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return f"is not UTF-8 at byte {error.start}"
    return "must be a JSON object"


def _check_repeats(body: bytes) -> None:
    """Refuse an object with a repeated field: the decoder would silently keep the last one."""

    def pairs_to_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise InvalidInput(field="body", reason="names a field twice")
        return found

    try:
        json.loads(body, object_pairs_hook=pairs_to_object)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(field="body", reason="must be a JSON object") from error


def integer_of(data: Mapping[str, Any], name: str) -> int | None:
    value = data.get(name)
    if value is not None and (type(value) is not int or not -INT64_MAX <= value <= INT64_MAX):
        raise InvalidInput(field=name, reason="must be an integer")
    return value


def text_of(data: Mapping[str, Any], name: str, chars_max: int) -> str | None:
    value = data.get(name)
    if value is not None and (type(value) is not str or len(value) > chars_max):
        raise InvalidInput(field=name, reason=f"must be a string of at most {chars_max} characters")
    return value
