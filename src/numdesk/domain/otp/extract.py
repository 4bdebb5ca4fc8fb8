"""Find the one-time code in a text, or say that there is none.

The message is folded and cut into tokens; every number that could be a code is weighed by the words
around it: what names a code near it speaks for it, what names money, orders, accounts or phones
speaks against it.
"""

import re
from dataclasses import dataclass, replace

from numdesk.domain.otp.digit_words import DIGIT_WORDS, SPELT_OUT, WORD
from numdesk.domain.otp.groups import unjoined
from numdesk.domain.otp.scene import survey
from numdesk.domain.otp.shapes import Candidate, letter_words, numbers
from numdesk.domain.otp.tokens import normalise, tokenise
from numdesk.domain.otp.weight import LIKELY, Weight, weigh
from numdesk.domain.otp.words import KEY

#: Ten concatenated segments are 1,530 characters; beyond that no operator sends a code.
TEXT_LENGTH_MAX = 2_000
#: The origin-bound line ends a message, however long that is.
TAIL_LENGTH_MAX = 300
#: The weight at which nothing is left to doubt.
CERTAIN = 12.0

_ORIGIN_BOUND = re.compile(
    r"(?:^|\n)@(?P<host>(?=[^\s.]*\.)[\w-]+(?:\.[\w-]+){1,8}) #(?P<code>[!-\"$-~]{3,64})(?: @[\w.-]+| %[\w.-]+)?\s*$"
)
_BARE = re.compile(
    r"\W*(?P<code>[0-9]{4,10}|[0-9]{3}[ -][0-9]{3}|[0-9]{4}[ -][0-9]{4}|[0-9]{2}(?:[ -][0-9]{2}){2})[^\w+*]*"
)
_GOOGLE = re.compile(r"(?<![A-Za-z0-9-])G-(?P<code>[0-9]{6})(?![0-9A-Za-z-])")


@dataclass(frozen=True, slots=True)
class Extraction:
    """A code found in a message: as to be typed, as written, how sure, by which rule, and where."""

    code: str
    raw: str
    confidence: float
    rule: str
    span: tuple[int, int]


def extract(text: str, *, sender: str | None = None) -> Extraction | None:
    """Find the one-time code in `text`; a number that is the `sender` itself is never one."""
    found = _origin_bound(text)
    if found is not None:
        return found
    normal, places = normalise(text[:TEXT_LENGTH_MAX])
    bare = _BARE.fullmatch(normal)
    if bare is not None:
        return extraction(text, places, bare.span("code"), rule="bare", confidence=0.9)
    google = _GOOGLE.search(normal) if "G-" in normal else None
    if google is not None:
        return extraction(text, places, google.span("code"), rule="google", confidence=1.0)
    tokens = tokenise(normal, places=places)
    scene = survey(tokens)
    own = sender.strip().lstrip("+") if sender else ""
    best = _best([(weigh(scene, item), item) for item in numbers(tokens) if item.code != own])
    if best is None and scene.about & KEY:
        spoken = _spelt_out(text, normal, places)
        if spoken is not None:
            return spoken
    if best is None:
        best = _best([(weigh(scene, item), item) for item in letter_words(tokens)])
    if best is None:
        return None
    weight, item = best
    confidence = round(min(weight.points / CERTAIN, 1.0), 2)
    return extraction(text, places, (item.start, item.end), rule=weight.rule, confidence=confidence)


def extraction(
    text: str, places: list[int] | None, span: tuple[int, int], *, rule: str, confidence: float
) -> Extraction:
    """Make the extraction of a stretch of the normalised text, in words of the message as it
    came."""
    start, end = span
    if places is not None:
        start, end = places[start], places[end - 1] + 1
    raw = text[start:end]
    code = unjoined(normalise(raw)[0])
    return Extraction(code=code, raw=raw, confidence=confidence, rule=rule, span=(start, end))


def _best(weighed: list[tuple[Weight, Candidate]]) -> tuple[Weight, Candidate] | None:
    likely = [pair for pair in weighed if pair[0].points >= LIKELY]
    return max(likely, key=lambda pair: pair[0].points, default=None)


def _origin_bound(text: str) -> Extraction | None:
    """Read the last line as `@host #code`, the form browsers fill in by themselves: it leaves no
    doubt."""
    offset = max(len(text) - TAIL_LENGTH_MAX, 0)
    tail = text[offset:]
    if "#" not in tail or "@" not in tail:
        return None
    normal, places = normalise(tail.replace("\r", "\n"))
    match = _ORIGIN_BOUND.search(normal)
    if match is None:
        return None
    found = extraction(tail, places, match.span("code"), rule="origin-bound", confidence=1.0)
    return replace(
        found,
        code=match["code"].replace("-", ""),
        span=(found.span[0] + offset, found.span[1] + offset),
    )


def _spelt_out(text: str, normal: str, places: list[int] | None) -> Extraction | None:
    """Read digits written as words, as a call is written down: "four eight two nine"."""
    lowered = normal.lower()  # as long as before: the one letter that grows is folded by then
    match = SPELT_OUT.search(lowered)
    if match is None:
        return None
    found = extraction(text, places, match.span(), rule="spelt", confidence=0.6)
    return replace(found, code="".join(DIGIT_WORDS[word] for word in WORD.findall(match[0])))
