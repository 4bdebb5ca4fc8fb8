"""Weigh a candidate for a one-time code by the words and marks around it."""

import re
from dataclasses import dataclass

from numdesk.domain.otp_shapes import Candidate
from numdesk.domain.otp_tokens import (
    BREAK,
    CURRENCY,
    DIGITS,
    HASH,
    LINE,
    LINK,
    MARK,
    MIXED,
    PERCENT,
    Tokens,
)
from numdesk.domain.otp_words import (
    ACT,
    ANTI,
    CALL,
    ENDING,
    IS,
    KEY,
    MONEY,
    NUMBER,
    NUMBERED,
    OFFER,
    OWN,
    REF,
    SECRET,
    SUM,
    TO,
    UNIT,
)

#: From this weight on a candidate is taken for the code.
LIKELY = 3.0
#: How many tokens to each side may speak about a candidate.
WINDOW = 18
VETO = -100.0
#: In so short a text a lone number needs no word beside it ("Telegram 12345").
TERSE_WORDS_MAX = 3

SHY = 1 << 19  #: a code that is only warned about, or pointed at ("this code")

_YEAR = re.compile(r"19[5-9][0-9]|20[0-4][0-9]")
_NOUN = REF | OWN | CALL | SUM
_NUMERIC = DIGITS | MIXED
_CLAUSE_END = BREAK | LINE


@dataclass(frozen=True, slots=True)
class Weight:
    """How much speaks for a candidate, and what spoke loudest."""

    points: float
    rule: str


@dataclass(frozen=True, slots=True)
class Scene:
    """A message as its candidates see it: every mention of a code judged, and what it says overall."""

    tokens: Tokens
    kinds: list[int]
    about: int
    words: int


@dataclass(slots=True)
class _Side:
    """What one side of a candidate says: points for a code, for an act that needs one, and against."""

    key: float = 0.0
    act: float = 0.0
    against: float = 0.0
    linked: bool = False


def survey(tokens: Tokens) -> Scene:
    """Judge every mention of a code: is it announced, warned about, or no one-time code at all?"""
    kinds = tokens.kinds
    about = words = 0
    booked = any(kind & REF for kind in kinds)
    for index, kind in enumerate(kinds):
        if kind & (MARK | _NUMERIC):
            continue
        words += 1
        if kind & ACT and not booked and not kind & NUMBER and _is_numbered(kinds, index):
            kinds[index] = kind = kind | KEY
        if kind & KEY:
            kinds[index] = kind = _judged(kinds, index)
        about |= kind
    return Scene(tokens, kinds, about, words)


def _is_numbered(kinds: list[int], index: int) -> bool:
    """Say whether a noun such as "verification" has "number" beside it: together they mean a code."""
    return any(
        near & NUMBER and not near & (MARK | _NUMERIC | TO | IS)
        for near in (*kinds[max(index - 2, 0) : index], *kinds[index + 1 : index + 2])
    )


def _judged(kinds: list[int], index: int) -> int:
    kind = kinds[index]
    before, after = _neighbours(kinds, index, -1), _neighbours(kinds, index, 1)
    if (before[:2] and before[0] & ANTI) or any(near & ANTI for near in after[:2]):
        return kind & ~KEY | ANTI
    if any(near & SECRET for near in before) or any(near & SECRET for near in after):
        return kind & ~KEY | SHY
    return kind


def _neighbours(kinds: list[int], index: int, step: int) -> list[int]:
    """Collect the flags of up to four words beside a word, as far as no mark or number comes between."""
    found: list[int] = []
    at = index + step
    while 0 <= at < len(kinds) and len(found) < 4 and not kinds[at] & (MARK | _NUMERIC):
        found.append(kinds[at])
        at += step
    return found


def weigh(scene: Scene, item: Candidate) -> Weight:
    """Add up what the shape, both sides and the whole message say about a candidate."""
    kinds = scene.kinds
    left, right = _before(scene, item), _after(scene, item)
    against = left.against + right.against
    if against <= VETO or (item.shape != "digits" and scene.about & OFFER):
        return Weight(VETO, "vetoed")
    points, rule = _strongest(scene, item, left, right)
    if item.shape == "letters" and not (rule == "before" and left.linked and left.key >= 10.0):
        if not (rule == "after" and right.linked and right.key >= 7.0):
            return Weight(VETO, "vetoed")
    if item.shape == "mixed" and points < 6.0:
        return Weight(VETO, "vetoed")
    if points < 9.0 and len(item.code) == 4 and _YEAR.fullmatch(item.code):
        points -= 4.0
    if scene.about & OFFER and _in_offer(kinds, item):
        points -= 8.0
    return Weight(points + item.points + against, rule)


def _strongest(scene: Scene, item: Candidate, left: _Side, right: _Side) -> tuple[float, str]:
    """Pick the best reason to take the candidate for the code."""
    reasons = [(left.key, "before"), (right.key, "after"), (0.55 * left.act, "act"), (0.55 * right.act, "act")]
    if scene.about & KEY:
        reasons.append((2.8, "somewhere"))
    elif scene.about & (ACT | SHY):
        reasons.append((1.5, "somewhere"))
    elif scene.words <= TERSE_WORDS_MAX and item.shape == "digits":
        reasons.append((3.0, "terse"))
    return max(reasons)


