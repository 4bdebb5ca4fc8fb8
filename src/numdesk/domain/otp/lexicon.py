"""Look words up in the lexicon of `otp_words`: what may this word mean beside a number?"""

import re
import unicodedata
from functools import lru_cache

from numdesk.domain.otp.words import ANTI, KEY, LEXICON, PROCLITICS

#: Scripts that write no spaces between words, and Hangul, whose endings stick to the noun.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_UNSPACED_CHAR = re.compile(f"[{UNSPACED}]")
_JOINERS = re.compile("['’ʻʼ‘`]")
_CAMEL = re.compile("(?<=[a-z])(?=[A-Z])")
_ACCENTS = re.compile("[\u0300-\u036f]")
#: Letters that Unicode does not take apart into a base letter and an accent.
_FOLDED = str.maketrans("ıłøđßæђёأإآةىيكۀ", "ilodsaђеااا" + "هیی" + "که")
_CYRILLIC = re.compile("[\u0400-\u04ff]")
#: Latin letters that pass for Cyrillic ones, typed by mistake or to slip past filters: "Кoд" with a
#: Latin "o".
_LOOKALIKES = str.maketrans("aceopxyijkmthb", "асеорхуіјкмтнв")
#: The shortest word that may also be matched without accents: "mã" is a code, "ma" is "but".
_FOLD_LENGTH_MIN = 4

Reading = tuple[int, int, int]
"""Flags of one word and where it stands in its run of letters."""


def _fold(word: str) -> str:
    """Write `word` without accents, as people do on keyboards that lack them."""
    return unicodedata.normalize(
        "NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", word))
    ).translate(_FOLDED)


class _Lexicon:
    """The word lists, turned into tables once at import."""

    def __init__(self) -> None:
        self.words: dict[str, int] = {}
        self.stems: dict[str, int] = {}
        self.tails: dict[str, int] = {}
        self.parts: dict[str, int] = {}
        self.phrases: dict[str, int] = {}
        entries = [(entry, flag) for flag, block in LEXICON.items() for entry in block.split()]
        for entry, flag in entries:
            table, spelling = self._table(entry), self._spelling(entry)
            table[spelling] = table.get(spelling, 0) | flag
        spelt = {
            id(table): frozenset(table)
            for table in (self.words, self.stems, self.tails, self.parts)
        }
        for entry, flag in entries:
            table, folded = self._table(entry), _fold(self._spelling(entry))
            # A word of its own keeps its own meaning: "expire" is not the French "expiré" without
            # its accent.
            if len(folded) >= _FOLD_LENGTH_MIN and folded not in spelt.get(id(table), (folded,)):
                table[folded] = table.get(folded, 0) | flag
        self.part_pattern = _alternation(self.parts)
        self.phrase_pattern = _alternation(self.phrases)

    def _table(self, entry: str) -> dict[str, int]:
        if _UNSPACED_CHAR.search(entry):
            return self.phrases
        if entry.startswith("*"):
            return self.parts if entry.endswith("*") else self.tails
        return self.stems if entry.endswith("*") else self.words

    @staticmethod
    def _spelling(entry: str) -> str:
        bare = entry.strip("*")
        return bare if bare.isupper() and bare.isascii() and len(bare) <= 3 else bare.lower()


def _alternation(entries: dict[str, int]) -> re.Pattern[str]:
    return re.compile(
        "|".join(re.escape(entry) for entry in sorted(entries, key=len, reverse=True))
    )


_LEXICON = _Lexicon()


@lru_cache(
    maxsize=8192
)  # the same templates come again and again; a word is at most 130 letters long
def meaning(word: str) -> int:
    """Say what one word of a script with spaces may mean."""
    return _settle(_flags(word))


@lru_cache(maxsize=4096)
def readings(run: str) -> tuple[Reading, ...]:
    """Split a run of a script without spaces: one reading per known phrase, one of no meaning per
    stretch between."""
    found: list[Reading] = []
    end = 0
    for match in _LEXICON.phrase_pattern.finditer(run):
        if match.start() > end:
            found.append((0, end, match.start()))
        end = match.end()
        found.append((_settle(_LEXICON.phrases[match[0]]), match.start(), end))
    if end < len(run):
        found.append((0, end, len(run)))
    return tuple(found)


def _settle(flags: int) -> int:
    """A compound that holds both ("promocode") is no code."""
    return flags & ~KEY if flags & ANTI else flags


def _flags(word: str) -> int:
    if word in _LEXICON.words:
        return _LEXICON.words[word]
    lowered = word.lower()
    flags = _spelt(lowered)
    if not flags and len(lowered) >= _FOLD_LENGTH_MIN:
        flags = _spelt(_fold(lowered))
    if not flags and _CYRILLIC.search(lowered):
        flags = _spelt(_fold(lowered).translate(_LOOKALIKES))
    if not flags and _JOINERS.search(lowered):
        for piece in _JOINERS.split(lowered):
            flags |= _spelt(piece)
    if not flags and not word.islower():
        for piece in _CAMEL.split(word)[1:]:  # "GrabPin", "SmartCode"
            flags |= (_spelt(piece.lower()) | _LEXICON.words.get(piece, 0)) & KEY
    return flags


def _spelt(word: str) -> int:
    exact = _LEXICON.words.get(word)
    if exact is not None:
        return exact
    flags = _affixed(word)
    start = 0
    while not flags and start < 3 and start < len(word) - 2 and word[start] in PROCLITICS:
        start += 1
        flags = _LEXICON.words.get(word[start:], 0)
    return flags


def _affixed(word: str) -> int:
    """Add up what the beginning, the end and the pieces of `word` say."""
    flags = 0
    for size in range(len(word), 1, -1):
        if word[:size] in _LEXICON.stems:
            flags |= _LEXICON.stems[word[:size]]
            break
    for start in range(1, len(word) - 1):
        if word[start:] in _LEXICON.tails:
            flags |= _LEXICON.tails[word[start:]]
            break
    for match in _LEXICON.part_pattern.finditer(word):
        flags |= _LEXICON.parts[match[0]]
    return flags
