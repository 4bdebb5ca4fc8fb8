"""Fill the templates of one set with codes and with everything that is mistaken for codes."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SETS = (
    "train", "held_out", "fresh", "final", "unseen",
    "second_author", "second_author_hard", "second_author_late", "second_author_traps",
    "third_author", "third_author_hard", "third_author_late", "third_author_last",
    "third_author_traps", "third_author_final", "third_author_coda",
    "joined_groups", "joined_mixed", "joined_last", "joined_independent",
)  # fmt: skip
SEED = 20_24
VARIANTS = 4

_HERE = Path(__file__).parent
_LINE = re.compile(r"(?P<language>[a-zA-Z-]+) (?P<sign>[+-]) (?P<text>.+)")
_SLOT = re.compile(r"\{(?P<name>[^{}]+)\}")
_ESCAPE = re.compile(r"\\u([0-9a-f]{4})")
#: What may stand between the groups of a code where a template has `~`: blanks, hyphens, dashes and
#: dots.
_JOINERS = (
    *" \u00a0\u2007\u2009\u202f\u3000", "  ",
    *"-\u2010\u2011\u2012\u2013\u2014\u2212\uff0d", " - ", " \u2013 ", " \u2014 ",
    *".\u00b7\u2022\u30fb",
)  # fmt: skip
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
#: The zero of the digits a language also writes, beside the European ones.
_ZEROS = {
    "ar": 0x660, "fa": 0x6F0, "ur": 0x6F0, "ps": 0x6F0, "hi": 0x966, "mr": 0x966, "ne": 0x966, "bn": 0x9E6, "ta": 0xBE6,
    "te": 0xC66, "kn": 0xCE6, "ml": 0xD66, "th": 0xE50, "lo": 0xED0, "my": 0x1040, "km": 0x17E0, "zh-CN": 0xFF10,
    "ja": 0xFF10, "gu": 0xAE6, "pa": 0xA66,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """One message, the code that stands in it (or none), and the template it was made from."""

    language: str
    template: str
    text: str
    code: str | None


def _digits(source: random.Random, count: int) -> str:
    return "".join(source.choice("0123456789") for _ in range(count))


def _mixed(source: random.Random, count: int) -> str:
    chars = [source.choice("23456789"), source.choice(_LETTERS)]
    chars += [source.choice(_LETTERS + "23456789") for _ in range(count - 2)]
    source.shuffle(chars)
    return "".join(chars)


def _code(source: random.Random, shape: str) -> str:
    """Make a code: `6` digits, `3-3`, `2 2 2` or `3~3` groups, `A6` or `A4-A4` letters and digits,
    `L6` letters, `S5` spaced."""
    if "~" in shape:
        shape = shape.replace("~", source.choice(_JOINERS))
    if shape[0] == "A":
        return re.sub(r"A(\d+)", lambda match: _mixed(source, int(match[1])), shape)
    if shape[0] == "L":
        return "".join(source.choice("BCDFGHJKLMNPQRSTVWXZ") for _ in range(int(shape[1:])))
    if shape[0] == "S":
        return " ".join(_mixed(source, int(shape[1:])))
    return re.sub(r"[0-9]", lambda match: _digits(source, int(match[0])), shape)


def _hash(source: random.Random) -> str:
    return "Fa" + "".join(
        source.choice(_LETTERS + _LETTERS.lower() + "0123456789+/") for _ in range(9)
    )


_BRANDS = (
    "Lumen",
    "Kontur",
    "Vexa",
    "Parla",
    "Tobi",
    "Sunbank",
    "Meridian",
    "Ovio",
    "Zappo",
    "Nordpay",
)
_AMOUNTS = (
    "1250",
    "1,250.00",
    "12,500",
    "499.00",
    "1.250,00",
    "1 250,00",
    "25000",
    "7340",
    "150.000",
    "2 500 000",
)
_FILLERS: dict[str, Callable[[random.Random], str]] = {
    "brand": lambda source: source.choice(_BRANDS),
    "amount": lambda source: source.choice(_AMOUNTS),
    "phone": lambda source: (
        source.choice(
            ("+44 20 7946 0", "8 800 555 0", "+1 (555) 010-0", "0800 496 0", "1-800-555-0")
        )
        + _digits(source, 3)
    ),
    "local": lambda source: "555" + _digits(source, 4),
    "date": lambda source: source.choice(
        ("12.05.2024", "2024/05/12", "12/05/24", "2024-05-12", "05-12-2024")
    ),
    "time": lambda source: f"{source.randrange(10, 24)}:{source.randrange(10, 60)}",
    "last4": lambda source: _digits(source, 4),
    "masked": lambda source: (
        source.choice(("*", "**", "****", "xx", "XX", "XXXX", "****-")) + _digits(source, 4)
    ),
    "order": lambda source: _digits(source, source.choice((6, 7, 8))),
    "url": lambda source: (
        source.choice(
            ("https://ex.test/v?c=", "https://vexa.test/", "www.vexa.test/p/", "vx.test/")
        )
        + _digits(source, 6)
    ),
    "hash": _hash,
    "year": lambda source: str(source.randrange(2019, 2027)),
    "min": lambda source: source.choice(("2", "3", "5", "10", "15", "30")),
    "pct": lambda source: source.choice(("10", "15", "20", "50", "70")),
    "big": lambda source: source.choice(("1000", "2500", "5000", "12000", "100000")),
    "promo": lambda source: (
        source.choice(("SAVE", "SUMMER", "WELCOME", "NEW")) + _digits(source, 2)
    ),
    "awb": lambda source: source.choice(("RR", "LX", "VX")) + _digits(source, 8),
}


def _fill(source: random.Random, text: str) -> tuple[str, str | None]:
    codes: dict[str, str] = {}

    def slot(match: re.Match[str]) -> str:
        name = match["name"]
        if name[0] == "c":
            return codes.setdefault(name, _code(source, name[1:]))
        return _FILLERS[name](source)

    filled = _SLOT.sub(
        slot, _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text.replace("\\n", "\n"))
    )
    code = next(iter(codes.values()), None)
    return filled, code and "".join(filter(str.isalnum, code))


def _with_digits_of(language: str, text: str) -> str:
    zero = _ZEROS[language]
    return text.translate({48 + digit: zero + digit for digit in range(10)})


def templates(name: str) -> list[tuple[str, bool, str]]:
    """Read one set: language, whether a code is expected, text."""
    lines = (_HERE / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    matches = [_LINE.fullmatch(line) for line in lines if line.strip() and not line.startswith("#")]
    assert all(matches), [
        line for line in lines if line and not _LINE.fullmatch(line) and line[0] != "#"
    ]
    return [(match["language"], match["sign"] == "+", match["text"]) for match in matches if match]


def cases(name: str) -> list[Case]:
    """Make the messages of one set, the same ones every time."""
    source = random.Random(f"{SEED}-{name}")
    made: list[Case] = []
    for language, has_code, text in templates(name):
        for variant in range(VARIANTS):
            filled, code = _fill(source, text)
            assert (code is not None) == has_code, text
            if variant == 1 and language in _ZEROS:
                filled = _with_digits_of(language, filled)
            if variant == 2 and has_code and "\n" not in text:
                filled = f"<#> {filled}\n{_hash(source)}"
            if variant == 3 and has_code and not filled.startswith(("[", "【")):
                filled = f"[{source.choice(_BRANDS)}] {filled}"
            made.append(Case(language, text, filled, code))
    return made
