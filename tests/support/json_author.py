"""Writes random JSON documents as people and programs do, and some that are none: for comparing one
reader of JSON with another."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

#: Deeper than any client nests, and far from where a reader gives up.
DEPTH_MAX = 150

#: Where the layout of a number changes, where digits are lost, and what overflows.
NUMBERS = """
0 -0 -0.0 0e9 0.0e-9 1e-6 1e-7 1.5e-7 123e-9 0.000001 0.0000001 1e20 1e21 1E21 1e+21 -1e21 123456789012345680000
1234567890123456789012 9007199254740991 9007199254740992 9007199254740993 -9007199254740993 4.9406564584124654e-324 5e-324 2e-324
2.2250738585072014e-308 1.7976931348623157e308 1.7976931348623159e308 1e308 1e309 -1e309 1E400 27.00 1000.50 0.1 0.30000000000000004
1.0 1.10 100 1e2 1e-2 12.50e1 5e-1 95.5 99999999999999999999 999999999999999999999 9999999999999999999999 1e22 1e23 8.41e21 2.5e-8
0.00001 4294967295 4294967294
"""
#: Positions of an array, what only looks like one, and names that mean something in JavaScript.
NAMES = """
0 1 2 9 10 01 00 -1 1.0 1e3 4294967293 4294967294 4294967295 4294967296 99999999999 a b B __proto__ constructor toString length $ amount
period serviceIds
"""
#: Other keys. None is a lone backslash: Node 24 (V8 13.6) that has parsed `{"a":1,"\\":2}` takes
#: the key of `{"a":1,"\u00e9":2}` for a backslash, too, which Node 20 does not.
ODD_NAMES = ["", " ", "é", "日本", "👋", "\ud83d", "\udc4b", "a b", '"', "a\\b", "\u2028", "\u0000"]
#: Letters of which some are escaped by all, some by none, and some only by those who write another
#: JSON.
LETTERS = (
    "abc/\\\"'<>&{}[]:, éß€👋"
    "\u0000\u0001\b\t\n\u000b\f\r\u001f\u007f\u0080\u009f\u00a0"
    "\u2028\u2029\ud7ff\ud800\udbff\udc00\udfff\ue000\ufeff\ufffd\uffff\U0010ffff"
)
SPACES = ["", "", "", "", " ", "\n", "\t", "\r\n", "  "]
#: What one letter does to a document may leave JSON or not.
SPOILS = '{}[],:"0-+.eE tn\u00a0\ufeff\u0000'


class Author:
    """Spaces, escapes, writes keys twice and numbers in every layout.

    One text in ten is spoiled.
    """

    def __init__(self, seed: int) -> None:
        """Begin with this seed."""
        self._random = random.Random(seed)
        self._numbers = NUMBERS.split()
        self._names = [*NAMES.split(), *ODD_NAMES]

    def document(self) -> str:
        """Returns a text, most of the time JSON."""
        chance = self._random.random()
        text = self._tower() if chance < 0.01 else self._value(depth=0)
        text = self._space() + text + self._space()
        if self._random.random() < 0.1:
            place = self._random.randrange(len(text) + 1)
            text = (
                text[:place]
                + self._random.choice(SPOILS)
                + text[place + self._random.randrange(2) :]
            )
        return text

    def _tower(self) -> str:
        """Returns a value far down."""
        shells = [
            self._random.choice(["[%s]", '{"a":%s}', "[0,%s]", '{"7":%s,"x":1}'])
            for _ in range(self._random.randrange(2, DEPTH_MAX))
        ]
        text = self._number()
        for shell in shells:
            text = shell.replace("%s", text)
        return text

    def _value(self, depth: int) -> str:
        kinds: list[Callable[[int], str]] = [self._object, self._array] if depth < 4 else []
        leaves: list[Callable[[int], str]] = [
            self._word,
            self._number_at,
            self._number_at,
            self._text_at,
        ]
        return self._random.choice(kinds * (3 if depth == 0 else 1) + leaves)(depth)

    def _object(self, depth: int) -> str:
        keys = self._random.choices(self._names, k=self._random.randrange(7))  # with repetitions
        return (
            "{"
            + ",".join(
                self._padded(self._text(key)) + ":" + self._padded(self._value(depth + 1))
                for key in keys
            )
            + "}"
        )

    def _array(self, depth: int) -> str:
        return (
            "["
            + ",".join(
                self._padded(self._value(depth + 1)) for _ in range(self._random.randrange(5))
            )
            + "]"
        )

    def _word(self, _depth: int) -> str:
        return self._random.choice(["true", "false", "null"])

    def _number_at(self, _depth: int) -> str:
        return self._number()

    def _number(self) -> str:
        """Returns a known odd number, a random double in its digits, or random digits in any
        layout."""
        match self._random.randrange(4):
            case 0:
                return self._random.choice(self._numbers)
            case 1:
                double = struct.unpack("<d", self._random.randbytes(8))[0]
                return repr(double) if double - double == 0 else "1e999"
            case 2:
                return repr(
                    self._random.choice((-1, 1))
                    * self._random.randrange(10**9)
                    * 10.0 ** self._random.randrange(-12, 25)
                )
            case _:
                return self._layout()

    def _layout(self) -> str:
        digits = (
            "".join(self._random.choices("0123456789", k=self._random.randrange(1, 30))).lstrip("0")
            or "0"
        )
        fraction = (
            "." + "".join(self._random.choices("0123456789", k=self._random.randrange(1, 20)))
            if self._random.random() < 0.5
            else ""
        )
        exponent = (
            self._random.choice("eE")
            + self._random.choice(["", "+", "-", "-0"])
            + str(self._random.randrange(330))
        )
        return (
            self._random.choice(["", "-"])
            + digits
            + fraction
            + (exponent if self._random.random() < 0.4 else "")
        )

    def _text_at(self, _depth: int) -> str:
        return self._text("".join(self._random.choices(LETTERS, k=self._random.randrange(9))))

    def _text(self, text: str) -> str:
        return '"' + "".join(map(self._letter, text)) + '"'

    def _letter(self, letter: str) -> str:
        """Returns a letter as it is, or escaped where it must be, or where the author likes it."""
        short = {
            '"': '\\"',
            "\\": "\\\\",
            "/": "\\/",
            "\b": "\\b",
            "\f": "\\f",
            "\n": "\\n",
            "\r": "\\r",
            "\t": "\\t",
        }.get(letter)
        units = struct.iter_unpack("<H", letter.encode("utf-16-le", "surrogatepass"))
        escaped = "".join(
            f"\\u{unit:04x}" if self._random.random() < 0.5 else f"\\u{unit:04X}"
            for (unit,) in units
        )
        ways = [escaped] + ([short] if short else [])
        if (
            letter not in '"\\' and letter >= " " and not "\ud800" <= letter <= "\udfff"
        ):  # UTF-8 has no halves of pairs
            ways += [letter] * 3
        return self._random.choice(ways)

    def _padded(self, text: str) -> str:
        return self._space() + text + self._space()

    def _space(self) -> str:
        return self._random.choice(SPACES)
