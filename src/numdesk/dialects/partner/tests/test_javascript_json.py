"""Tests of JSON as JavaScript reads and writes it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdesk.dialects.partner.javascript_json import parse, stringify

#: Texts, and what Node 20 prints for JSON.stringify(JSON.parse(text)).
WRITTEN = [
    ("27.00", "27"),
    ("-0", "0"),
    ("-0.0", "0"),
    ("1e21", "1e+21"),
    ("1e20", "100000000000000000000"),
    ("123456789012345680000", "123456789012345680000"),
    ("12345678901234567890123", "1.2345678901234568e+22"),
    ("9007199254740993", "9007199254740992"),
    ("1E400", "null"),
    ("-1e400", "null"),
    ("1e-400", "0"),
    ("1e-6", "0.000001"),
    ("1e-7", "1e-7"),
    ("-1.5e-9", "-1.5e-9"),
    ("0.1", "0.1"),
    ("5e-324", "5e-324"),
    ("1.7976931348623157e308", "1.7976931348623157e+308"),
    ("1000.50", "1000.5"),
    ("9" * 5000, "null"),
    (' { "a" : [ 1 , true , null ] } ', '{"a":[1,true,null]}'),
    (r'"\u00e9\/\u2028\u007f"', '"\u00e9/\u2028\x7f"'),
    (r'"\u0000\u001F\b\f\n\r\t\"\\"', r'"\u0000\u001f\b\f\n\r\t\"\\"'),
    (r'"\ud83d\ude00"', '"😀"'),
    (r'"\uDE00\uD83D"', r'"\ude00\ud83d"'),
    ('{"b":1,"a":2,"b":3}', '{"b":3,"a":2}'),
    ('{"b":1,"10":2,"9":3,"a":4,"0":5}', '{"0":5,"9":3,"10":2,"b":1,"a":4}'),
    ('{"b":1,"01":2,"-1":3,"1.0":4}', '{"b":1,"01":2,"-1":3,"1.0":4}'),
    ('{"4294967295":1,"4294967294":2}', '{"4294967294":2,"4294967295":1}'),
    ('{"__proto__":1,"":2}', '{"__proto__":1,"":2}'),
]
NO_JSON = [
    "",
    " ",
    "{",
    "[1,]",
    '{"a":1,}',
    "01",
    "1.",
    "+1",
    ".5",
    "NaN",
    "Infinity",
    "-Infinity",
    "'a'",
    '"\x01"',
    "1 2",
    "\ufeff1",
    "[" * 100_000,
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.integers(-(2**53), 2**53),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.integers(0, 20).map(str), inner, max_size=4)
    ),
)


class TestJavaScriptJson:
    """JSON the way the clients' JSON.parse and JSON.stringify have it."""

    @pytest.mark.parametrize(("text", "written"), WRITTEN, ids=[text[:30] for text, _ in WRITTEN])
    def test_is_written_as_node_writes_it(self, text: str, written: str) -> None:
        """Numbers, strings and the order of keys come out as in JavaScript."""
        assert stringify(parse(text)) == written

    @pytest.mark.parametrize("text", NO_JSON, ids=[text[:20] for text in NO_JSON])
    def test_is_refused_where_node_refuses_it(self, text: str) -> None:
        """A text that is not JSON (or nested too deep) is a ValueError, never another fault."""
        with pytest.raises(ValueError, match=r"."):
            parse(text)

    def test_is_refused_when_it_is_no_text(self) -> None:
        """Bytes that are not UTF-8 are not JSON."""
        with pytest.raises(ValueError, match=r"utf-8"):
            parse(b'"\xff"')

    def test_is_not_written_too_deep(self) -> None:
        """Depth that Python can hold but not write is a ValueError as well."""
        deep: Any = 1
        for _ in range(100_000):
            deep = [deep]
        with pytest.raises(ValueError, match=r"deep"):
            stringify(deep)

    @given(JSON)
    def test_does_not_change_when_written_again(self, value: Any) -> None:
        """What was written is read and written as the same text, and says the same."""
        text = stringify(value)
        assert stringify(parse(text)) == text
        assert parse(text) == json.loads(json.dumps(value), parse_int=float)
