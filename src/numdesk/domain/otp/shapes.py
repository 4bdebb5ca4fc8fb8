"""Find the tokens of a message that are shaped like a one-time code: four to ten letters and
digits, however grouped."""

import re
from dataclasses import dataclass, replace
from itertools import pairwise

from numdesk.domain.otp.groups import (
    GAP_LENGTH_MAX,
    LENGTH_MAX,
    LENGTH_MIN,
    PHONE,
    Doubt,
    are_short,
    doubt,
    gap_kind,
    pieces,
)
from numdesk.domain.otp.lexicon import meaning
from numdesk.domain.otp.tokens import CURRENCY, DIGITS, LINK, MIXED, PERCENT, PLUS, Tokens
from numdesk.domain.otp.words import IS, KEY, MONEY, NUMBER, NUMBERED, REF, ROAD, TOP_LEVEL, UNIT

#: A message with a code holds a handful of numbers; a list of hundreds is not worth weighing to its
#: end.
CANDIDATES_MAX = 40

_LEADING_CODE = re.compile(r"[0-9]{4,8}(?=[.,/][0-9]{1,3}$)")
_LEADING_GROUP = re.compile(r"[0-9]{2,5}(?=[.,/][0-9]{1,3}$)")
_MASKED = re.compile(r"[xX]{2,}[0-9]+|[0-9]+[xX]{2,}[0-9]*|[0-9]+[xX][0-9]+")
#: Inside a time, a ratio or a date, which begin a number of their own behind a blank.
_MOMENT = re.compile(r"[:/]|\..*\.")
_THOUSANDS = re.compile(r"[0-9]{1,3} [0-9]{3}(?:[.,][0-9]{1,2})?")
_LETTERS_THEN_DIGITS = re.compile(r"([A-Za-z]+)([0-9]+)")
_DIGITS_THEN_LETTERS = re.compile(r"[0-9]+([A-Za-z]+)")
_DOMAIN_AFTER = re.compile(rf"\.(?i:{TOP_LEVEL})(?![A-Za-z])")
#: Capitals, odd case, or five consonants in a row: hardly a word of any language.
_UNREADABLE = re.compile(
    r"[A-Z]{4,10}|(?=[a-zA-Z]*[a-z][A-Z])[A-Za-z]{5,10}|(?=[a-z]*[bcdfghjklmnpqrstvwxz]{5})[a-z]{6,10}"
)
#: What hides the front or the back of a card or an account number.
_HIDDEN_BEFORE = re.compile(r"(?:[*•●·×✱＊…]-?|[*•●]{2} |[xX]{2}[- ]?|\.\.)\Z")
_HIDDEN_AFTER = re.compile(r"[*•●✱＊]|[xX]{2}")
#: Between the groups of a phone number.
_BRACKETS = frozenset((") ", ")", "(", " (", ")-"))
_NUMERIC = DIGITS | MIXED


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stretch of the message that could be the code: its tokens, its place, and what its shape
    says for it."""

    first: int
    last: int
    start: int
    end: int
    code: str
    shape: str
    points: float
    doubt: Doubt = Doubt.NONE


def numbers(tokens: Tokens) -> list[Candidate]:
    """List what has digits and could be a code, in the order of the message."""
    found: list[Candidate] = []
    run: list[int] = []
    for index in [at for at, kind in enumerate(tokens.kinds) if kind & _NUMERIC]:
        if run and not _continues(tokens, run, index):
            found += _from_run(tokens, run)
            run = []
        if (
            not run
            and _is_letter_group(tokens, index - 2, beside=index)
            and not _is_code_alone(tokens, index)
        ):
            run.append(index - 2)
        run.append(index)
        if _is_letter_group(tokens, index + 2, beside=index):
            run.append(index + 2)
    if run:
        found += _from_run(tokens, run)
    usable = [
        item
        for item in found
        if not (_is_address(tokens.text, item) or _is_masked(tokens.text, item))
    ]
    return usable[:CANDIDATES_MAX]


def letter_words(tokens: Tokens) -> list[Candidate]:
    """List the words that look like no word and mean nothing else: QGFDAE, hJkLmN, hjkxqwmz."""
    found: list[Candidate] = []
    for index, kind in enumerate(tokens.kinds):
        if kind == 0:
            word = tokens.text[tokens.starts[index] : tokens.ends[index]]
            if _UNREADABLE.fullmatch(word):
                found.append(_candidate(tokens, index, index, word, shape="letters"))
    return found[:CANDIDATES_MAX]


def counts(kinds: list[int], at: int) -> bool:
    """Say whether the word after a number counts or names something.

    "123456 som kod" is no sum in Kyrgyz som.
    """
    kind = kinds[at]
    if kind & ROAD or (at + 1 < len(kinds) and kinds[at + 1] & ROAD):
        return True
    if kind & KEY or not kind & (MONEY | UNIT | NUMBERED):
        return False
    return not (kind & IS and any(near & KEY for near in kinds[at + 1 : at + 4]))


def _written(tokens: Tokens, index: int) -> str:
    return tokens.text[tokens.starts[index] : tokens.ends[index]]


def _gap(tokens: Tokens, before: int, after: int) -> str:
    return tokens.text[tokens.ends[before] : tokens.starts[after]]


def _is_code_alone(tokens: Tokens, index: int) -> bool:
    """Say whether letters before a number are one to compare, not to type: ABCD-1234, but not
    ABC-123."""
    return (
        bool(tokens.kinds[index] & DIGITS)
        and tokens.ends[index] - tokens.starts[index] >= LENGTH_MIN
    )


def _is_letter_group(tokens: Tokens, index: int, *, beside: int) -> bool:
    """Say whether a word is a group of a code: capitals that a dash joins to as many letters and
    digits."""
    dash = (index + beside) // 2
    if not 0 <= index < len(tokens.kinds) or tokens.kinds[index] or not tokens.kinds[dash] & LINK:
        return False
    word = _written(tokens, index)
    if tokens.ends[beside] - tokens.starts[beside] != len(word) or not (
        word.isascii() and word.isalpha() and word.isupper()
    ):
        return False
    gap = _gap(tokens, min(index, beside), max(index, beside))
    return " " not in gap and gap_kind(gap) == "-"


def _continues(tokens: Tokens, run: list[int], index: int) -> bool:
    """Say whether a number stands so close to those before that it may be a group of the same
    one."""
    before = run[-1]
    if (
        tokens.starts[index] - tokens.ends[before] > GAP_LENGTH_MAX
        or before in tokens.spaced
        or index in tokens.spaced
    ):
        return False
    gap = _gap(tokens, before, index)
    kind = gap_kind(gap)
    if not kind:
        return gap in _BRACKETS
    left, right = _written(tokens, before), _written(tokens, index)
    if kind == "?":  # all of one number are joined in the same way
        is_phone = gap in _BRACKETS and (len(left) < LENGTH_MIN or "(" not in gap)
        return is_phone or (
            are_short([left, right, right])
            and (len(run) == 1 or gap == _gap(tokens, run[-2], before))
        )
    if " " in gap and (_MOMENT.search(left) or _MOMENT.search(right)):
        return False
    return not (tokens.kinds[before] | tokens.kinds[index]) & MIXED or (
        _is_alike(left, right) if kind == " " else " " not in gap
    )


def _is_alike(left: str, right: str) -> bool:
    """Say whether letters and digits on both sides of a blank look like groups of one code: AB12
    CD34."""
    if len(left) != len(right) or left.upper() != left or right.upper() != right:
        return False
    return len(left) > 2 or not (left.isdigit() or right.isdigit())


def _from_run(tokens: Tokens, run: list[int]) -> list[Candidate]:
    first = run[0]
    if first and tokens.kinds[first - 1] & PLUS and tokens.ends[first - 1] == tokens.starts[first]:
        return []
    if len(run) == 1:
        return _from_single(tokens, first)
    return _groups_before_a_decimal(tokens, run) or _from_groups(tokens, run)


def _from_groups(tokens: Tokens, run: list[int]) -> list[Candidate]:
    first, last = run[0], run[-1]
    own = _without_counted(tokens, run)
    if own:
        return _from_run(tokens, own)
    groups = [_written(tokens, index) for index in run]
    gaps = [_gap(tokens, before, after) for before, after in pairwise(run)]
    how = doubt(groups, gaps)
    code = "".join(groups)
    if how is not None:
        return [_joined(tokens, first, last, groups, how=how)]
    whole = tokens.text[tokens.starts[first] : tokens.ends[last]]
    long = len(run) > 2 and len(code) > 6 and all(map(str.isdigit, groups))
    if long or PHONE.fullmatch(whole) or not all(" " in gap or gap in _BRACKETS for gap in gaps):
        return []
    return [item for index in run for item in _from_single(tokens, index)]


def _without_counted(tokens: Tokens, run: list[int]) -> list[int]:
    """Return the run without a number at its end that counts what comes next: "4821 10 minutes",
    "4821 12 500 rub"."""
    after = run[-1] + 1
    if after >= len(tokens.kinds) or not (
        tokens.kinds[after] & (PERCENT | CURRENCY) or counts(tokens.kinds, after)
    ):
        return []
    at = len(run) - 1
    while at and (
        " " not in _gap(tokens, run[at - 1], run[at]) or _is_thousands(tokens, run[at - 1], run[at])
    ):
        at -= 1
    return run[:at]


def _is_thousands(tokens: Tokens, before: int, index: int) -> bool:
    """Say whether a group continues an amount: three digits, or three and cents, behind at most
    three."""
    return _THOUSANDS.fullmatch(f"{_written(tokens, before)} {_written(tokens, index)}") is not None


def _from_single(tokens: Tokens, index: int) -> list[Candidate]:
    token = tokens.text[tokens.starts[index] : tokens.ends[index]]
    if tokens.kinds[index] & MIXED:
        return _from_mixed(tokens, index, token.replace(" ", ""))
    code = "".join(filter(str.isdigit, token)) if index in tokens.spaced else token
    if not code.isdigit():
        return _before_a_decimal(tokens, index, token) or _from_pieces(tokens, index, token)
    if LENGTH_MIN <= len(code) <= LENGTH_MAX:
        return [_candidate(tokens, index, index, code, shape="digits")]
    return []


def _before_a_decimal(tokens: Tokens, index: int, token: str) -> list[Candidate]:
    """Take the code out of "123456,10 minutes", where no blank follows the comma.

    The minutes go with the rest.
    """
    match = _LEADING_CODE.match(token)
    if match is None or index + 1 >= len(tokens.kinds) or not tokens.kinds[index + 1] & UNIT:
        return []
    return [replace(_candidate(tokens, index, index, match[0], shape="digits"), last=index + 1)]


def _groups_before_a_decimal(tokens: Tokens, run: list[int]) -> list[Candidate]:
    """Take the groups out of "482-910,10 minutes", as one number out of "123456,10 minutes"."""
    after = run[-1] + 1
    if after >= len(tokens.kinds) or not tokens.kinds[after] & UNIT:
        return []
    groups = [_written(tokens, index) for index in run]
    match = _LEADING_GROUP.match(groups[-1])
    if match is None or len(match[0]) not in (len(groups[-2]), 3, 4):
        return []
    groups[-1] = match[0]
    how = doubt(groups, [_gap(tokens, before, after) for before, after in pairwise(run)])
    if how is None:
        return []
    if _is_thousands(tokens, run[-2], run[-1]):  # "482 910,50 minutes left"
        how = Doubt.BESIDE
    joined = _joined(tokens, run[0], run[-1], groups, how=how)
    return [replace(joined, last=after, end=tokens.starts[run[-1]] + len(match[0]))]


def _from_pieces(tokens: Tokens, index: int, token: str) -> list[Candidate]:
    """Take 123.456 for a code, where it is no date, time or amount by its form."""
    groups, gaps = pieces(token)
    how = doubt(groups, gaps)
    return [] if how is None else [_joined(tokens, index, index, groups, how=how)]


def _from_mixed(tokens: Tokens, index: int, token: str) -> list[Candidate]:
    if _MASKED.fullmatch(token):
        return []
    match = _LETTERS_THEN_DIGITS.fullmatch(token)
    if match is not None:
        prefix = meaning(match[1])
        if prefix & (KEY | IS) and LENGTH_MIN <= len(match[2]) <= LENGTH_MAX:
            return [_candidate(tokens, index, index, match[2], shape="digits")]
        if prefix & (MONEY | REF | NUMBER):
            return []
    match = _DIGITS_THEN_LETTERS.fullmatch(token)
    if match is not None and meaning(match[1]) & (MONEY | UNIT):
        return []
    if LENGTH_MIN <= len(token) <= LENGTH_MAX:
        return [_candidate(tokens, index, index, token, shape=_shape(token))]
    return []


def _shape(code: str) -> str:
    if code.isdigit():
        return "digits"
    return "mixed" if any(char.isdigit() for char in code) else "letters"


def _joined(tokens: Tokens, first: int, last: int, groups: list[str], *, how: Doubt) -> Candidate:
    code = "".join(groups)
    candidate = _candidate(tokens, first, last, code, shape=_shape(code))
    return replace(candidate, doubt=how) if how else candidate


def _candidate(tokens: Tokens, first: int, last: int, code: str, *, shape: str) -> Candidate:
    end = tokens.ends[last]
    start = tokens.starts[first]
    if first == last and len(code) < end - start:  # letters before, or what is no part of it behind
        at = (
            tokens.text.rfind(code, start, end)
            if shape != "digits"
            else tokens.text.find(code, start, end)
        )
        if at >= 0:
            start, end = at, at + len(code)
    return Candidate(first, last, start, end, code, shape, _shape_points(code, shape))


def _shape_points(code: str, shape: str) -> float:
    """Six digits are three codes in five, four digits one in four.

    Nine or ten are mostly something else.
    """
    if shape == "letters":
        return 0.0
    size = len(code)
    points = 1.0 if size == 6 else 0.3 if size <= 8 else -2.0
    if size >= 9 and code[0] == "0":
        points -= 2.0
    if shape == "mixed":
        points -= 1.5 if code.upper() != code != code.lower() else 0.5
    return points


def _is_address(text: str, item: Candidate) -> bool:
    """Say whether the candidate is a piece of a mail address, a handle or a domain."""
    before = text[item.start - 1] if item.start else " "
    after = text[item.end] if item.end < len(text) else " "
    if "@" in (before, after) or (before == "_") != (after == "_"):
        return True
    return after == "." and _DOMAIN_AFTER.match(text, item.end) is not None


def _is_masked(text: str, item: Candidate) -> bool:
    """Say whether stars hide the rest of the number; stars on both sides only print it bold."""
    before = _HIDDEN_BEFORE.search(text, max(item.start - 3, 0), item.start) is not None
    after = _HIDDEN_AFTER.match(text, item.end) is not None
    return before != after
