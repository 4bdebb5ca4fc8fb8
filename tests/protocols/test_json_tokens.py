"""Documents keep their numbers to the letter, and are written as PHP and JavaScript write them."""

import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numdesk.protocols.json_tokens import (
    JsonRefused,
    NumberToken,
    cut_member,
    js_number,
    maybe_amount,
    maybe_moment,
    maybe_word,
    read_amount,
    read_object,
    read_text,
    read_word,
    sort_like_js,
    write_js,
    write_php,
)

NUMBERS = st.from_regex(r"\A-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?\Z").map(
    NumberToken
)
TEXTS = st.text(st.characters(exclude_categories=[]), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)
DOCUMENTS = st.dictionaries(TEXTS, VALUES, max_size=6)


class TestRead:
    """Reading."""

    @given(DOCUMENTS, st.booleans())
    def test_gives_back_what_was_written(self, document: dict[str, Any], escapes: bool) -> None:
        """Writing and reading is identity, in both languages, number tokens and lone surrogates
        included."""
        assert read_object(write_js(document, escape_unicode=escapes)) == document
        assert read_object(write_php(document, escape_unicode=escapes)) == document

    @given(DOCUMENTS)
    def test_keeps_numbers_apart_from_texts(self, document: dict[str, Any]) -> None:
        """Writing again what was read gives the same text: `1.50` stays so, and `"1.50"` is no
        number."""
        text = write_js(document)
        assert write_js(read_object(text)) == text

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "1",
            "[]",
            "nul",
            '{"a":1,"a":2}',
            '{"a":{"b":1,"b":1}}',
            '{"a":NaN}',
            '{"a":-Infinity}',
            '{"a":01}',
        ],
    )
    def test_refuses_what_readers_disagree_about(self, text: str) -> None:
        """A key named twice, and numbers that JSON does not have, are refused."""
        with pytest.raises(JsonRefused):
            read_object(text)

    @pytest.mark.parametrize("depth", [40, 2_000, 60_000])
    def test_refuses_what_is_nested_too_deeply(self, depth: int) -> None:
        """Depth cannot exhaust the reader."""
        with pytest.raises(JsonRefused):
            read_object('{"a":' + "[" * depth + "]" * depth + "}")

    def test_refuses_too_long_and_other_encodings(self) -> None:
        """Bytes are UTF-8 and bounded."""
        with pytest.raises(JsonRefused, match="longer"):
            read_text(b"x" * 11, bytes_max=10)
        with pytest.raises(JsonRefused, match="UTF-8"):
            read_text(b"\xff")


class TestReadMembers:
    """What may stand in a member, and what is refused by its name."""

    def test_takes_numbers_and_texts_alike(self) -> None:
        """An id or an amount is the token that stood there, whether in quotes or not.

        What is not there is None.
        """
        row = read_object('{"id": 7, "name": "x/К", "sum": 1.50, "text": "1e-7", "none": null}')
        assert [read_word(row, name) for name in ("id", "name", "sum")] == ["7", "x/К", "1.50"]
        assert [read_amount(row, name) for name in ("sum", "text")] == [
            Decimal("1.50"),
            Decimal("0.0000001"),
        ]
        assert {
            maybe_word(row, "none"),
            maybe_amount(row, "none"),
            maybe_word(row, "nowhere"),
            maybe_amount(row, "nowhere"),
        } == {None}

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "-1",
            "1,5",
            "NaN",
            "Infinity",
            "1e999",
            "0x10",
            "１",
            " 1",
            "1" * 31,
            None,
            True,
            15,
            15.0,
            ["1"],
            {},
            NumberToken("-0.5"),
        ],
    )
    def test_refuses_what_is_no_amount(self, value: object) -> None:
        """Nothing but plain digits is money, and nobody's text is repeated."""
        with pytest.raises(JsonRefused, match=r"^has a sum that is no amount$"):
            read_amount({"sum": value}, "sum")

    @pytest.mark.parametrize("value", ["a\0b", "\ud800", "a\nb", "x" * 256, 1, True, ["a"], {}])
    def test_refuses_a_text_that_cannot_be_kept(self, value: object) -> None:
        """What no database takes is refused when it is read, and is no error of ours later."""
        with pytest.raises(JsonRefused, match=r"^has a name that is no short text$"):
            maybe_word({"name": value}, "name")

    @pytest.mark.parametrize("value", [None, ""])
    def test_refuses_a_word_that_is_not_there(self, value: object) -> None:
        """A word that is needed has a letter at least."""
        with pytest.raises(JsonRefused, match=r"^has no name$"):
            read_word({"name": value}, "name")

    @pytest.mark.parametrize(
        ("value", "moment"),
        [
            ("2026-03-01T12:00:00+03:00", datetime(2026, 3, 1, 9, tzinfo=UTC)),
            ("2026-03-01T12:00:00.250Z", datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)),
            ("2026-03-01T12:00:00", datetime(2026, 3, 1, 12, tzinfo=UTC)),
            *(
                (text, None)
                for text in (
                    None,
                    1,
                    "",
                    "yesterday",
                    "2026-13-01T00:00:00Z",
                    "0001-01-01T00:00:00+23:59",
                )
            ),
        ],
    )
    def test_has_no_moment_where_none_is_told(self, value: object, moment: datetime | None) -> None:
        """A moment is in UTC, and one that cannot be read is none."""
        assert maybe_moment(value) == moment


