"""Survey a message before its numbers are weighed: which mentions of a code announce one?"""

from dataclasses import dataclass

from numdesk.domain.otp.tokens import DIGITS, LINK, MARK, MIXED, Tokens
from numdesk.domain.otp.words import (
    ACT,
    ANTI,
    DONE,
    IS,
    KEY,
    MA,
    NUMBER,
    REF,
    SECRET,
    TO,
    VIETNAMESE,
)

SHY = 1 << 19  #: a code that is only warned about, or pointed at ("this code")

_NUMERIC = DIGITS | MIXED
#: With fewer of its words a text may be in any language.
_VIETNAMESE_WORDS_MIN = 2
#: How many tokens to each side are looked at for them.
_VIETNAMESE_REACH = 20


@dataclass(frozen=True, slots=True)
class Scene:
    """A message as its candidates see it: every mention of a code judged, and what it says
    overall."""

    tokens: Tokens
    kinds: list[int]
    about: int
    words: int


def survey(tokens: Tokens) -> Scene:
    """Judge every mention of a code: is it announced, warned about, or no one-time code at all?"""
    kinds = tokens.kinds
    about = words = 0
    booked = any(kind & REF for kind in kinds)
    for index, kind in enumerate(kinds):
        if kind & (MARK | _NUMERIC):
            continue
        words += 1
        if kind & (KEY | ACT | MA):
            kinds[index] = _judged(kinds, index, booked=booked)
        about |= kinds[index]
    return Scene(tokens, kinds, about, words)


def _is_vietnamese_code(kinds: list[int], index: int) -> bool:
    """Tell "ma", a code, from the same word of other languages and from "ma don hang", the number
    of an order."""
    after = kinds[index + 1 : index + 3]
    is_named = bool(after) and (
        after[0] & (_NUMERIC | LINK | IS) or any(kind & (TO | ACT) for kind in after)
    )
    around = kinds[max(index - _VIETNAMESE_REACH, 0) : index + _VIETNAMESE_REACH]
    return bool(is_named) and sum(kind & VIETNAMESE > 0 for kind in around) >= _VIETNAMESE_WORDS_MIN


def _is_numbered(kinds: list[int], index: int) -> bool:
    """Say whether a noun such as "verification" has "number" beside it: together they mean a
    code."""
    return any(
        near & NUMBER and not near & (MARK | _NUMERIC | TO | IS)
        for near in (*kinds[max(index - 3, 0) : index], *kinds[index + 1 : index + 2])
    )


def _judged(kinds: list[int], index: int, *, booked: bool) -> int:
    kind = kinds[index]
    if kind & MA:
        if not _is_vietnamese_code(kinds, index):
            return kind
        kind = KEY
    if not kind & KEY:
        if booked or kind & NUMBER or not _is_numbered(kinds, index):
            return kind
        kind |= KEY
    before, after = _neighbours(kinds, index, -1), _neighbours(kinds, index, 1)
    named = (
        after[:2] if after and after[0] & TO else after[:1]
    )  # "code of conduct", but not "code for a purchase"
    if any(near & ANTI for near in (*before[:1], *named)):
        return kind & ~KEY | ANTI
    if any(near & DONE for near in (*before, *after)):
        return kind & ~(KEY | ACT)
    if any(near & SECRET for near in (*before, *after)) and not any(near & ACT for near in before):
        return kind & ~KEY | SHY  # but "enter this code" announces one
    return kind


def _neighbours(kinds: list[int], index: int, step: int) -> list[int]:
    """Collect the flags of up to four words beside a word, as far as no mark or number comes
    between."""
    found: list[int] = []
    at = index + step
    while 0 <= at < len(kinds) and len(found) < 4 and not kinds[at] & (MARK | _NUMERIC):
        found.append(kinds[at])
        at += step
    return found
