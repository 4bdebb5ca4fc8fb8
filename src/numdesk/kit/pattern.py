"""Patterns that people write: compiled by RE2 within bounds, so that no text can keep one busy for
long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import re2

#: What a person can still read; the program that is made of it is bounded by itself.
PATTERN_LENGTH_MAX = 500
#: Texts are searched so far; more is cut off.
TEXT_LENGTH_MAX = 2_000
#: RE2 refuses a pattern whose program would be larger (`\\p{L}{4,10}` needs some 200 KiB), and has
#: as much room to be quick in.
PROGRAM_BYTES_MAX = 1 << 19
#: How many times as long as the measure below a new pattern may take for a probe text. Time is
#: counted in this unit, so that a slow or busy machine judges as a quick one does. Usual patterns
#: take a hundredth of the measure, slow ones seven times as long.
PROBE_LIMIT = 3.0
#: A pattern and a text that take about 7 ms of processor time: the dearest that operators usually
#: write.
_MEASURE, _MEASURE_TEXT = r"([\p{L}\d]{4,10})!", "验"
#: The quickest of so many tries counts, because the machine may have been busy with something else.
PROBE_TRIES = 3
#: The group around what is wanted, where a pattern has several.
GROUP = "code"
#: What patterns are probed with, repeated to long texts, beside their own characters.
_PROBES = (
    *map(chr, range(9, 127)),
    "é",
    "я",
    "验",
    "١",
    "€",
    "\u0301",
    "\u200b",
    "ab 12, ",
    "Your code is 48291 ",
)


class PatternRefused(ValueError):
    """A pattern cannot be used; the text completes "it ..."."""


class Pattern:
    """A compiled pattern with one group around the wanted part."""

    __slots__ = ("_compiled", "_group")

    def __init__(self, text: str) -> None:
        """Compile a pattern. Raises PatternRefused."""
        if not 0 < len(text) <= PATTERN_LENGTH_MAX:
            raise PatternRefused(f"must have 1 to {PATTERN_LENGTH_MAX} characters")
        options = re2.Options()
        options.max_mem = PROGRAM_BYTES_MAX
        options.log_errors = False  # to standard error, with the pattern in it
        try:
            self._compiled = re2.compile(text, options)
        except (re2.error, UnicodeEncodeError) as error:
            raise PatternRefused(
                f"does not compile: {_reason(error)} (patterns are those of RE2)"
            ) from error
        groups: dict[str, int] = self._compiled.groupindex
        if GROUP not in groups and self._compiled.groups != 1:
            raise PatternRefused(
                "must have exactly one group, such as (\\d{6}), or one that is called "
                f"{GROUP}: (?P<{GROUP}>\\d{{6}})"
            )
        self._group = groups.get(GROUP, 1)

    def find(self, text: str) -> tuple[int, int] | None:
        """Return where in the text the group of the first match stands.

        None without a match, or when the group has no part in it.
        """
        text = text[:TEXT_LENGTH_MAX]
        try:
            match = self._compiled.search(text)
        except (
            UnicodeEncodeError
        ):  # a lone surrogate: as long as before with a question mark in its place
            match = self._compiled.search(text.encode("utf-8", "replace").decode())
        if match is None:
            return None
        start, end = match.span(self._group)
        return (start, end) if start >= 0 else None

    def matches_empty(self) -> bool:
        """Say whether an empty text matches."""
        return self._compiled.search("") is not None


def took_s(pattern: Pattern, text: str) -> float:
    """Return the processor time of one search."""
    started = time.thread_time()
    pattern.find(text)
    return time.thread_time() - started


def checked_pattern(text: str, *, took_s: Callable[[Pattern, str], float] = took_s) -> Pattern:
    """Return a new pattern once it has shown itself quick enough; `took_s` measures a search.

    Raises PatternRefused.
    """
    pattern = Pattern(text)
    if pattern.matches_empty():
        raise PatternRefused("must not match an empty text")
    measure, measure_text = Pattern(_MEASURE), _MEASURE_TEXT * TEXT_LENGTH_MAX
    unit_s = took_s(measure, measure_text)
    for probe in _probes(text):
        for _ in range(PROBE_TRIES):
            if took_s(pattern, probe) <= PROBE_LIMIT * unit_s:
                break
            unit_s = took_s(measure, measure_text)  # measured again: the machine may be slower now
        else:
            raise PatternRefused(
                f"takes too long for a text of {TEXT_LENGTH_MAX:,} characters: say more closely "
                f"what stands around it"
            )
    return pattern


def _probes(text: str) -> Iterator[str]:
    """Yield long texts that give a pattern much to try: what it repeats itself, most of all."""
    for piece in dict.fromkeys((text, *text, *_PROBES)):
        yield (piece * TEXT_LENGTH_MAX)[:TEXT_LENGTH_MAX]


def _reason(error: Exception) -> str:
    """Return what RE2 says, which comes as bytes."""
    said = error.args[0] if error.args else ""
    return (
        said.decode("utf-8", "replace") if isinstance(said, bytes) else "it holds half a character"
    )
