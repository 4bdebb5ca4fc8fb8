"""Read what the words and marks on each side of a candidate say about it."""

from dataclasses import dataclass

from numdesk.domain.otp.scene import SHY, Scene
from numdesk.domain.otp.shapes import Candidate, counts
from numdesk.domain.otp.tokens import (
    BREAK,
    COMMA,
    CURRENCY,
    DIGITS,
    LINE,
    LINK,
    MARK,
    MIXED,
    PERCENT,
    QUOTE,
)
from numdesk.domain.otp.words import (
    ACT,
    ANTI,
    CALL,
    ENDING,
    IS,
    KEY,
    MONEY,
    NUMBER,
    OWN,
    REF,
    ROAD,
    SUM,
    TO,
)

#: How many tokens to each side may speak about a candidate.
WINDOW = 18
VETO = -100.0

#: Opens a remark on what stands before it: "482910 (verification code)".
_GLOSSES = "(（"
_NOUN = REF | OWN | CALL | SUM
_NUMERIC = DIGITS | MIXED


@dataclass(slots=True)
class Side:
    """The evidence on one side of a candidate, read outwards from it."""

    key: float = 0.0  #: points for the nearest name of a code
    act: float = 0.0  #: points for the nearest act that needs one
    words: int = 0
    breaks: int = 0
    commas: int = 0
    lines: int = 0
    crossed: int = 0  #: other numbers on the way
    linked: bool = False  #: a colon or an "is" ties the candidate to this side
    directed: bool = False  #: a preposition stands at the candidate
    filed: bool = False  #: an order or a request is spoken of in the same sentence
    noun: int = 0  #: flags of the noun beside the candidate, if that noun has numbers of its own
    against: float = 0.0


def read_before(scene: Scene, item: Candidate) -> Side:
    """Read leftwards from the candidate."""
    kinds, side = scene.kinds, Side()
    if item.first and kinds[item.first - 1] & CURRENCY:
        side.against = VETO
        return side
    for at in range(item.first - 1, max(item.first - 1 - WINDOW, -1), -1):
        kind = kinds[at]
        if kind & MARK:
            _note_mark(side, 0 if kind & BREAK and _is_no_break(scene, at) else kind)
        elif kind & _NUMERIC:
            side.crossed += 1
            side.words += 1
        elif (side.words or not _introduces(side, kinds, at)) and _note_word(
            side, kind, _nearness_before(side)
        ):
            if (
                side.directed and not side.words and at and kinds[at - 1] & CALL
            ):  # "text CODE to 12345"
                side.noun = CALL
            break
    if side.noun:
        side.against -= _noun_penalty(side)
    return side


def read_after(scene: Scene, item: Candidate) -> Side:
    """Read rightwards from the candidate."""
    kinds, side = scene.kinds, Side()
    for at in range(item.last + 1, min(item.last + 1 + WINDOW, len(kinds))):
        kind = kinds[at]
        beside = at == item.last + 1
        if kind & MARK:
            if beside and kind & (PERCENT | CURRENCY) and not _opens_amount(scene, at):
                side.against = VETO
            glosses = beside and kind & QUOTE and _opens_gloss(scene, at)
            _note_mark(
                side, LINK if glosses else 0 if kind & BREAK and _is_decimal(scene, at) else kind
            )
        elif kind & _NUMERIC:
            side.crossed += 1
            side.words += 1
        elif beside and counts(kinds, at):
            side.against = VETO
        elif kind & IS and not side.words:
            side.linked = side.linked or not side.breaks
        elif _note_word(side, kind, _nearness_after(side)):
            break
    return side


def _opens_amount(scene: Scene, at: int) -> bool:
    """Say whether a currency belongs to the number after it: "4821 $100"."""
    kinds, tokens = scene.kinds, scene.tokens
    tied = (
        at + 1 < len(kinds)
        and kinds[at + 1] & _NUMERIC
        and tokens.starts[at + 1] == tokens.ends[at]
    )
    return bool(tied) and kinds[at] & CURRENCY > 0 and tokens.text[tokens.starts[at] - 1] == " "


def _opens_gloss(scene: Scene, at: int) -> bool:
    return scene.tokens.text[scene.tokens.starts[at]] in _GLOSSES


def _note_mark(side: Side, kind: int) -> None:
    if kind & LINK:
        side.linked = side.linked or not (side.words or side.breaks)
    elif kind & BREAK:
        side.breaks += 1
    elif kind & LINE:
        side.lines += not (side.linked and not side.words)
    elif kind & COMMA:
        side.commas += 1


