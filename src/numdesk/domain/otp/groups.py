"""Decide whether groups of letters and digits that stand side by side are one code."""

import re
from enum import IntEnum

LENGTH_MIN = 4
LENGTH_MAX = 10

#: Hyphens, dashes, and what is typed for them: a maqaf, the long-vowel mark of kana, a box line.
DASHES = "-–—―⁃־ー─ｰ"
#: Full stops also part amounts, dates and addresses; middle dots part only groups.
STOPS = ".．"
MIDDLE_DOTS = "·•・･‧∙⋅"
#: Parts groups too, where these are too short to be codes alone: "[123] [456]", "123, 456".
ODD = ",，、。…/／|:;'\"*()<>\n\r\\[\\]"
#: What stands inside a code and is not typed, once odd blanks and hyphens are plain ones.
_JOINERS = re.compile(rf"[{DASHES} \t{STOPS}{MIDDLE_DOTS}{ODD}]+|(?<=[0-9])_(?=[0-9])")
#: Longer gaps join nothing.
GAP_LENGTH_MAX = 8
_GAP = re.compile(
    rf"(?P<blank>[ \t]{{1,8}})|(?P<dash> {{0,2}}[{DASHES}]{{1,2}} {{0,2}})|(?P<middle>[{MIDDLE_DOTS}])|(?P<stop>[{STOPS}])"
    rf"|(?P<odd>_|[ {STOPS}{MIDDLE_DOTS}{ODD}]{{1,4}})"
)
_KINDS = {"blank": " ", "dash": "-", "middle": "·", "stop": ".", "odd": "?"}
_PIECE_MARK = re.compile(r"[.,/:']")
#: A number with marks inside that may be groups; most amounts, times and addresses have another
#: form.
_PIECES = re.compile(
    r"[0-9]{3}(?:[.,/:'][0-9]{3}){1,2}|[0-9]{2}(?:[,/'][0-9]{2}){2,4}|[0-9]{2,5}(?:\.[0-9]{2,5}){1,4}|[0-9](?:\.[0-9]){4,9}"
)
_YEAR = re.compile(r"(?:19|20)[0-9]{2}")
#: A trunk or toll-free prefix and the rest of the number.
PHONE = re.compile(r"(?:0[0-9]{2,4}|1?[89]00|8800) [0-9]{5,8}|0800 [0-9]{4}")
#: A date of two digits each is of these years.
_YEARS_NEAR = frozenset(map(str, range(20, 40)))
#: Hours, minutes and seconds are less.
_CLOCK = (24, 60, 60)


class Doubt(IntEnum):
    """The evidence that groups need to be a code: nothing special, a code named near, or one named
    right beside."""

    NONE = 0
    NEAR = 1
    BESIDE = 2


def unjoined(written: str) -> str:
    """Return a code as it is to be typed: without what joins its groups."""
    return written if written.isascii() and written.isalnum() else _JOINERS.sub("", written)


def gap_kind(gap: str) -> str:
    """Return how a gap joins: by blanks ` `, a dash `-`, a middle dot `·`, a full stop `.`, oddly
    `?`, or not at all ``."""
    if gap == " " or gap == "-":
        return gap
    match = _GAP.fullmatch(gap)
    return _KINDS[match.lastgroup or "odd"] if match is not None else ""


def pieces(number: str) -> tuple[list[str], list[str]]:
    """Split a number that has full stops, strokes, commas or colons inside into its groups and
    gaps; none if it has no form of a code."""
    if _PIECES.fullmatch(number) is None:
        return [], []
    return _PIECE_MARK.split(number), _PIECE_MARK.findall(number)


def doubt(groups: list[str], gaps: list[str]) -> Doubt | None:
    """Return how doubtful it is that groups with these gaps between them are one code.

    None where they are none.
    """
    if not LENGTH_MIN <= sum(map(len, groups)) <= LENGTH_MAX or not all(map(str.isalnum, groups)):
        return None
    gaps = [gap_kind(gap) for gap in gaps]
    if not all(gaps) or _is_no_code(groups, gaps):
        return None
    if not all(map(str.isdigit, groups)):
        return _of_letters(groups, gaps)
    if "?" in gaps:
        return Doubt.BESIDE if are_short(groups) else None
    if "." in gaps:
        return _of_stops(groups)
    return _of_blanks_and_dashes(groups, gaps)


