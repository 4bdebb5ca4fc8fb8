"""Parameters behind the question mark, strictly read: what is malformed or ambiguous is refused, never guessed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from numdesk.dialects import Request
from numdesk.domain.errors import InvalidInput

#: No call has a dozen parameters; a flood of them is not worth reading.
FIELDS_MAX = 50

_is_integer = re.compile(r"-?[0-9]{1,18}", re.ASCII).fullmatch


def parse_query(request: Request) -> dict[str, str]:
    """Returns the parameters of the query; refuses with InvalidInput what is malformed or given twice."""
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
    """Returns a whole number of the query, None when it is not there; refuses with InvalidInput."""
    text = query.get(name)
    if text is None:
        return None
    if _is_integer(text) is None:
        raise InvalidInput(field=name, reason="must be an integer")
    return int(text)


def clamped(query: Mapping[str, str], name: str, *, default: int, least: int, most: int) -> int:
    """Returns a whole number of the query, moved to the nearest that is allowed; refuses with InvalidInput."""
    value = integer_of(query, name)
    return default if value is None else min(max(value, least), most)