def _introduces(side: Side, kinds: list[int], at: int) -> bool:
    """Take in the small words between a noun and its number; note what the noun is."""
    kind = kinds[at]
    if kind & KEY:
        return False
    if kind & (IS | NUMBER | TO):
        side.linked = side.linked or (bool(kind & IS) and not side.breaks)
        side.directed = side.directed or bool(kind & TO)
        return True
    if side.breaks or side.lines:
        return False
    if kind & ROAD and side.commas and not side.linked:  # "12 Elm St, 94110"
        side.against = VETO
        return False
    if (
        kind & (MONEY | ENDING | ANTI)
        and not kind & ACT
        and not _is_settled(kinds, at, linked=side.linked)
    ):
        if not (side.linked and kind & ANTI):
            side.against = VETO
        kind |= REF
    elif side.commas or (
        kind & ACT and side.linked
    ):  # "Dear user, 482910 is ...", "registration: 482910"
        return False
    side.noun = kind & (
        _NOUN & ~SUM if at and kinds[at - 1] & KEY else _NOUN
    )  # "payment code", the other way round
    return False


def _is_settled(kinds: list[int], at: int, *, linked: bool) -> bool:
    """Say whether the currency at `at` has its number already: "transfer of 500 EUR: 123456"."""
    return linked and at > 0 and bool(kinds[at] & MONEY and kinds[at - 1] & _NUMERIC)


def _note_word(side: Side, kind: int, points: float) -> bool:
    """Count one word of content.

    Say whether it names the code, which ends the search on this side.
    """
    if kind & KEY:
        side.key = max(points, side.key)
        return True
    if kind & SHY:
        side.key = max(
            min(points, 8.0) if side.linked and not side.words else min(points, 4.5) - 0.5, side.key
        )
    elif kind & ACT:
        side.act = max(points, side.act)
    elif kind & REF and not side.breaks:
        side.filed = True
    elif kind & CALL and side.directed and not side.breaks:
        side.noun |= CALL
    side.words += 1
    return False


def _is_no_break(scene: Scene, at: int) -> bool:
    """Say whether the full stop at `at` ends an abbreviation, "No. 5", "Rs. 500", "tel.

    112", or parts an amount.
    """
    kinds = scene.kinds
    if at == 0 or at + 1 >= len(kinds) or not kinds[at + 1] & _NUMERIC:
        return False
    abbreviates = kinds[at - 1] & (NUMBER | MONEY | _NOUN) and not kinds[at - 1] & MARK
    return bool(abbreviates) or _is_decimal(scene, at)


def _is_decimal(scene: Scene, at: int) -> bool:
    """Say whether the full stop at `at` parts an amount with its currency before it: "Rp499.00"."""
    kinds, tokens = scene.kinds, scene.tokens
    if not 0 < at < len(kinds) - 1 or not (kinds[at - 1] & MIXED and kinds[at + 1] & DIGITS):
        return False
    return tokens.ends[at - 1] == tokens.starts[at] and tokens.ends[at] == tokens.starts[at + 1]


def _nearness_before(side: Side) -> float:
    """The nearer a word and the fewer things between, the more it says.

    A colon or an "is" says most.
    """
    if not side.words and not side.breaks:
        return 10.0 + side.linked - 0.5 * min(side.lines, 2)
    if side.breaks:
        return (
            max(4.5 - 0.2 * side.words - 0.7 * (side.breaks + side.lines) - side.crossed, 0.0)
            + side.linked
        )
    return (
        max(7.0 - 0.3 * side.words - 0.7 * min(side.lines, 3) - side.crossed, 0.5)
        + 2.5 * side.linked
    )


def _nearness_after(side: Side) -> float:
    """As before, only that a name after its number ("1234 is your code") is the rarer order."""
    if side.breaks:
        return max(3.2 - 0.2 * side.words - 0.4 * (side.breaks + side.lines) - side.crossed, 0.0)
    return (
        max(7.2 - 0.3 * side.words - 0.7 * min(side.lines, 3) - 1.5 * side.crossed, 0.5)
        + 1.5 * side.linked
    )


def _noun_penalty(side: Side) -> float:
    """The order number is no code, but in "your code for this order: 1234" the colon belongs to the
    code."""
    if side.linked and not side.breaks and (side.key or (side.act and side.noun == OWN)):
        return 4.0 if side.noun & REF else 0.5
    if (
        side.key and side.act and side.words <= 3 and not side.breaks
    ):  # "code to collect parcel 4829"
        return 3.0
    return 9.0