def _sizes(groups: list[str]) -> set[int]:
    return {len(group) for group in groups}


def _is_no_code(groups: list[str], gaps: list[str]) -> bool:
    """Say whether groups have the form of a phone, a date, years or a network address."""
    if all(map(_YEAR.fullmatch, groups)) or (
        set(gaps) == {" "} and PHONE.fullmatch(" ".join(groups))
    ):
        return True
    if (
        set(gaps) == {"."}
        and len(groups) == 4
        and all(group.isdigit() and int(group) < 256 for group in groups)
    ):
        return True
    years = [group for group in groups if _YEAR.fullmatch(group)]
    if gaps == [" "] * len(gaps) or len(years) != 1 or years[0] not in (groups[0], groups[-1]):
        return False
    rest = [group for group in groups if group is not years[0]]
    return all(len(group) <= 2 and group.isdigit() for group in rest) and _is_day_and_month(rest)


def _is_day_and_month(groups: list[str]) -> bool:
    """Say whether one or two numbers are a month, or a day and a month in either order."""
    low, high = min(map(int, groups)), max(map(int, groups))
    return 1 <= low <= 12 and high <= (12 if len(groups) == 1 else 31)


def _is_thousands(groups: list[str]) -> bool:
    return len(groups[0]) < 3 and _sizes(groups[1:]) == {3}


def _of_letters(groups: list[str], gaps: list[str]) -> Doubt | None:
    if len(_sizes(groups)) == 1:
        return Doubt.NONE if set(gaps) <= {"-", "·"} else Doubt.NEAR
    return Doubt.NONE if gaps == ["-"] and _is_short_pair(groups) else None


def _is_short_pair(groups: list[str]) -> bool:
    return min(map(len, groups)) >= 2 and sum(map(len, groups)) <= 8


def are_short(groups: list[str]) -> bool:
    """Say whether groups are too short and too alike to be anything but one number: 123 456, 12 34
    56."""
    if not all(map(str.isdigit, groups)):
        return False
    return _sizes(groups) == {3} or (
        _sizes(groups) == {2} and len(groups) > 2 and not _is_date_or_range(groups)
    )


def _of_stops(groups: list[str]) -> Doubt | None:
    sizes = _sizes(groups)
    if len(groups) == 2 and len(groups[1]) <= 2:  # 12.50, 1234.56
        return Doubt.BESIDE if sizes == {2} else None
    if sizes == {2}:
        timed = all(int(group) < top for group, top in zip(groups, _CLOCK, strict=False))
        return (
            Doubt.BESIDE
            if len(groups) == 3 and (timed or _is_date_or_range(groups))
            else Doubt.NEAR
        )
    if len(sizes) == 1:
        return Doubt.NEAR
    if min(sizes) < 2 or max(sizes) > 4:
        return None
    return Doubt.BESIDE if len(groups) > 2 or _is_thousands(groups) else Doubt.NEAR


def _of_blanks_and_dashes(groups: list[str], gaps: list[str]) -> Doubt | None:
    sizes = _sizes(groups)
    if len(sizes) == 1:
        return (
            Doubt.BESIDE
            if sizes == {2} and "-" in gaps and _is_date_or_range(groups)
            else Doubt.NONE
        )
    if gaps == ["-"] and _is_short_pair(groups):
        return Doubt.NONE
    if len(groups) > 2 and _is_thousands(groups):
        return Doubt.BESIDE
    if min(sizes) < 2 or max(sizes) > 4 or sum(map(len, groups)) > 8:
        return None
    return Doubt.BESIDE if _is_thousands(groups) else Doubt.NEAR


def _is_date_or_range(groups: list[str]) -> bool:
    """Say whether groups of two digits read as 12-05, 12-05-26 or 10-15."""
    if len(groups) == 2 and groups[0] < groups[1]:
        return True
    dated = int(groups[0]) <= 31 and 1 <= int(groups[1]) <= 12
    return dated and (len(groups) == 2 or (len(groups) == 3 and groups[2] in _YEARS_NEAR))
