"""Query parameters; malformed or ambiguous ones are refused, never guessed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from numdesk.dialects import Request
from numdesk.domain.errors import InvalidInput

#: More parameters than any call has; the rest is not parsed.
FIELDS_MAX = 50

_is_integer = re.compile(r"-?[0-9]{1,18}", re.ASCII).fullmatch


def parse_query(request: Request) -> dict[str, str]:
    """Return the parameters of the query.

    Refuses a malformed query or a repeated name with InvalidInput.
    """
    if not request.query:
        return {}
    try:
        pairs = parse_qsl(
            request.query.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=FIELDS_MAX,
        )
    except ValueError as error:
        raise InvalidInput(field="query", reason="is malformed") from error
    query = dict(pairs)
    if len(query) != len(pairs):
        raise InvalidInput(field="query", reason="names a parameter twice")
    return query


def integer_of(query: Mapping[str, str], name: str) -> int | None:
    """Return a whole number of the query, or None if absent; refuses with InvalidInput."""
    text = query.get(name)
    if text is None:
        return None
    if _is_integer(text) is None:
        raise InvalidInput(field=name, reason="must be an integer")
    return int(text)


def clamped(query: Mapping[str, str], name: str, *, default: int, least: int, most: int) -> int:
    """Return a whole number of the query, clamped to its bounds; refuses with InvalidInput."""
    value = integer_of(query, name)
    return default if value is None else min(max(value, least), most)
