"""Rules of the operator for the codes of one service: tried before the extractor, one by one, until
one gives a code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import translate
from functools import lru_cache
from typing import Protocol

from numdesk.domain.otp.extract import TEXT_LENGTH_MAX, Extraction, extraction
from numdesk.domain.otp.shapes import LENGTH_MAX, LENGTH_MIN
from numdesk.domain.otp.tokens import normalise

#: A sender has at most as many characters, and so has what it is compared with.
SENDER_LENGTH_MAX = 64


class Finder(Protocol):
    """A compiled pattern: says where in a text the code stands, or None; it bounds its own time."""

    def find(self, text: str) -> tuple[int, int] | None:
        """Return the place of the code."""
        ...


@dataclass(frozen=True, slots=True)
class Rule:
    """The way one service writes its codes; `sender`, in which * stands for anything and ?

    for one character, narrows it to some senders.
    """

    id: int
    sender: str | None
    finder: Finder

    @property
    def name(self) -> str:
        """The `rule` of an extraction that decided."""
        return f"operator:{self.id}"


class Trial(StrEnum):
    """The result of one rule for one message."""

    FOUND = "found"
    NO_MATCH = "no match"
    OTHER_SENDER = "other sender"
    #: Matched something that is no code: not four to ten letters and digits.
    IMPLAUSIBLE = "implausible"
    #: The pattern gave no answer at all.
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Reading:
    """The code that a rule found, if any did, and the result of each rule up to it."""

    found: Extraction | None
    trials: tuple[tuple[Rule, Trial], ...] = ()


def in_order(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """Return rules as they are tried: those for a sender first, then the older ones."""
    return tuple(sorted(rules, key=lambda rule: (rule.sender is None, rule.id)))


def read(text: str, *, sender: str, rules: Sequence[Rule]) -> Reading:
    """Find the code by the first rule that gives one.

    Patterns see the folded text, in which every digit is ASCII; never raises.
    """
    normal, places = normalise(text[:TEXT_LENGTH_MAX])
    trials: list[tuple[Rule, Trial]] = []
    for rule in rules:
        span, trial = _try(rule, normal, sender=sender)
        if span is not None:
            found = extraction(text, places, span, rule=rule.name, confidence=1.0)
            trial = Trial.FOUND if is_plausible(found.code) else Trial.IMPLAUSIBLE
            if trial is Trial.FOUND:
                return Reading(found, (*trials, (rule, trial)))
        trials.append((rule, trial))
    return Reading(None, tuple(trials))


def is_plausible(code: str) -> bool:
    """Say whether this could be a code as to be typed: four to ten letters and digits."""
    return LENGTH_MIN <= len(code) <= LENGTH_MAX and code.isalnum()


def is_from(sender: str, *, glob: str | None) -> bool:
    """Say whether a sender is meant, in whatever case; no glob means all."""
    return glob is None or _compiled(glob).fullmatch(sender.strip().lower()) is not None


@lru_cache(maxsize=1024)
def _compiled(glob: str) -> re.Pattern[str]:
    return re.compile(
        translate(glob.lower().replace("[", "[[]"))
    )  # * and ? are all that a glob knows here


def _try(rule: Rule, text: str, *, sender: str) -> tuple[tuple[int, int] | None, Trial]:
    """Return where the rule found something, and the reason when it found nothing."""
    if not is_from(sender, glob=rule.sender):
        return None, Trial.OTHER_SENDER
    try:
        span = rule.finder.find(text)
    except Exception:  # noqa: BLE001 - whatever becomes of a pattern, the message is taken
        return None, Trial.FAILED
    if span is None:
        return None, Trial.NO_MATCH
    return (span, Trial.FOUND) if span[0] < span[1] else (None, Trial.IMPLAUSIBLE)
