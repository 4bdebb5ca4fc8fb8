"""Which tokens of a message are shaped like a one-time code: four to ten letters and digits, however grouped."""

import re
from dataclasses import dataclass, replace

from numdesk.domain.otp_lexicon import meaning
from numdesk.domain.otp_tokens import DIGITS, MIXED, PLUS, Tokens
from numdesk.domain.otp_words import IS, KEY, MONEY, NUMBER, REF, TOP_LEVEL, UNIT

LENGTH_MIN = 4
LENGTH_MAX = 10
#: A message with a code holds a handful of numbers; a list of hundreds is not worth weighing to its end.
CANDIDATES_MAX = 40

_LEADING_CODE = re.compile(r"[0-9]{4,8}(?=[.,][0-9]{1,3}$)")
_MASKED = re.compile(r"[xX]{2,}[0-9]+|[0-9]+[xX]{2,}[0-9]*|[0-9]+[xX][0-9]+")
_LETTERS_THEN_DIGITS = re.compile(r"([A-Za-z]+)([0-9]+)")
_DIGITS_THEN_LETTERS = re.compile(r"[0-9]+([A-Za-z]+)")
_MONTH = re.compile(r"20[0-4][0-9]-(?:0[1-9]|1[0-2])|(?:0[1-9]|1[0-2])-20[0-4][0-9]")
_YEARS = re.compile(r"(?:19|20)[0-9]{2}")
#: A trunk or toll-free prefix and the rest of the number.
_PHONE = re.compile(r"(?:0[0-9]{2,4}|1?[89]00|8800) [0-9]{5,8}|0800 [0-9]{4}")
_DOMAIN_AFTER = re.compile(rf"\.(?i:{TOP_LEVEL})(?![A-Za-z])")
#: Capitals, odd case, or five consonants in a row: hardly a word of any language.
_UNREADABLE = re.compile(r"[A-Z]{4,10}|(?=[a-zA-Z]*[a-z][A-Z])[A-Za-z]{5,10}|(?=[a-z]*[bcdfghjklmnpqrstvwxz]{5})[a-z]{6,10}")
#: What hides the front or the back of a card or an account number.
_HIDDEN_BEFORE = re.compile(r"(?:[*•●·×✱＊…]-?|[xX]{2}[- ]?|\.\.)\Z")
_HIDDEN_AFTER = re.compile(r"[*•●✱＊]|[xX]{2}")
#: What may stand between the groups of one number.
_GAPS = frozenset((" ", "-", " - ", ") ", ")", "(", " (", ")-"))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stretch of the message that could be the code: its tokens, its place, and what its shape says for it."""

    first: int
    last: int
    start: int
    end: int
    code: str
    shape: str
    points: float


def numbers(tokens: Tokens) -> list[Candidate]:
    """List what has digits and could be a code, in the order of the message."""
    found: list[Candidate] = []
    run: list[int] = []
    for index, kind in enumerate(tokens.kinds):
        if not kind & (DIGITS | MIXED):
            continue
        if run and not _continues(tokens, run[-1], index):
            found += _from_run(tokens, run)
            run = []
        run.append(index)
    if run:
        found += _from_run(tokens, run)
    usable = [item for item in found if not (_is_address(tokens.text, item) or _is_masked(tokens.text, item))]
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


def _continues(tokens: Tokens, before: int, index: int) -> bool:
    """Say whether two numbers stand so close that they may be groups of one."""
    gap = tokens.text[tokens.ends[before] : tokens.starts[index]]
    if gap not in _GAPS or before in tokens.spaced or index in tokens.spaced:
        return False
    return gap == "-" or not (tokens.kinds[before] | tokens.kinds[index]) & MIXED


def _from_run(tokens: Tokens, run: list[int]) -> list[Candidate]:
    first, last = run[0], run[-1]
    if first and tokens.kinds[first - 1] & PLUS and tokens.ends[first - 1] == tokens.starts[first]:
        return []
    if len(run) == 1:
        return _from_single(tokens, first)
    groups = [tokens.text[tokens.starts[index] : tokens.ends[index]] for index in run]
    whole = tokens.text[tokens.starts[first] : tokens.ends[last]]
    total = sum(map(len, groups))
    if LENGTH_MIN <= total <= LENGTH_MAX and _is_one_code(groups, whole):
        return [_candidate(tokens, first, last, "".join(groups), shape=_shape("".join(groups)))]
    if "-" in whole or _PHONE.fullmatch(whole) or (len(run) > 2 and total > 6 and all(map(str.isdigit, groups))):
        return []
    return [item for index in run for item in _from_single(tokens, index)]


def _is_one_code(groups: list[str], whole: str) -> bool:
    """Tell 123 456, 12-34-56 and AB1-C2D from phones, dates, cards and ranges of years."""
    sizes = {len(group) for group in groups}
    if _PHONE.fullmatch(whole) or not all(group.isalnum() for group in groups):
        return False
    if all(_YEARS.fullmatch(group) for group in groups):
        return False
    if _MONTH.fullmatch(whole) or ("-" in whole and len(groups) in (2, 3) and sizes == {2} and _is_day_and_month(groups)):
        return False
    if len(sizes) == 1:
        return "(" not in whole and ")" not in whole
    dashed = len(groups) == 2 and "-" in whole and " " not in whole
    return dashed and min(sizes) >= 2 and 5 <= sum(map(len, groups)) <= 8


def _is_day_and_month(groups: list[str]) -> bool:
    if not all(group.isdigit() for group in groups):
        return False
    return int(groups[0]) <= 31 and 1 <= int(groups[1]) <= 12


def _from_single(tokens: Tokens, index: int) -> list[Candidate]:
    token = tokens.text[tokens.starts[index] : tokens.ends[index]]
    if tokens.kinds[index] & MIXED:
        return _from_mixed(tokens, index, token.replace(" ", ""))
    code = "".join(filter(str.isdigit, token)) if index in tokens.spaced else token
    if not code.isdigit():
        return _before_a_decimal(tokens, index, token)
    if LENGTH_MIN <= len(code) <= LENGTH_MAX:
        return [_candidate(tokens, index, index, code, shape="digits")]
    return []


def _before_a_decimal(tokens: Tokens, index: int, token: str) -> list[Candidate]:
    """Take the code out of "123456,10 minutes", where no blank follows the comma; the minutes go with the rest."""
    match = _LEADING_CODE.match(token)
    if match is None or index + 1 >= len(tokens.kinds) or not tokens.kinds[index + 1] & UNIT:
        return []
    return [replace(_candidate(tokens, index, index, match[0], shape="digits"), last=index + 1)]


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


def _candidate(tokens: Tokens, first: int, last: int, code: str, *, shape: str) -> Candidate:
    end = tokens.ends[last]
    start = tokens.starts[first]
    if first == last and first not in tokens.spaced:
        start = tokens.text.rindex(code, start, end) if shape != "digits" else tokens.text.index(code, start, end)
        end = start + len(code)
    return Candidate(first, last, start, end, code, shape, _shape_points(code, shape))


def _shape_points(code: str, shape: str) -> float:
    """Six digits are three codes in five, four digits one in four; nine or ten are mostly something else."""
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
