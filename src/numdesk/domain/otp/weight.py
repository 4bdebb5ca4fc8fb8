"""Weigh a candidate for a one-time code by its shape, by both its sides and by the whole
message."""

import re
from dataclasses import dataclass

from numdesk.domain.otp.groups import Doubt
from numdesk.domain.otp.scene import SHY, Scene
from numdesk.domain.otp.shapes import Candidate
from numdesk.domain.otp.sides import VETO, Side, read_after, read_before
from numdesk.domain.otp.tokens import BREAK, DIGITS, MARK, MIXED
from numdesk.domain.otp.words import (
    ACT,
    ANTI,
    CALL,
    DONE,
    ENDING,
    KEY,
    LASTS,
    MONEY,
    NUMBER,
    OFFER,
    OWN,
    REF,
    SECRET,
    SUM,
    UNIT,
)

#: From this weight on a candidate is taken for the code.
LIKELY = 3.0
#: How near a word after its number is that stands beside it, or behind an "is" with little between.
BESIDE = 7.0
#: How near an act stands that has nothing between it and what follows: "enter A7K9QZ".
BESIDE_ACT = 10.0
#: The same where the message begins with the code: "A7K9QZ to log in".
NEAR_ACT = 6.5
#: A name of the code right before its number, one tied to it from behind, and one that is not far.
BESIDE_KEY = 10.0
LINKED_KEY = 8.0
NEAR_KEY = 4.5
#: What "log in" beside a number is worth, if "code" is worth one.
ACT_SHARE = 0.5
#: In a text not much longer, that speaks of no business at all, six digits are more likely a code
#: than not.
PLAIN_WORDS_MAX = 12
#: The same where something must not be shared, and a colon stands before the number.
GUARDED_WORDS_MAX = 20
#: In so short a text a lone number needs no word beside it ("Telegram 12345").
TERSE_WORDS_MAX = 3

_YEAR = re.compile(r"19[5-9][0-9]|20[0-4][0-9]")
#: An amount in rand, pesos or naira: R1250.
_LETTER_AND_SUM = re.compile(r"[A-Z][0-9]+")
_HOUR = re.compile(r"(?:[01][0-9]|2[0-3])(?:00|15|30|45)")
#: A word and a number of two digits, the way shops write: SUMMER25; or the name of a user: ann4821.
_COUPON = re.compile(r"(?=[A-Z]*[AEIOU])[A-Z]{3,8}[0-9]{2}|(?=[a-z]*[aeiou])[a-z]{3,8}[0-9]{1,5}")
#: As televisions show them, without vowels so that they spell nothing.
_CONSONANTS = re.compile(r"[B-DF-HJ-NP-TV-Z]{6,9}")
_NUMERIC = DIGITS | MIXED
#: What a message without a code is mostly about.
_BUSINESS = REF | OWN | CALL | SUM | ANTI | OFFER | MONEY | UNIT | ENDING | NUMBER | DONE


@dataclass(frozen=True, slots=True)
class Weight:
    """The weight of a candidate, and its strongest evidence."""

    points: float
    rule: str


def weigh(scene: Scene, item: Candidate) -> Weight:
    """Add up what the shape, both sides and the whole message say about a candidate."""
    left, right = read_before(scene, item), read_after(scene, item)
    against = left.against + right.against
    if (
        left.against > VETO and left.linked and right.linked and right.key >= BESIDE
    ):  # "Account: 123456 is your code"
        against = right.against
    if (
        against <= VETO
        or (item.shape != "digits" and scene.about & OFFER)
        or _is_phone_or_hour(item, left, right)
    ):
        return Weight(VETO, "vetoed")
    points, rule = why = _strongest(scene, item, left, right)
    is_fit = _is_fit(item, left, right, points) or (
        item.shape == "mixed" and _is_asked_for(item, left, right, rule)
    )
    if not is_fit or (item.doubt and not _is_beyond_doubt(scene, item, left, right, why)):
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


