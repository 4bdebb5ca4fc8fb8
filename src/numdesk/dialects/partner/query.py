"""Query parameters and pages; malformed or ambiguous ones are refused, never guessed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl

from numdesk.dialects import Request
from numdesk.domain.errors import InvalidInput
from numdesk.domain.rentals.lifecycle import RentalState

#: More parameters than any call has; the rest is not parsed.
FIELDS_MAX = 50
LIMIT_DEFAULT, LIMIT_MAX = 50, 100
#: The last page number; pages beyond it would make the database count for nothing.
PAGE_MAX = 100_000

_is_count = re.compile(r"[0-9]{1,9}", re.ASCII).fullmatch

_INACTIVE = frozenset(RentalState) - {RentalState.ACTIVE}
#: Words for states of rentals, in a filter in any case. The vendor has two; the others distinguish
#: states of the second.
STATES: Mapping[str, frozenset[RentalState]] = {
    "active": frozenset({RentalState.ACTIVE}),
    "inactive": _INACTIVE,
    "expired": frozenset({RentalState.EXPIRED}),
    "cancelled": frozenset({RentalState.CANCELED}),
    "canceled": frozenset({RentalState.CANCELED}),
    "all": frozenset(RentalState),
}


class Turned(NamedTuple):
    """The requested page, counted from 1, and its length."""

    page: int
    limit: int


def parse_query(request: Request) -> dict[str, str]:
    """Return the parameters of the query.

    Refuses with InvalidInput a malformed query, a repeated name, or an unreadable text.
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


def page_of(query: Mapping[str, str]) -> Turned:
    """Return the requested page; its length is cut to LIMIT_MAX.

    Refuses with InvalidInput.
    """
    page = _count(query, "page", 1)
    if page > PAGE_MAX:
        raise InvalidInput(field="page", reason=f"must be from 1 to {PAGE_MAX}")
    return Turned(page, min(_count(query, "limit", LIMIT_DEFAULT), LIMIT_MAX))


def is_ascending(query: Mapping[str, str]) -> bool:
    """Return whether the query asks for the oldest first.

    Refuses with InvalidInput anything but `asc` and `desc`.
    """
    order = query.get("order", "desc").lower()
    if order not in ("asc", "desc"):
        raise InvalidInput(field="order", reason="must be asc or desc")
    return order == "asc"


def states_of(query: Mapping[str, str], default: str) -> frozenset[RentalState]:
    """Return the states that the query's `status` selects; refuses with InvalidInput."""
    states = STATES.get(query.get("status", default).lower())
    if states is None:
        raise InvalidInput(field="status", reason=f"must be one of {', '.join(STATES)}")
    return states


def _count(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if _is_count(text) is None or int(text) < 1:
        raise InvalidInput(field=name, reason="must be a whole number of at least 1")
    return int(text)
