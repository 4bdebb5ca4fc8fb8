"""Cut a message into words, numbers and marks, each with its place in the message as it came."""

import re
import sys
import unicodedata
from dataclasses import dataclass, field

from numdesk.domain.otp_lexicon import UNSPACED, readings

#: Kinds of marks and numbers; they share one integer with the flags of words, from bit 20 up.
BREAK = 1 << 20  #: end of a sentence
LINE = 1 << 21  #: end of a line
LINK = 1 << 22  #: points at what follows: a colon, a dash, an arrow
QUOTE = 1 << 23  #: brackets and quotation marks
STAR = 1 << 24  #: hides digits, or makes them bold
HASH = 1 << 25
PLUS = 1 << 26
PERCENT = 1 << 27
CURRENCY = 1 << 28
COMMA = 1 << 29
DIGITS = 1 << 30  #: a number of any kind
MIXED = 1 << 31  #: Latin letters and digits without a space between
MARK = BREAK | LINE | LINK | QUOTE | STAR | HASH | PLUS | PERCENT | CURRENCY | COMMA


def _marks() -> dict[str, int]:
    marks = dict.fromkeys(".!?;。！？；।॥۔؟؛։።။៕｡", BREAK)
    marks |= dict.fromkeys("\n\r", LINE) | dict.fromkeys(",，、،՝፣၊|/", COMMA)
    marks |= dict.fromkeys(":：=–—-»→>➡👉⇒፦៖~", LINK)
    marks |= dict.fromkeys("()[]{}<\"'’“”‘«„`【】「」『』《》〈〉（）［］", QUOTE)
    marks |= dict.fromkeys("*•●·×…✱＊", STAR) | dict.fromkeys("#№＃", HASH) | dict.fromkeys("+＋", PLUS)
    marks |= dict.fromkeys("%٪％‰", PERCENT) | dict.fromkeys("$€£¥₽₴₸₹₩₫₱฿₪₺₼₾֏৳៛￥＄₦₵₭₮₲₡￦", CURRENCY)
    return marks


MARKS = _marks()

_APOSTROPHES = "'’ʻʼ"
_MARK_CLASS = "".join(re.escape(mark) for mark in MARKS)
#: Not part of a word: blanks, digits, every mark, symbols and emoji. What is left is letters and their accents.
_OTHER = f"\\s0-9{_MARK_CLASS}!-/:-@\\[-`{{-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf×÷"
_OTHER += "\u2000-\u2bff\u3000-\u3004\u3008-\u303f\ufe00-\ufe0f\uff00-\uff65\U0001f000-\U0001faff"
_LETTER = f"[^{_OTHER}{UNSPACED}]"
_TOKEN = re.compile(
    rf"(?P<spaced>[0-9](?:[ -][0-9]){{3,9}}(?![ -]?[0-9]))"
    rf"|(?P<letters>[A-Za-z0-9](?: [A-Za-z0-9]){{3,9}}(?![A-Za-z0-9]|{_LETTER}))"
    rf"|(?P<money>[SB]/\.?(?= ?[0-9]))"
    rf"|(?P<mixed>[A-Za-z]{{1,40}}[0-9][A-Za-z0-9]*|[0-9]+[A-Za-z][A-Za-z0-9]*)"
    rf"|(?P<digits>[0-9](?:[0-9]|[.,:/'’٬٫⁄](?=[0-9]))*)"
    rf"|(?P<unspaced>[{UNSPACED}]{{1,64}})"
    rf"|(?P<word>{_LETTER}{{1,64}}(?:[{_APOSTROPHES}]{_LETTER}{{1,32}}){{0,2}})"
    rf"|(?P<mark>[{_MARK_CLASS}])"
)
_URL = re.compile(r"(?i:https?://|www\.)[!-~]+|(?<![A-Za-z0-9.-])[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,6}/[!-~]*")
_APP_HASH = re.compile(r"(?<!\S)(?=[a-z0-9+/]*[A-Z+/])(?=[A-Z0-9+/]*[a-z])[A-Za-z0-9+/]{11}(?!\S)")
#: Takes the place of a blanked character: neither a blank nor a mark nor a letter.
_BLANK = "\x1f"


def _foldings() -> dict[int, str | None]:
    """Every decimal digit to ASCII, full-width letters to ASCII, odd blanks and hyphens to plain ones.

    Full-width punctuation stays: a full-width comma made "," would turn "123456，10分钟" into a decimal.
    """
    table: dict[int, str | None] = {}
    for code in range(0x80, sys.maxunicode + 1):
        char = chr(code)
        category = unicodedata.category(char)
        if category == "Nd":
            table[code] = str(unicodedata.digit(char))
        elif category == "Zs":
            table[code] = " "
    table |= {code: chr(code - 0xFEE0) for code in (*range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))}
    table |= dict.fromkeys((8208, 8209, 8210, 8722, 65112, 65123, 65293), "-")
    dropped = (*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070))
    table |= dict.fromkeys((*dropped, 0xAD, 0x61C, 0x180E, 0xFEFF, 0x17B4, 0x17B5), None)
    table[0x0130] = "I"  # the only capital whose small form has two characters
    return table


_FOLDINGS = _foldings()


@dataclass(slots=True)
class Tokens:
    """A message cut into tokens: what each is, and where it starts and ends in `text`."""

    text: str
    places: list[int] | None
    kinds: list[int] = field(default_factory=list[int])
    starts: list[int] = field(default_factory=list[int])
    ends: list[int] = field(default_factory=list[int])
    spaced: list[int] = field(default_factory=list[int])

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Give the place in the message as it came of `text[start:end]`."""
        if self.places is None:
            return start, end
        return self.places[start], self.places[end - 1] + 1


def normalise(text: str) -> tuple[str, list[int] | None]:
    """Fold digits, letters, blanks and hyphens to ASCII and drop invisible marks.

    The second value says where each character came from; `None` when nothing moved.
    """
    if text.isascii():
        return text, None
    folded = text.translate(_FOLDINGS)
    if len(folded) == len(text):
        return folded, None
    return folded, [place for place, char in enumerate(text) if _FOLDINGS.get(ord(char), "") is not None]


def tokenise(text: str, *, places: list[int] | None) -> Tokens:
    """Cut a normalised message into tokens; addresses and app hashes give none."""
    if "/" in text or "www." in text:
        text = _URL.sub(lambda match: _BLANK * len(match[0]), text)
    text = _APP_HASH.sub(_BLANK * 11, text)
    tokens = Tokens(text, places)
    kinds, starts, ends = tokens.kinds, tokens.starts, tokens.ends
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        group = match.lastgroup
        if group == "word" or group == "unspaced":
            for flags, first, last in readings(match[0]):
                kinds.append(flags)
                starts.append(start + first)
                ends.append(start + last)
            continue
        if group == "mark":
            kinds.append(MARKS[text[start]])
        elif group == "money":  # soles and balboas are written with a stroke: "S/ 50"
            kinds.append(CURRENCY)
        else:
            if group in ("spaced", "letters"):
                tokens.spaced.append(len(kinds))
            kinds.append(DIGITS if group in ("digits", "spaced") else MIXED)
        starts.append(start)
        ends.append(end)
    return tokens
