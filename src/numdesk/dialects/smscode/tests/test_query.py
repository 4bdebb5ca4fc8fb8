"""Tests of how the smscode API reads queries."""

from __future__ import annotations

import pytest

from numdesk.dialects import Request
from numdesk.dialects.smscode.query import clamped, integer_of, parse_query
from numdesk.domain.errors import InvalidInput


def request_of(query: bytes) -> Request:
    """Return a request with this query."""
    return Request(
        {"client": None, "method": "GET", "path": "/", "query_string": query}, {}, (), "id"
    )


class TestQuery:
    """Parameters of the query."""

    def test_moves_numbers_into_their_bounds(self) -> None:
        """A limit outside its bounds is the nearest inside."""
        for text, applied in (("0", 1), ("-7", 1), ("50", 50), ("101", 100), ("9" * 18, 100)):
            assert clamped({"limit": text}, "limit", default=20, least=1, most=100) == applied
        assert clamped({}, "limit", default=20, least=1, most=100) == 20

    @pytest.mark.parametrize("text", ["", "1.5", "1e3", "0x10", " 1", "١", "--1", "9" * 19])
    def test_refuses_other_than_integers(self, text: str) -> None:
        """Only ASCII digits with an optional minus are a number."""
        with pytest.raises(InvalidInput):
            integer_of({"limit": text}, "limit")

    @pytest.mark.parametrize(
        "query", [b"a=1&a=2", b"a=%ff", b"\xff=1", b"&".join(b"%d=1" % i for i in range(60))]
    )
    def test_refuses_what_is_ambiguous(self, query: bytes) -> None:
        """A name given twice, bytes that are not UTF-8 and floods of parameters are refused."""
        with pytest.raises(InvalidInput):
            parse_query(request_of(query))

    def test_reads_texts_as_they_are_encoded(self) -> None:
        """Percent signs and plus signs are decoded, and an empty text is there."""
        assert parse_query(request_of(b"a=%C3%A9+b&c=")) == {"a": "\u00e9 b", "c": ""}
        assert parse_query(request_of(b"")) == {}
