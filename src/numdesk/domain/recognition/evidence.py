"""Judge a place in a text that names a service: is the message that service's, or is it only spoken
of?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from numdesk.domain.otp.scene import SHY, survey
from numdesk.domain.otp.tokens import BREAK, CURRENCY, DIGITS, LINE, MARK, MIXED, tokenise
from numdesk.domain.otp.words import ACT, KEY, MONEY, OFFER, SUM, TO

#: A number of so many characters may be a code, or the half of one.
CODE_LENGTH_MIN = 3
#: A name and the codeword that it goes with are so many words apart at most.
REACH = 4

#: A word as it stands beside a name: its meaning and its spelling.
Word: TypeAlias = "tuple[int, str]"
_NUMERIC = DIGITS | MIXED
_SPOKEN = KEY | SHY


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Words between a codeword and the service that the code is of; "at", "by", "in", "on", "via" and
#: "with" are not among them.
_OF = _words(
    """
    of for from your the de du d del da do dal di della des la le el los das der die den dem für
      von vom voor van para por per pour
    untuk dari af av for för til till z od dla za pro na của cho cua для от від за من ل لـ ب بـ
      الخاص برای של ل की का के لـ の 的 의 ของ
    """
)
#: Words between a service and its codeword.
_KIND = _words(
    """
    security account access id business app web one time mobile phone login log in sign single use two factor step number reset
    password the 's s の 的 의 安全 登录 动态 動態
    """
)
#: "Your" before a name that is also an everyday word.
_YOUR = _words(
    """
    your tu su seu sua ta votre ton dein deine ihr ihre je uw tuo suo
    il o ваш твой твій вашего вашому tău dvs din ditt sinun twój váš kod kode code
    """
)
#: What an account is called after the name of its service.
_ACCOUNT = _words(
    "account konto cuenta compte conta аккаунт акаунт аккаунта akun hesap hesabınız akkaunt "
    "profil profile учетную"
)
_THANKS = _words("thanks thank team cheers regards equipo team's команда the dein your ihr")
_OPENING, _CLOSING = "[【〔「『《", "]】〕」』》"
_LABELLED = re.compile(r"(?:\.[a-z]{2,3})?\s?(?:[:：]|[-–—](?=\s))|(?:\.[a-z]{2,3})?\s[-–—|](?=\s)")
_STOPPED = re.compile(r"[.!](?=\s)|\s?\n")
_HEAD = re.compile(r"(?:<#>|\[#\]|[^\w\[【〔「『《])*")
_TAIL = re.compile(r"[^\w]*")


class Grade(IntEnum):
    """The degree of trust in a name in a text."""

    SENDER = 0  # not at all
    BRACKETED = 1  # in brackets at the head only
    COMMON = 2  # an everyday word: where nothing else can be meant
    CLEAR = 3


@dataclass(frozen=True, slots=True)
class Naming:
    """A place where a text names a service."""

    service_id: int
    start: int
    end: int
    grade: Grade


@dataclass(frozen=True, slots=True)
class Scene:
    """A text with the meaning of its words, and what it says overall."""

    text: str
    kinds: list[int]
    starts: list[int]
    ends: list[int]
    has_code: bool
    is_about_money: bool
    is_offer: bool

    def sentence(self, naming: Naming) -> tuple[int, int]:
        """Return where the sentence of a name begins and ends."""
        before = [
            end
            for kind, end in zip(self.kinds, self.ends, strict=True)
            if kind & (BREAK | LINE) and kind & MARK and end <= naming.start
        ]
        after = [
            start
            for kind, start in zip(self.kinds, self.starts, strict=True)
            if kind & (BREAK | LINE) and kind & MARK and start >= naming.end
        ]
        return before[-1] if before else 0, after[0] if after else len(self.text)

    def left(self, naming: Naming) -> list[Word]:
        """Return what stands before a name, the nearest first."""
        found: list[Word] = []
        for kind, start, end in zip(self.kinds, self.starts, self.ends, strict=True):
            if start >= naming.start:
                break
            found.append(
                (
                    kind if end <= naming.start else 0,
                    self.text[start : min(end, naming.start)].casefold(),
                )
            )
        return found[::-1]

    def right(self, naming: Naming) -> list[Word]:
        """Return what stands after a name, the nearest first.

        An ending behind an apostrophe is the name's.
        """
        found: list[Word] = []
        for kind, start, end in zip(self.kinds, self.starts, self.ends, strict=True):
            if start >= naming.end:
                found.append((kind, self.text[start:end].casefold()))
            elif end > naming.end and self.text[naming.end].isalpha():
                found.append((0, self.text[naming.end : end].casefold()))
        return found


def scene_of(normal: str) -> Scene:
    """Read a normalised text."""
    tokens = tokenise(normal, places=None)
    about = survey(tokens).about
    marks = 0
    for kind in tokens.kinds:
        marks |= kind if kind & MARK else 0
    sizes = [
        end - start
        for kind, start, end in zip(tokens.kinds, tokens.starts, tokens.ends, strict=True)
        if kind & (DIGITS | MIXED)
    ]
    return Scene(
        tokens.text,
        tokens.kinds,
        tokens.starts,
        tokens.ends,
        has_code=bool(about & _SPOKEN) or any(size >= CODE_LENGTH_MIN for size in sizes),
        is_about_money=bool(about & (MONEY | SUM) or marks & CURRENCY),
        is_offer=bool(about & OFFER),
    )


def label_of(scene: Scene, naming: Naming) -> bool:
    """Do the text sign itself with the name: in brackets, or at its head before a colon or a full
    stop?"""
    if not scene.has_code or naming.grade is Grade.SENDER:
        return False
    text, head = scene.text, _HEAD.match(scene.text)
    begins = head is not None and head.end() >= naming.start - 1
    if text[naming.start - 1 : naming.start] in tuple(_OPENING) and text[
        naming.end : naming.end + 3
    ].strip("网網 ")[:1] in tuple(_CLOSING):
        return begins or _TAIL.fullmatch(text, naming.end) is not None
    if not begins or naming.grade is Grade.BRACKETED or naming.end - naming.start == 1:
        return False
    if _LABELLED.match(text, naming.end):
        return True
    return (
        naming.grade is Grade.CLEAR
        and not scene.is_offer
        and _STOPPED.match(text, naming.end) is not None
    )


def phrase_of(scene: Scene, naming: Naming) -> bool:
    """Do the text announce a code of the service's? Not where it speaks of money: a bank names the
    shop, too."""
    if (
        not scene.has_code
        or scene.is_about_money
        or scene.is_offer
        or naming.grade <= Grade.BRACKETED
    ):
        return False
    if naming.grade is Grade.COMMON and not _is_written_as_name(scene.text, naming):
        return False
    left, right = scene.left(naming), scene.right(naming)
    if _is_code_of(left) or _is_codes_name(scene, naming, left, right):
        return True
    return naming.grade is Grade.CLEAR and (
        _is_beside_code(left, right) or _is_tail(scene, naming, left) or _is_account(left, right)
    )


def _is_written_as_name(text: str, naming: Naming) -> bool:
    """Return whether an everyday word has a capital, in a text that is not all capitals."""
    word = text[naming.start : naming.end]
    rest = text[: naming.start] + text[naming.end :]
    return word != word.lower() and not (rest.isupper() and rest.isascii())


def _is_code_of(left: list[Word]) -> bool:
    """Do a codeword stand before the name, as in "code for Uber"?"""
    for kind, word in left[:REACH]:
        if kind & _SPOKEN and not kind & MARK:
            return not (word.startswith("kod") and left[0][1] == "di")
        if kind & (MARK | _NUMERIC) or not (kind & ACT or word in _OF or word in _YOUR):
            return False
    return False


def _is_codes_name(scene: Scene, naming: Naming, left: list[Word], right: list[Word]) -> bool:
    """Do a codeword stand after the name, as in "your Uber code"?"""
    kinds = 0
    for kind, word in right[:REACH]:
        if kind & _SPOKEN and not kind & MARK:
            break
        if kind & (MARK | _NUMERIC) or not (kind & ACT or word in _KIND):
            return False
        kinds |= kind
    else:
        return False
    size = naming.end - naming.start
    is_own = bool(left) and left[0][1] in _YOUR
    is_capital = scene.text[naming.start : naming.end].isupper() and size > 2
    return naming.grade is Grade.CLEAR or bool(kinds & ACT) or (size > 1 and (is_own or is_capital))


def _is_beside_code(left: list[Word], right: list[Word]) -> bool:
    """Return whether the text is a name and a number, and little else."""
    return not left and bool(right) and bool(right[0][0] & _NUMERIC) and len(right) <= REACH


def _is_tail(scene: Scene, naming: Naming, left: list[Word]) -> bool:
    """Do the name sign the text at its end, after a stop or after the code and a dash?"""
    if _TAIL.fullmatch(scene.text, naming.end) is None:
        return False
    before = [(kind, word) for kind, word in left if word not in _THANKS and word != ","]
    if not before or not before[0][0] & MARK:
        return False
    kind, word = before[0]
    return bool(kind & (BREAK | LINE)) or (
        word in "-–—" and len(before) > 1 and bool(before[1][0] & _NUMERIC)
    )


def _is_account(left: list[Word], right: list[Word]) -> bool:
    """Return whether the name is the account that the code opens, as in "to verify your Uber
    account" or "to log in to Uber"."""
    ends = not right or bool(right[0][0] & MARK) or right[0][1] in _ACCOUNT
    if not ends or len(left) < 2:
        return False
    (kind, word), (act, verb) = left[:2]
    is_to = (
        (kind & TO and word not in ("on", "by", "with"))
        or word in _OF
        or word in ("to", "into", "akun", "ke")
    )
    is_particle = verb in ("in", "up") and len(left) > 2 and left[2][1] in ("log", "sign")
    return bool(is_to and (is_particle or (act & ACT and not act & MARK)))
