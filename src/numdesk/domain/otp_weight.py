"""Weigh a candidate for a one-time code by the words and marks around it."""

import re
from dataclasses import dataclass

from numdesk.domain.otp_scene import SHY, Scene
from numdesk.domain.otp_shapes import Candidate
from numdesk.domain.otp_tokens import (
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
from numdesk.domain.otp_words import (
    ACT,
    ANTI,
    CALL,
    DONE,
    ENDING,
    IS,
    KEY,
    LASTS,
    MONEY,
    NUMBER,
    NUMBERED,
    OFFER,
    OWN,
    REF,
    ROAD,
    SUM,
    TO,
    UNIT,
)

#: From this weight on a candidate is taken for the code.
LIKELY = 3.0
#: How many tokens to each side may speak about a candidate.
WINDOW = 18
VETO = -100.0
#: How near a word after its number is that stands beside it, or behind an "is" with little between.
BESIDE = 7.0
#: How near an act stands that has nothing between it and what follows: "enter A7K9QZ".
BESIDE_ACT = 10.0
#: The same where the message begins with the code: "A7K9QZ to log in".
NEAR_ACT = 6.5
#: What "log in" beside a number is worth, if "code" is worth one.
ACT_SHARE = 0.5
#: In a text not much longer, that speaks of no business at all, six digits are more likely a code than not.
PLAIN_WORDS_MAX = 12
#: In so short a text a lone number needs no word beside it ("Telegram 12345").
TERSE_WORDS_MAX = 3

_YEAR = re.compile(r"19[5-9][0-9]|20[0-4][0-9]")
_HOUR = re.compile(r"(?:[01][0-9]|2[0-3])(?:00|15|30|45)")
#: A word and a number of two digits, the way shops write: SUMMER25; or the name of a user: ann4821.
_COUPON = re.compile(r"(?=[A-Z]*[AEIOU])[A-Z]{3,8}[0-9]{2}|(?=[a-z]*[aeiou])[a-z]{3,8}[0-9]{1,5}")
#: Opens a remark on what stands before it: "482910 (verification code)".
_GLOSSES = "(（"
#: As televisions show them, without vowels so that they spell nothing.
_CONSONANTS = re.compile(r"[B-DF-HJ-NP-TV-Z]{6,9}")
_NOUN = REF | OWN | CALL | SUM
_NUMERIC = DIGITS | MIXED
#: What a message without a code is mostly about.
_BUSINESS = _NOUN | ANTI | OFFER | MONEY | UNIT | ENDING | NUMBER | DONE


@dataclass(frozen=True, slots=True)
class Weight:
    """How much speaks for a candidate, and what spoke loudest."""

    points: float
    rule: str


@dataclass(slots=True)
class _Side:
    """What one side of a candidate says, read outwards from it."""

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


def weigh(scene: Scene, item: Candidate) -> Weight:
    """Add up what the shape, both sides and the whole message say about a candidate."""
    left, right = _before(scene, item), _after(scene, item)
    against = left.against + right.against
    if left.against > VETO and left.linked and right.linked and right.key >= BESIDE:  # "Account: 123456 is your code"
        against = right.against
    if against <= VETO or (item.shape != "digits" and scene.about & OFFER) or _is_phone_or_hour(item, left, right):
        return Weight(VETO, "vetoed")
    points, rule = _strongest(scene, item, left, right)
    if not _is_fit(item, left, right, points) and not (item.shape == "mixed" and _is_asked_for(item, left, right, rule)):
        return Weight(VETO, "vetoed")
    if rule == "act" and left.filed and right.act < BESIDE:
        points -= 3.0
    if points < 9.0 and len(item.code) == 4 and _YEAR.fullmatch(item.code):
        points -= 4.0
    if scene.about & OFFER and _in_offer(scene.kinds, item):
        points -= 8.0
    if _is_alone(scene.tokens.text, item):
        points += 1.5
    return Weight(points + item.points + against, rule)


def _is_phone_or_hour(item: Candidate, left: _Side, right: _Side) -> bool:
    """Say whether the candidate is as long as a phone number, or an hour behind a preposition: "at 1800"."""
    if left.linked or right.linked:
        return False
    long = item.shape == "digits" and len(item.code) >= 9 and item.first == item.last
    return long or (left.directed and _HOUR.fullmatch(item.code) is not None)


def _strongest(scene: Scene, item: Candidate, left: _Side, right: _Side) -> tuple[float, str]:
    """Pick the best reason to take the candidate for the code."""
    reasons = [(left.key, "before"), (right.key, "after"), (ACT_SHARE * left.act, "act"), (ACT_SHARE * right.act, "act")]
    if scene.about & KEY:
        reasons.append((2.8, "somewhere"))
        return max(reasons)
    if scene.about & (ACT | SHY):
        reasons.append((1.5 + 0.5 * left.linked, "somewhere"))
    if not scene.about & (_BUSINESS & ~UNIT if scene.about & LASTS else _BUSINESS):
        reasons.append(_of_plain(scene, item, left, right))
    return max(reasons)


def _of_plain(scene: Scene, item: Candidate, left: _Side, right: _Side) -> tuple[float, str]:
    """Say what a text that speaks of no business at all does for its number."""
    if not scene.about & (ACT | SHY) and _is_terse(scene, item, left, right):
        return 3.0, "terse"
    short = scene.words <= PLAIN_WORDS_MAX and len(item.code) == item.end - item.start == 6
    return (2.2 if short else 0.0), "plain"


def _is_terse(scene: Scene, item: Candidate, left: _Side, right: _Side) -> bool:
    """Say whether there is little but the number; letters and digits may have only a name beside them."""
    words_max = TERSE_WORDS_MAX if item.shape == "digits" else 1
    return scene.words <= words_max and item.shape != "letters" and not (left.words and right.words)


def _is_asked_for(item: Candidate, left: _Side, right: _Side, rule: str) -> bool:
    """Tell "Use A7K9QZ to log in" from plates, models and coupons, where no codeword says so."""
    if not 5 <= len(item.code) <= 8 or item.code.upper() != item.code != item.code.lower() or _COUPON.fullmatch(item.code):
        return False
    if right.filed:  # "use BA2490 booking ..."
        return False
    return rule == "terse" or left.act >= BESIDE_ACT or right.act >= (BESIDE if left.words else NEAR_ACT)


def _is_fit(item: Candidate, left: _Side, right: _Side, points: float) -> bool:
    """Letters are only a code where a colon or an "is" says so; mixed ones need a code named close by."""
    if item.shape == "digits":
        return True
    if item.shape == "mixed":
        linked = left.linked or right.linked
        return points >= 6.0 and (linked or not _COUPON.fullmatch(item.code))
    if _CONSONANTS.fullmatch(item.code) and max(left.key, left.act) >= BESIDE_ACT:
        return True
    return (left.linked and left.key >= 10.0) or (right.linked and right.key >= 7.0)


def _is_alone(text: str, item: Candidate) -> bool:
    """Say whether the candidate has its line to itself."""
    before = text[max(item.start - 3, 0) : item.start].rstrip(" ")[-1:]
    after = text[item.end : item.end + 3].lstrip(" ")[:1]
    return before in "\n\r" and after in "\n\r"


def _before(scene: Scene, item: Candidate) -> _Side:
    """Read leftwards from the candidate."""
    kinds, side = scene.kinds, _Side()
    if item.first and kinds[item.first - 1] & CURRENCY:
        side.against = VETO
        return side
    for at in range(item.first - 1, max(item.first - 1 - WINDOW, -1), -1):
        kind = kinds[at]
        if kind & MARK:
            _note_mark(side, 0 if _abbreviates(kinds, at) else kind)
        elif kind & _NUMERIC:
            side.crossed += 1
            side.words += 1
        elif (side.words or not _introduces(side, kinds, at)) and _note_word(side, kind, _nearness_before(side)):
            if side.directed and not side.words and at and kinds[at - 1] & CALL:  # "text CODE to 12345"
                side.noun = CALL
            break
    if side.noun:
        side.against -= _noun_penalty(side)
    return side


def _after(scene: Scene, item: Candidate) -> _Side:
    """Read rightwards from the candidate."""
    kinds, side = scene.kinds, _Side()
    for at in range(item.last + 1, min(item.last + 1 + WINDOW, len(kinds))):
        kind = kinds[at]
        beside = at == item.last + 1
        if kind & MARK:
            if beside and kind & (PERCENT | CURRENCY):
                side.against = VETO
            _note_mark(side, LINK if beside and kind & QUOTE and _opens_gloss(scene, at) else kind)
        elif kind & _NUMERIC:
            side.crossed += 1
            side.words += 1
        elif beside and _counts(kinds, at):
            side.against = VETO
        elif kind & IS and not side.words:
            side.linked = side.linked or not side.breaks
        elif _note_word(side, kind, _nearness_after(side)):
            break
    return side


def _opens_gloss(scene: Scene, at: int) -> bool:
    return scene.tokens.text[scene.tokens.starts[at]] in _GLOSSES


def _note_mark(side: _Side, kind: int) -> None:
    if kind & LINK:
        side.linked = side.linked or not (side.words or side.breaks)
    elif kind & BREAK:
        side.breaks += 1
    elif kind & LINE:
        side.lines += not (side.linked and not side.words)
    elif kind & COMMA:
        side.commas += 1


def _introduces(side: _Side, kinds: list[int], at: int) -> bool:
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
    if kind & (MONEY | ENDING | ANTI) and not kind & ACT and not _is_settled(kinds, at, linked=side.linked):
        if not (side.linked and kind & ANTI):
            side.against = VETO
        kind |= REF
    elif side.commas or (kind & ACT and side.linked):  # "Dear user, 482910 is ...", "registration: 482910"
        return False
    side.noun = kind & (_NOUN & ~SUM if at and kinds[at - 1] & KEY else _NOUN)  # "payment code", the other way round
    return False


def _counts(kinds: list[int], at: int) -> bool:
    """Say whether the word after a number counts or names something; "123456 som kod" is no sum in Kyrgyz som."""
    kind = kinds[at]
    if kind & ROAD or (at + 1 < len(kinds) and kinds[at + 1] & ROAD):
        return True
    if kind & KEY or not kind & (MONEY | UNIT | NUMBERED):
        return False
    return not (kind & IS and any(near & KEY for near in kinds[at + 1 : at + 4]))


def _is_settled(kinds: list[int], at: int, *, linked: bool) -> bool:
    """Say whether the currency at `at` has its number already: "transfer of 500 EUR: 123456"."""
    return linked and at > 0 and bool(kinds[at] & MONEY and kinds[at - 1] & _NUMERIC)


def _note_word(side: _Side, kind: int, points: float) -> bool:
    """Count one word of content; say whether it names the code, which ends the search on this side."""
    if kind & KEY:
        side.key = max(points, side.key)
        return True
    if kind & SHY:
        side.key = max(min(points, 8.0) if side.linked and not side.words else min(points, 4.5) - 0.5, side.key)
    elif kind & ACT:
        side.act = max(points, side.act)
    elif kind & REF and not side.breaks:
        side.filed = True
    elif kind & CALL and side.directed and not side.breaks:
        side.noun |= CALL
    side.words += 1
    return False


def _abbreviates(kinds: list[int], at: int) -> bool:
    """Say whether the full stop at `at` ends an abbreviation: "No. 5", "Rs. 500", "tel. 112"."""
    if not kinds[at] & BREAK or at == 0 or at + 1 >= len(kinds) or not kinds[at + 1] & _NUMERIC:
        return False
    return bool(kinds[at - 1] & (NUMBER | MONEY | _NOUN)) and not kinds[at - 1] & MARK


def _nearness_before(side: _Side) -> float:
    """The nearer a word and the fewer things between, the more it says; a colon or an "is" says most."""
    if not side.words and not side.breaks:
        return 10.0 + side.linked - 0.5 * min(side.lines, 2)
    if side.breaks:
        return max(4.5 - 0.2 * side.words - 0.7 * (side.breaks + side.lines) - side.crossed, 0.0) + side.linked
    return max(7.0 - 0.3 * side.words - 0.7 * min(side.lines, 3) - side.crossed, 0.5) + 2.5 * side.linked


def _nearness_after(side: _Side) -> float:
    """As before, only that a name after its number ("1234 is your code") is the rarer order."""
    if side.breaks:
        return max(3.2 - 0.2 * side.words - 0.4 * (side.breaks + side.lines) - side.crossed, 0.0)
    return max(7.2 - 0.3 * side.words - 0.7 * min(side.lines, 3) - 1.5 * side.crossed, 0.5) + 1.5 * side.linked


def _noun_penalty(side: _Side) -> float:
    """The order number is no code, but in "your code for this order: 1234" the colon belongs to the code."""
    if side.linked and not side.breaks and (side.key or (side.act and side.noun == OWN)):
        return 4.0 if side.noun & REF else 0.5
    if side.key and side.act and side.words <= 3 and not side.breaks:  # "code to collect parcel 4829"
        return 3.0
    return 9.0


def _in_offer(kinds: list[int], item: Candidate) -> bool:
    """Say whether the sentence around the candidate advertises something."""
    for places in (range(item.first - 1, -1, -1), range(item.last + 1, len(kinds))):
        for at in places:
            if kinds[at] & BREAK:
                break
            if kinds[at] & OFFER and not kinds[at] & (MARK | _NUMERIC):
                return True
    return False
