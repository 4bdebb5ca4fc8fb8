"""Patterns of people: what is refused and why, what is found, and that no text keeps one busy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.cost import cost

from numdesk.kit.pattern import (
    PATTERN_LENGTH_MAX,
    TEXT_LENGTH_MAX,
    Pattern,
    PatternRefused,
    checked_pattern,
)

#: What makes a backtracking matcher try more ways than there are atoms.
CATASTROPHIC = [
    r"(a+)+$",
    r"(?:a|a)*b(c)",
    r"((?:a?){30}a{30})b",
    r"^(?:.*?,){11}P(x)",
    r"(?:(?:\d+)+)+x(y)",
    r"(.*)*=(?P<code>.)",
]
#: Far more than the worst of them costs (0.02).
SEARCH_COST_MAX = 5


class TestCompile:
    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("", "1 to 500 characters"),
            ("(a)" + "b" * PATTERN_LENGTH_MAX, "1 to 500 characters"),
            ("code (", "missing )"),
            (r"(?<!\d)(\d{6})", "invalid"),
            (r"(\d)\1", "invalid escape"),
            (r"\d{6}", "exactly one group"),
            (r"(\d{3})-(\d{3})", "exactly one group"),
            ("\ud800(a)", "half a character"),
            (r"(\d*)", "empty text"),
            (r"(?:(?:(?:(?:a{1000}){1000}){1000}){1000})(b)", "compile"),
            (r"(\pL{1,100})x", "too large"),
            (r"((?:[a-z]{1,50} ?){1,20})\d", "takes too long"),
            (r"[#%].{0,1000}[#%].{0,900}(9)", "takes too long"),
            (r"(?:abcdefgh)?[xy].{0,1000}[xy].{0,900}(9999)", "takes too long"),
            (r"\pS.{0,1000}\pS.{0,900}(9)", "takes too long"),
        ],
    )
    def test_refuses_by_its_reason(self, text: str, why: str) -> None:
        """What does not compile, has no group, matches nothing at all or could be slow is refused,
        and the reason is named."""
        with pytest.raises(PatternRefused, match=why.replace("(", r"\(").replace(")", r"\)")):
            checked_pattern(text)

    @pytest.mark.parametrize(
        "text",
        [
            r"code is (\d{6})",
            r"(\d{3})-(?P<code>\d{3})",
            r"(?i)код\D{0,20}(\d{4,8})",
            r"([\p{L}\d]{4,10})!",
            r"验证码[:：]?\s*(\d{4,6})",
            r"(?s)PIN.{0,100}?(\w{4,10})\b",
        ],
    )
    def test_takes_what_operators_write(self, text: str) -> None:
        """Patterns of the usual kind are compiled and are quick enough."""
        checked_pattern(text)

    @pytest.mark.parametrize("slowness", [0.1, 1, 10, 100])
    def test_judges_alike_on_any_machine(self, slowness: float) -> None:
        """A pattern is judged by how much longer it takes than another one on the same machine,
        however slow that is."""

        def took_s(pattern: Pattern, _text: str) -> float:
            costs_ms = 0.1 if pattern.find("quick") else 50 if pattern.find("slow") else 7
            return slowness * costs_ms / 1000

        checked_pattern("(?P<code>quick)", took_s=took_s)
        with pytest.raises(PatternRefused, match="takes too long"):
            checked_pattern("(?P<code>slow)", took_s=took_s)

    def test_waits_for_a_calm_moment(self) -> None:
        """A pattern that was slow only while the machine was busy is taken."""
        times = iter([0.01, 0.5, 0.01, 0.5, 0.01])
        checked_pattern(r"(\d{6})", took_s=lambda _pattern, _text: next(times, 0.01))

    @given(st.text(max_size=60))
    def test_never_breaks(self, text: str) -> None:
        """Whatever is written, it is a pattern or refused by name."""
        try:
            Pattern(text).find("Your code is 482913\ud800")
        except PatternRefused as refused:
            said = str(refused)
        else:
            said = "found or not"
        assert said


class TestFind:
    def test_gives_the_place_of_the_group(self) -> None:
        """The only group counts, or the one that is called code.

        Places are of characters, not of bytes.
        """
        assert Pattern(r"код (\d+)").find("Ваш код 482913") == (8, 14)
        assert Pattern(r"(a|b)-(?P<code>\d+)").find("b-4829") == (2, 6)
        assert Pattern(r"код (\d+)").find("код") is None

    def test_gives_nothing_when_the_group_took_no_part(self) -> None:
        """A match beside the group is none."""
        assert Pattern(r"x|(\d+)").find("x") is None

    def test_reads_texts_with_half_characters(self) -> None:
        """A lone surrogate neither raises nor moves what stands behind it."""
        assert Pattern(r"code (\d+)").find("\ud800 code 4829") == (7, 11)

    def test_reads_so_far_and_no_further(self) -> None:
        """Beyond the limit of a text nothing is looked at."""
        assert Pattern(r"(\d{4})").find("x" * (TEXT_LENGTH_MAX - 3) + "4829") is None
        assert Pattern(r"(\d{4})").find("x" * (TEXT_LENGTH_MAX - 4) + "4829") is not None

    @pytest.mark.parametrize("text", CATASTROPHIC)
    @pytest.mark.parametrize(
        "message", ["a" * 100_000, "1" * 100_000, "ab, " * 25_000, "=" * 100_000]
    )
    def test_ends_in_time(self, text: str, message: str) -> None:
        """Patterns that hang a backtracking matcher end at once, however long the text."""
        pattern = Pattern(text)
        assert cost(lambda: pattern.find(message)) < SEARCH_COST_MAX