def _is_phone_or_hour(item: Candidate, left: Side, right: Side) -> bool:
    """Say whether the candidate is as long as a phone number, or an hour behind a preposition: "at
    1800"."""
    if left.linked or right.linked:
        return False
    if item.shape == "mixed" and left.directed and _LETTER_AND_SUM.fullmatch(item.code):
        return True
    long = item.shape == "digits" and len(item.code) >= 9 and item.first == item.last
    return long or (left.directed and _HOUR.fullmatch(item.code) is not None)


def _strongest(scene: Scene, item: Candidate, left: Side, right: Side) -> tuple[float, str]:
    """Pick the best reason to take the candidate for the code."""
    reasons = [
        (left.key, "before"),
        (right.key, "after"),
        (ACT_SHARE * left.act, "act"),
        (ACT_SHARE * right.act, "act"),
    ]
    if scene.about & KEY:
        reasons.append((2.8, "somewhere"))
        return max(reasons)
    if scene.about & (ACT | SHY):
        reasons.append((1.5 + 0.5 * left.linked, "somewhere"))
    if not scene.about & (_BUSINESS & ~UNIT if scene.about & LASTS else _BUSINESS):
        reasons.append(_of_plain(scene, item, left, right))
    return max(reasons)


def _of_plain(scene: Scene, item: Candidate, left: Side, right: Side) -> tuple[float, str]:
    """Say what a text that speaks of no business at all does for its number."""
    if not scene.about & (ACT | SHY) and _is_terse(scene, item, left, right):
        return 3.0, "terse"
    words_max = GUARDED_WORDS_MAX if left.linked and scene.about & SECRET else PLAIN_WORDS_MAX
    whole = item.end - item.start == 6 or (left.linked and not item.doubt)
    short = scene.words <= words_max and len(item.code) == 6 and whole
    return (2.2 if short else 0.0), "plain"


def _is_terse(scene: Scene, item: Candidate, left: Side, right: Side) -> bool:
    """Say whether there is little but the number.

    Letters and digits may have only a name beside them.
    """
    words_max = TERSE_WORDS_MAX if item.shape == "digits" else 1
    return scene.words <= words_max and item.shape != "letters" and not (left.words and right.words)


def _is_asked_for(item: Candidate, left: Side, right: Side, rule: str) -> bool:
    """Tell "Use A7K9QZ to log in" from plates, models and coupons, where no codeword says so."""
    if (
        not 5 <= len(item.code) <= 8
        or item.code.upper() != item.code != item.code.lower()
        or _COUPON.fullmatch(item.code)
    ):
        return False
    if right.filed:  # "use BA2490 booking ..."
        return False
    return (
        rule == "terse"
        or left.act >= BESIDE_ACT
        or right.act >= (BESIDE if left.words else NEAR_ACT)
    )


def _is_beyond_doubt(
    scene: Scene, item: Candidate, left: Side, right: Side, why: tuple[float, str]
) -> bool:
    """Say whether enough speaks for groups that may as well be an amount, a date or two numbers
    side by side."""
    if (left.key >= BESIDE_KEY and (left.linked or not left.directed)) or (
        right.linked and right.key >= LINKED_KEY
    ):
        return True
    if item.doubt is Doubt.BESIDE:
        return False
    if (
        left.linked and left.key and not (left.breaks or left.noun)
    ):  # "the code for your card *1234 is 123.456"
        return True
    points, rule = why
    if (
        points >= NEAR_KEY
        or (rule == "terse" and not left.crossed + right.crossed)
        or _is_alone(scene.tokens.text, item)
    ):
        return True
    return left.act >= BESIDE_ACT or right.act >= (BESIDE if left.words else NEAR_ACT)


def _is_fit(item: Candidate, left: Side, right: Side, points: float) -> bool:
    """Letters are only a code where a colon or an "is" says so.

    Mixed ones need a code named close by.
    """
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


def _in_offer(kinds: list[int], item: Candidate) -> bool:
    """Say whether the sentence around the candidate advertises something."""
    for places in (range(item.first - 1, -1, -1), range(item.last + 1, len(kinds))):
        for at in places:
            if kinds[at] & BREAK:
                break
            if kinds[at] & OFFER and not kinds[at] & (MARK | _NUMERIC):
                return True
    return False