class TestCutMember:
    """Taking a member out of a text."""

    @given(DOCUMENTS, st.integers(0, 5), VALUES, st.sampled_from(["", " ", "\n\t "]))
    def test_leaves_the_rest_as_it_was(
        self, document: dict[str, Any], at: int, value: Any, space: str
    ) -> None:
        """Wherever it stands, however it is spaced, only the one member goes."""
        document.pop("sign", None)
        members = [
            f"{write_js(name)}{space}:{space}{write_js(item)}" for name, item in document.items()
        ]
        rest = "{" + f"{space},{space}".join(members) + "}"
        whole = [*members[:at], f'"sign"{space}:{write_js(value)}', *members[at:]]
        cut = cut_member("{" + f"{space},{space}".join(whole) + "}", "sign")
        assert cut == rest
        assert read_object(cut) == document

    def test_changes_nothing_where_it_is_not(self) -> None:
        """A member of an inner object, or a text that looks like one, is left alone."""
        text = r'{"a":{"sign":1},"b":"\"sign\":1"}'
        assert cut_member(text, "sign") == text
        assert cut_member("{}", "sign") == "{}"


class TestWrite:
    """The two languages' ways."""

    def test_writes_like_php(self) -> None:
        """Slashes are escaped, letters as asked, ends of lines always, numbers never touched."""
        value = {"a/b": 'К/"\\\u2028\x7f\x01\n😀', "n": NumberToken("1.50")}
        assert (
            write_php(value, escape_unicode=False)
            == r'{"a\/b":"К\/\"\\\u2028' + "\x7f" + r'\u0001\n😀","n":1.50}'
        )
        assert (
            write_php(value, escape_unicode=True)
            == r'{"a\/b":"\u041a\/\"\\\u2028' + "\x7f" + r'\u0001\n\ud83d\ude00","n":1.50}'
        )

    def test_writes_like_javascript(self) -> None:
        """Neither slashes nor letters are escaped; halves of letters are."""
        assert write_js({"a/b": "К/\u2028\x7f\ud800"}) == '{"a/b":"К/\u2028\x7f\\ud800"}'

    @pytest.mark.parametrize(
        ("number", "text"),
        [
            ("27.00", "27"),
            ("0.00001234", "0.00001234"),
            ("0.00000015", "1.5e-7"),
            ("1e21", "1e+21"),
            ("123456789012345678901", "123456789012345680000"),
            ("-0", "0"),
            ("0", "0"),
            ("-1.50", "-1.5"),
            ("0.1", "0.1"),
            ("1e999", "null"),
            ("1e-7", "1e-7"),
            ("100", "100"),
        ],
    )
    def test_writes_numbers_like_javascript(self, number: str, text: str) -> None:
        """A double's shortest digits, laid out as ECMAScript does."""
        assert js_number(number) == text

    def test_sorts_like_a_javascript_object(self) -> None:
        """Array indices come first by number, the rest by UTF-16 code units."""
        names = ["b", "10", "9", "a", "01", "4294967295", "4294967294", "￿", "😀", ""]
        assert sort_like_js(names) == [
            "9",
            "10",
            "4294967294",
            "",
            "01",
            "4294967295",
            "a",
            "b",
            "😀",
            "￿",
        ]

    @pytest.mark.skipif(shutil.which("node") is None, reason="needs Node to compare with")
    @settings(max_examples=1)
    @given(st.lists(DOCUMENTS, min_size=200, max_size=200))
    def test_agrees_with_javascript_itself(self, documents: list[dict[str, Any]]) -> None:
        """On texts, numbers and orders of keys, Node writes what we write."""
        documents = [_as_doubles(document) for document in documents]
        program = """
            const sorted = (v) => Array.isArray(v) ? v.map(sorted) : v && typeof v === "object"
              ? Object.keys(v).sort().reduce((r, k) => { r[k] = sorted(v[k]); return r }, {}) : v;
            const read = JSON.parse(require("fs").readFileSync(0, "utf8"));
            process.stdout.write(JSON.stringify(read.map(d => JSON.stringify(sorted(JSON.parse(d))))))"""
        asked = json.dumps([write_js(document) for document in documents])
        documents = [_as_doubles(document, js_number) for document in documents]
        done = subprocess.run(
            ["node", "-e", program],  # noqa: S607
            input=asked,
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(done.stdout) == [write_js(_sorted(document)) for document in documents]


def _as_doubles(value: Any, write: Callable[[str], NumberToken] = NumberToken) -> Any:
    """Writes numbers anew, and leaves out the one key that JavaScript takes for something else."""
    if isinstance(value, dict):
        return {
            name: _as_doubles(item, write) for name, item in value.items() if name != "__proto__"
        }
    if isinstance(value, list):
        return [_as_doubles(item, write) for item in value]
    return write(value) if isinstance(value, NumberToken) else value


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sort_like_js(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value
