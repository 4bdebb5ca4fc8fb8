"""Show how a message was read: everything in it that could have been the code, with what it
weighed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from numdesk.domain.otp.extract import TEXT_LENGTH_MAX, extraction
from numdesk.domain.otp.scene import survey
from numdesk.domain.otp.shapes import letter_words, numbers
from numdesk.domain.otp.sides import VETO
from numdesk.domain.otp.tokens import normalise, tokenise
from numdesk.domain.otp.weight import LIKELY, Weight, weigh


@dataclass(frozen=True, slots=True)
class Weighed:
    """A candidate: as to be typed, as written, where, how much speaks for it and what spoke
    loudest."""

    code: str
    raw: str
    span: tuple[int, int]
    points: float
    rule: str

    @property
    def is_likely(self) -> bool:
        """Do it weigh enough to be taken, were there no heavier one?"""
        return self.points >= LIKELY

    @property
    def is_vetoed(self) -> bool:
        """True when it is ruled out, whatever else speaks for it."""
        return self.points <= VETO


def candidates(text: str, *, sender: str = "") -> tuple[Weighed, ...]:
    """Weigh all candidates of a message as `extract` does, the heaviest first.

    Letters alone count there only when no number does.
    """
    return tuple(sorted(_weighed(text, sender.strip().lstrip("+")), key=lambda one: -one.points))


def _weighed(text: str, own: str) -> Iterator[Weighed]:
    normal, places = normalise(text[:TEXT_LENGTH_MAX])
    tokens = tokenise(normal, places=places)
    scene = survey(tokens)
    for item in (*numbers(tokens), *letter_words(tokens)):
        weight = Weight(VETO, "sender") if own and item.code == own else weigh(scene, item)
        found = extraction(text, places, (item.start, item.end), rule=weight.rule, confidence=0.0)
        yield Weighed(found.code, found.raw, found.span, max(weight.points, VETO), weight.rule)