def _before(scene: Scene, item: Candidate) -> _Side:
    """Read leftwards from the candidate."""
    kinds, side = scene.kinds, _Side()
    noun = words = breaks = crossed = 0
    lines = 0
    for at in range(item.first - 1, max(item.first - 1 - WINDOW, -1), -1):
        kind = kinds[at]
        if kind & MARK:
            if kind & LINK:
                side.linked = side.linked or not (words or breaks)
            elif kind & BREAK:
                if not _abbreviates(kinds, at):
                    breaks += 1
            elif kind & LINE:
                lines += not (side.linked and not words)
            elif kind & CURRENCY and at == item.first - 1:
                side.against = VETO
                return side
            elif kind & HASH and at == item.first - 1:
                side.against -= 0.5
            continue
        if kind & _NUMERIC:
            crossed += 1
            words += 1
            continue
        if not words:
            if kind & IS and not kind & KEY and not breaks:
                side.linked = True
                continue
            if kind & (NUMBER | TO) and not kind & KEY:
                continue
            if not (breaks or lines):
                if kind & (MONEY | ENDING | ANTI) and not kind & (KEY | ACT) and not _is_settled(kinds, at, side.linked):
                    side.against = VETO
                    return side
                noun = kind & _NOUN
        points = _nearness(words, breaks, lines, crossed, side.linked)
        if kind & KEY:
            side.key = points
            break
        if kind & SHY and not side.key:
            side.key = min(points, 8.0) if side.linked and not words else min(points, 4.5) - 0.5
        elif kind & ACT and points > side.act:
            side.act = points
        words += 1
    if noun:
        side.against -= _noun_penalty(noun, side, breaks)
    return side


def _is_settled(kinds: list[int], at: int, linked: bool) -> bool:
    """Say whether the currency at `at` has its number already: "transfer of 500 EUR: 123456"."""
    return linked and at > 0 and bool(kinds[at] & MONEY and kinds[at - 1] & _NUMERIC)


def _abbreviates(kinds: list[int], at: int) -> bool:
    """Say whether the full stop at `at` ends an abbreviation: "No. 5", "Rs. 500", "tel. 112"."""
    if at == 0 or at + 1 >= len(kinds) or not kinds[at + 1] & _NUMERIC:
        return False
    return bool(kinds[at - 1] & (NUMBER | MONEY | _NOUN)) and not kinds[at - 1] & MARK


def _nearness(words: int, breaks: int, lines: int, crossed: int, linked: bool) -> float:
    if not words and not breaks:
        return 10.0 + linked - 0.5 * min(lines, 2)
    if breaks:
        return max(4.5 - 0.2 * words - 0.7 * (breaks + lines) - crossed, 0.0) + linked
    return max(7.0 - 0.3 * words - 0.7 * min(lines, 3) - crossed, 0.5) + 2.5 * linked


def _noun_penalty(noun: int, side: _Side, breaks: int) -> float:
    """The order number is no code, but in "your code for this order: 1234" the colon belongs to the code."""
    if side.linked and not breaks and (side.key or (side.act and noun == OWN)):
        return 4.0 if noun & REF else 0.5
    return 9.0


def _after(scene: Scene, item: Candidate) -> _Side:
    """Read rightwards from the candidate."""
    kinds, side = scene.kinds, _Side()
    words = breaks = crossed = lines = 0
    for at in range(item.last + 1, min(item.last + 1 + WINDOW, len(kinds))):
        kind = kinds[at]
        if kind & MARK:
            if kind & (PERCENT | CURRENCY) and at == item.last + 1:
                side.against = VETO
                return side
            if kind & LINK:
                side.linked = side.linked or not (words or breaks)
            elif kind & BREAK:
                breaks += 1
            elif kind & LINE:
                lines += 1
            continue
        if kind & _NUMERIC:
            crossed += 1
            words += 1
            continue
        if at == item.last + 1:
            if kind & (MONEY | UNIT | NUMBERED) and not kind & KEY:
                side.against = VETO
                return side
        if not words and kind & IS:
            side.linked = side.linked or not breaks
            continue
        points = _nearness_after(words, breaks, lines, crossed, side.linked)
        if kind & KEY:
            side.key = points
            break
        if kind & SHY and not side.key:
            side.key = max(min(points, 3.5) - 0.2, 0.0)
        elif kind & ACT and points > side.act:
            side.act = points
        words += 1
    return side


def _nearness_after(words: int, breaks: int, lines: int, crossed: int, linked: bool) -> float:
    if breaks:
        return max(3.2 - 0.2 * words - 0.4 * (breaks + lines) - crossed, 0.0)
    return max(7.2 - 0.3 * words - 0.7 * min(lines, 3) - 1.5 * crossed, 0.5) + 1.5 * linked


def _in_offer(kinds: list[int], item: Candidate) -> bool:
    """Say whether the sentence around the candidate advertises something."""
    for places in (range(item.first - 1, -1, -1), range(item.last + 1, len(kinds))):
        for at in places:
            if kinds[at] & BREAK:
                break
            if kinds[at] & OFFER and not kinds[at] & MARK:
                return True
    return False
