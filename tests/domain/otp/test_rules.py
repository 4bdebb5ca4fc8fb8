"""Rules of the operator: which is tried, what it may answer, and that none of them can lose a
message."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdesk.domain.otp.extract import TEXT_LENGTH_MAX
from numdesk.domain.otp.rules import Rule, Trial, in_order, is_from, read


@dataclass(frozen=True)
class Literal:
    """Finds what a pattern of the test's own says."""

    pattern: str

    def find(self, text: str) -> tuple[int, int] | None:
        """Returns the first group."""
        match = re.search(self.pattern, text)
        return match.span(1) if match else None


class Broken:
    """Fails, as no pattern should."""

    def find(self, text: str) -> tuple[int, int] | None:
        """Raises."""
        raise MemoryError(text)


@dataclass(frozen=True)
class Anywhere:
    """Finds the code in one place of whatever text."""

    start: int
    end: int

    def find(self, text: str) -> tuple[int, int] | None:
        """Returns the place, cut to the text."""
        return min(self.start, len(text)), min(self.end, len(text))


def _rule(number: int, pattern: str, *, sender: str | None = None) -> Rule:
    return Rule(number, sender, Literal(pattern))


class TestRead:
    def test_takes_the_first_that_gives_a_code(self) -> None:
        """Rules are tried in order, and what came of each is told up to the one that decided."""
        rules = [_rule(1, r"PIN (\d+)"), _rule(2, r"code (\d+)"), _rule(3, r"(\d+)")]
        reading = read("code 482913, PIN", sender="", rules=rules)
        assert reading.found is not None
        assert (reading.found.code, reading.found.rule, reading.found.span) == (
            "482913",
            "operator:2",
            (5, 11),
        )
        assert [(rule.id, trial) for rule, trial in reading.trials] == [
            (1, Trial.NO_MATCH),
            (2, Trial.FOUND),
        ]

    def test_sees_folded_digits_and_tells_places_of_the_message(self) -> None:
        """Digits of any script are ASCII to a pattern, invisible marks are gone, and the span is
        that of the message as it came."""
        text = "\u200fرمز\u200b: ۴۸۲-۹۱۳"
        found = read(text, sender="", rules=[_rule(1, r": (\d{3}-\d{3})")]).found
        assert found is not None
        assert (found.code, found.raw, text[slice(*found.span)]) == ("482913", "۴۸۲-۹۱۳", "۴۸۲-۹۱۳")

    @pytest.mark.parametrize("text", ["code 482", "code 12345678901", "code ab_cd", "code #"])
    def test_takes_nothing_that_is_no_code(self, text: str) -> None:
        """Four to ten letters and digits, whatever a pattern says."""
        reading = read(text, sender="", rules=[_rule(1, r"code (.*)")])
        assert reading.found is None
        assert [trial for _, trial in reading.trials] == [Trial.IMPLAUSIBLE]

    def test_passes_an_empty_group_over(self) -> None:
        """A group that holds nothing is no code."""
        assert [
            trial for _, trial in read("code", sender="", rules=[_rule(1, r"code(\d*)")]).trials
        ] == [Trial.IMPLAUSIBLE]

    def test_survives_a_pattern_that_breaks(self) -> None:
        """The next rule is tried."""
        reading = read("code 4829", sender="", rules=[Rule(1, None, Broken()), _rule(2, r"(\d+)")])
        assert [trial for _, trial in reading.trials] == [Trial.FAILED, Trial.FOUND]

    def test_asks_who_sent_it(self) -> None:
        """A rule for a sender says nothing about messages of others."""
        reading = read("code 4829", sender="Bank", rules=[_rule(1, r"(\d+)", sender="Goo*")])
        assert [trial for _, trial in reading.trials] == [Trial.OTHER_SENDER]

    @given(
        st.text(max_size=80)
        | st.text(alphabet="0123456789\u200f۴- ", max_size=TEXT_LENGTH_MAX + 50),
        st.text(max_size=20),
        st.integers(0, 2100),
        st.integers(0, 2100),
    )
    def test_never_raises_and_points_into_the_message(
        self, text: str, sender: str, start: int, end: int
    ) -> None:
        """Whatever a pattern points at, the span is of the message and holds what was written."""
        found = read(
            text,
            sender=sender,
            rules=[Rule(1, None, Anywhere(start, end)), Rule(2, "*[?", Broken())],
        ).found
        if found is not None:
            assert text[slice(*found.span)] == found.raw
            assert found.code.isalnum()
            assert 4 <= len(found.code) <= 10


class TestInOrder:
    def test_puts_those_for_a_sender_first(self) -> None:
        """Then the older ones."""
        rules = [
            _rule(1, "(a)"),
            _rule(4, "(a)", sender="B"),
            _rule(2, "(a)", sender="A"),
            _rule(3, "(a)"),
        ]
        assert [rule.id for rule in in_order(rules)] == [2, 4, 1, 3]


class TestIsFrom:
    @pytest.mark.parametrize(
        ("sender", "glob", "answer"),
        [
            ("Google", None, True),
            ("Google", "google", True),
            (" GOOGLE ", "Google", True),
            ("Google LLC", "google", False),
            ("Google LLC", "goo*", True),
            ("+4915112345", "+49*", True),
            ("AB", "A?", True),
            ("A", "A?", False),
            ("a[b]c", "a[b]c", True),
            ("abc", "a[b]c", False),
            ("a.c", "a.c", True),
            ("abc", "a.c", False),
        ],
    )
    def test_knows_stars_and_question_marks_only(
        self, sender: str, glob: str | None, answer: bool
    ) -> None:
        """Everything else in a glob stands for itself, in whatever case."""
        assert is_from(sender, glob=glob) is answer

    def test_ends_in_time(self) -> None:
        """Many stars are no trap."""
        assert not is_from("a" * 64, glob="*a" * 31 + "*b")
