"""Tests of the JSON object in a body of the smscode API."""

from __future__ import annotations

import pytest

from numdesk.dialects.smscode.body import read_object
from numdesk.domain.errors import InvalidInput

ALLOWED = frozenset({"product_id", "catalog_product_id", "policy", "prefer_provider"})


class TestReadObject:
    """The object of a body."""

    @pytest.mark.parametrize(
        "body",
        [
            b'{"product_id":1,"product_id":1}',
            b'{"product_id":1,"policy":null,"policy":null}',
            b'{"catalog_product_id":1,"prefer_provider":"a:b","prefer_provider":"a"}',
            b'{"product_id":{"a":1,"a":2}}',
            b"[" * 5000,
            b'{"product_id":' + b"[" * 5000 + b"]" * 5000 + b"}",
            b'{"product_id":' + b"9" * 5000 + b"}",
            b'{"product_id":"\xff"}',
            b'\xef\xbb\xbf{"product_id":1}',
            b'{"product_id":NaN}',
        ],
    )
    def test_refuses_other_json(self, body: bytes) -> None:
        """Fields given twice, endless nesting and numbers, and what is no JSON are refused, never a
        fault.
        """
        with pytest.raises(InvalidInput):
            read_object(body, allowed=ALLOWED)

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b'\xef\xbb\xbf{"product_id":1}', "byte order mark"),
            ('{"product_id":1}'.encode("utf-16"), "byte order mark"),
            (b'{"product_id":1,"prefer_provider":"\xe9"}', "not UTF-8 at byte 35"),
            (b'{"product_id":1,"prefer_provider":"\xed\xa0\x80"}', "not UTF-8 at byte 35"),
            (b"[1]", "must be a JSON object"),
            (b"", "must be a JSON object"),
        ],
    )
    def test_says_what_an_editor_does_not_show(self, body: bytes, reason: str) -> None:
        """A byte order mark and bytes that are not UTF-8 are named, for the text looks like JSON to
        who sent it.
        """
        with pytest.raises(InvalidInput) as refused:
            read_object(body, allowed=ALLOWED)
        assert reason in refused.value.reason
