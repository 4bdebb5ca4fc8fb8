"""Cut a message into words, numbers and marks, each with its place in the message as it came."""

import re
import unicodedata
from dataclasses import dataclass, field

from numdesk.domain.otp.lexicon import UNSPACED, meaning, readings

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
    marks |= (
        dict.fromkeys("*•●·×…✱＊", STAR) | dict.fromkeys("#№＃", HASH) | dict.fromkeys("+＋", PLUS)
    )
    marks |= dict.fromkeys("%٪％‰", PERCENT) | dict.fromkeys(
        "$€£¥₽₴₸₹₩₫₱฿₪₺₼₾֏৳៛￥＄₦₵₭₮₲₡￦", CURRENCY
    )
    return marks


MARKS = _marks()

_APOSTROPHES = "'’ʻʼ"
_MARK_CLASS = "".join(re.escape(mark) for mark in MARKS)
#: Not part of a word: blanks, digits, every mark, symbols and emoji. What is left is letters and
#: their accents.
_OTHER = (
    f"\t-\r\x1c-\x200-9{_MARK_CLASS}!-/:-@\\[-`{{-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf×÷"
)
_OTHER += "\u2000-\u2bff\u3000-\u3004\u3008-\u303f\ufe00-\ufe0f\uff00-\uff65\U0001f000-\U0001faff"
_LETTER = f"[^{_OTHER}{UNSPACED}]"
#: A call that was written down has "4, 8, 2, 9" where a text has "4 8 2 9".
#: Possessive repeats keep every branch linear, and the commonest one, a Latin word, comes early.
_TOKEN = re.compile(
    rf"(?P<spaced>[0-9](?:(?:[ -][0-9]){{3,9}}(?![ -]?[0-9])|(?:(?:[,.…]{{1,3}} |[，、。])[0-9](?![0-9])){{3,9}}))"
    rf"|(?P<letters>[A-Za-z0-9](?: [A-Za-z0-9]){{3,9}}(?![A-Za-z0-9]|{_LETTER}))"
    rf"|(?P<latin>[A-Za-z]{{2,64}}+(?=[ .,:]))"
    rf"|(?P<money>[SB]/\.?(?= ?[0-9]))"
    rf"|(?P<mixed>[A-Za-z]{{1,40}}+[0-9][A-Za-z0-9]*+|[0-9]++[A-Za-z][A-Za-z0-9]*+)"
    rf"|(?P<digits>[0-9](?:[0-9]|[.,:/'’٬٫⁄](?=[0-9]))*+)"
    rf"|(?P<unspaced>[{UNSPACED}]{{1,64}})"
    rf"|(?P<word>{_LETTER}{{1,64}}+(?:[{_APOSTROPHES}]{_LETTER}{{1,32}}){{0,2}})"
    rf"|(?<=[^\W\d_])-(?=[^\W\d_])"
    rf"|(?P<mark>[{_MARK_CLASS}])"
)
#: What the groups of `_TOKEN` that are neither words nor marks become; soles and balboas write a
#: stroke: "S/ 50".
_KINDS = {"digits": DIGITS, "spaced": DIGITS, "mixed": MIXED, "letters": MIXED, "money": CURRENCY}
_URL = re.compile(
    r"(?i:https?://|www\.)[!-~]+|(?<![A-Za-z0-9.-])[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,6}/[!-~]*"
)
#: The eleven characters by which Android hands a message to an app; with a few blanks after it, it
#: ends the message.
_APP_HASH_REACH = 16
_APP_HASH = re.compile(r"(?<!\S)(?=[a-z0-9+/]*[A-Z+/])(?=[A-Z0-9+/]*[a-z])[A-Za-z0-9+/]{11}\s*\Z")
#: With a plus inside it is known for a hash anywhere: another line may follow it.
_PLUS_HASH = re.compile(
    r"(?<!\S)(?=[A-Za-z0-9/]{1,9}\+)(?=[A-Z0-9+/]*[a-z])(?=[a-z0-9+/]*[A-Z])[A-Za-z0-9+/]{11}(?!\S)"
)
#: Takes the place of a blanked character: neither a blank nor a mark nor a letter.
_BLANK = "\x1f"


#: No decimal digit and no blank lies beyond.
_FOLDED_MAX = 0x20000


def _foldings() -> dict[int, str | None]:
    """Every decimal digit to ASCII, full-width letters to ASCII, odd blanks and hyphens to plain
    ones.

    Full-width punctuation stays: a full-width comma made "," would turn "123456，10分钟" into a
    decimal.
    """
    table: dict[int, str | None] = {}
    for code in range(0x80, _FOLDED_MAX):
        char = chr(code)
        if char.isdecimal():
            table[code] = str(unicodedata.digit(char))
        elif char.isspace() and char != "\u0085":
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
    return folded, [
        place for place, char in enumerate(text) if _FOLDINGS.get(ord(char), "") is not None
    ]


def tokenise(text: str, *, places: list[int] | None) -> Tokens:
    """Cut a normalised message into tokens; addresses and app hashes give none."""
    text = _without_addresses(text)
    tokens = Tokens(text, places)
    kinds, starts, ends = tokens.kinds, tokens.starts, tokens.ends
    for match in _TOKEN.finditer(text):
        group = match.lastgroup
        if group == "latin" or group == "word":
            kinds.append(meaning(match[0]))
        elif group == "mark":
            kinds.append(MARKS[match[0]])
        elif group == "unspaced":
            _add_phrases(tokens, match)
            continue
        elif group is None:  # the hyphen of a compound
            continue
        else:
            if group == "spaced" or group == "letters":
                tokens.spaced.append(len(kinds))
            kinds.append(_KINDS[group])
        start, end = match.span()
        starts.append(start)
        ends.append(end)
    return tokens


def _without_addresses(text: str) -> str:
    """Blank out what holds digits that nobody types: links, and the hash that hands the message to
    an app."""
    if "/" in text or "www." in text:
        text = _URL.sub(lambda match: _BLANK * len(match[0]), text)
    if "+" in text:
        text = _PLUS_HASH.sub(_BLANK * 11, text)
    match = _APP_HASH.search(text, max(len(text) - _APP_HASH_REACH, 0))
    return (
        text[: match.start()] if match is not None and match.start() else text
    )  # a hash hands over some text


def _add_phrases(tokens: Tokens, match: re.Match[str]) -> None:
    offset = match.start()
    for flags, start, end in readings(match[0]):
        tokens.kinds.append(flags)
        tokens.starts.append(offset + start)
        tokens.ends.append(offset + end)
