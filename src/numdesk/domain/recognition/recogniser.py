"""Recognise the service of a message: by its sender's name, else by the product that its text names
beyond doubt.

A message that is not recognised is delivered, so every doubt is decided for "not recognised": a
name counts in a text only where it signs the message, stands beside the code's own word, or is the
account that the code opens.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, TypeAlias
from unicodedata import normalize

from numdesk.domain.otp.lexicon import UNSPACED
from numdesk.domain.otp.tokens import normalise
from numdesk.domain.recognition.evidence import Grade, Naming, label_of, phrase_of, scene_of
from numdesk.domain.recognition.words import (
    CATCH_ALL,
    COMMON,
    FAMILIES,
    NEUTRAL,
    NEVER_IN_TEXT,
    PREFIXES,
    SENDER_WORDS,
    WORDS,
)
from numdesk.domain.stock.numbers import Service

#: How an operator's word counts: everywhere, as a sender only, or never.
WordUse: TypeAlias = Literal["text", "sender", "never"]
#: A name is looked for in so many characters; longer texts are not codes.
TEXT_LENGTH_MAX = 2_000
#: A text that names more services is of none of them.
NAMINGS_MAX = 8

_WORD = re.compile(rf"[^\W_{UNSPACED}]+")
_GAP = re.compile(r"[ .\-_'’&+]?")
#: Scripts whose words are looked for inside a run of letters: those without spaces, and those that
#: \w cuts at vowel signs.
_RUN = re.compile(rf"[{UNSPACED}\u0900-\u0dff]")
_ADDRESS = re.compile(
    r"(?i:https?://|www\.)\S+|(?<![\w.+-])[\w.+-]*@[\w.-]+|(?<![\w.-])[\w-]+(?:\.[\w-]+)+/\S*"
)
_ORIGIN = re.compile(
    r"(?:^|\n)@(?:[\w-]+\.)*?(?P<label>[\w-]+)(?:\.(?:com?|org|net|ac))?\.\w+ #\S+(?: [@%]\S+)?\s*$"
)
_PREFIX = re.compile(r"(?<![\w-])([A-Za-z]{1,4})-(?=[0-9]{4,8}(?![\w-]))")
#: Headers of India, such as AD-PAYTMB or JM-Swiggy-S: two letters of the carrier, and the kind of
#: message.
_HEADER = re.compile(r"[A-Za-z]{2}-(.{3,11}?)(?:-[STPGstpg])?")


_COMMON = frozenset(word.strip() for word in COMMON.split(","))

#: Whose a word is, None of one that says nothing, and how far it may be trusted.
_Owner: TypeAlias = "tuple[int | None, Grade]"
_Entry: TypeAlias = "tuple[tuple[str, ...], int | None, Grade]"


@dataclass(frozen=True, slots=True)
class ServiceWord:
    """A word that the operator gave to a service."""

    service_id: int
    word: str
    use: WordUse


@dataclass(frozen=True, slots=True)
class Recognition:
    """The service of a message, what told it, and the ids of the services whose orders may have the
    message."""

    service_id: int
    told_by: Literal["sender", "text"]
    fits: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Recogniser:
    """The words of a catalogue, made ready; see `make_recogniser`."""

    senders: Mapping[str, int] = field(default_factory=dict[str, int])
    #: By their first part: the parts of a word, whose it is (None of a neutral thing) and how far
    #: it may be trusted; longest first.
    words: Mapping[str, tuple[_Entry, ...]] = field(default_factory=dict)
    runs: Mapping[str, int] = field(default_factory=dict[str, int])
    run_pattern: re.Pattern[str] | None = None
    prefixes: Mapping[str, int] = field(default_factory=dict[str, int])
    #: The services that share messages with one, itself and the catch-alls included.
    families: Mapping[int, frozenset[int]] = field(default_factory=dict[int, frozenset[int]])

    def recognise(self, text: str, *, sender: str) -> Recognition | None:
        """Return the service of a message, or None when that cannot be told beyond doubt."""
        signed = self._signed(sender)
        normal = normalise(text[:TEXT_LENGTH_MAX])[0]
        namings = self._namings(normal)
        if signed is not None:
            family = self.families[signed]
            if all(one.service_id in family for one in namings):
                return Recognition(signed, "sender", tuple(sorted(family)))
            told = self._told(normal, namings)
            return Recognition(
                signed,
                "sender",
                tuple(sorted(family if told is None else family | self.families[told])),
            )
        told = self._told(normal, namings)
        if told is None:
            return None
        fits = self.families[told].union(*(self.families[one.service_id] for one in namings))
        return Recognition(told, "text", tuple(sorted(fits)))

    def _signed(self, sender: str) -> int | None:
        """Return the service that a sender's name is; a number is none's."""
        header = _HEADER.fullmatch(sender.strip())
        names = [sender] if header is None else [sender, header[1]]
        found = {
            self.senders[name]
            for name in map(joined, names)
            if name in self.senders and not name.isdigit()
        }
        return found.pop() if len(found) == 1 else None

    def _namings(self, normal: str) -> list[Naming]:
        """Return where a text names services, in order.

        The longest name wins, and a name that merely follows a service names none.
        """
        plain = _ADDRESS.sub(lambda match: "\x1f" * len(match[0]), normal)
        runs = (
            self.run_pattern.finditer(plain)
            if self.run_pattern is not None and _RUN.search(plain)
            else ()
        )
        found = [Naming(self.runs[match[0]], *match.span(), Grade.CLEAR) for match in runs]
        parts = list(_WORD.finditer(plain))
        keys = [_folded(part[0]) for part in parts]
        at = 0
        while at < len(parts):
            match = self._longest(plain, parts, keys, at) if keys[at] in self.words else None
            if match is None:
                at += 1
                continue
            size, service_id, grade = match
            if service_id is not None:
                found.append(
                    Naming(service_id, parts[at].start(), parts[at + size - 1].end(), grade)
                )
            at += size
        return sorted(found, key=lambda one: one.start)

    def _longest(
        self, plain: str, parts: list[re.Match[str]], keys: list[str], at: int
    ) -> tuple[int, int | None, Grade] | None:
        """Return how many parts the longest name that begins here has, whose it is, and its
        grade."""
        for word, service_id, grade in self.words[keys[at]]:
            end = at + len(word)
            if tuple(keys[at:end]) == word and all(
                _GAP.fullmatch(plain, parts[one].end(), parts[one + 1].start())
                for one in range(at, end - 1)
            ):
                return len(word), service_id, grade
        return None

    def _told(self, normal: str, namings: list[Naming]) -> int | None:
        """Return the one service that a text signs itself with or announces a code of."""
        signs = self._signs(normal)
        if not namings or len(namings) > NAMINGS_MAX:
            return signs.pop() if len(signs) == 1 else None
        scene = scene_of(normal)
        chosen = [one for one in namings if label_of(scene, one)]
        chosen += [
            one
            for one in namings
            if phrase_of(scene, one) and not self._is_crowded(scene.sentence(one), one, namings)
        ]
        told = [*signs, *(one.service_id for one in chosen)]
        return told[0] if told and all(one in self.families[told[0]] for one in told) else None

    def _signs(self, normal: str) -> set[int]:
        """Return the services that a prefix of the code or an origin-bound last line says."""
        found = {
            self.prefixes[match[1]]
            for match in _PREFIX.finditer(normal)
            if match[1] in self.prefixes
        }
        origin = _ORIGIN.search(normal[-300:]) if "#" in normal else None
        label = joined(origin["label"]) if origin else ""
        return found | ({self.senders[label]} if label in self.senders else set())

    def _is_crowded(self, sentence: tuple[int, int], naming: Naming, namings: list[Naming]) -> bool:
        """Do the sentence of a name also name a service of another family?"""
        family = self.families[naming.service_id]
        return any(
            sentence[0] <= one.start < sentence[1] and one.service_id not in family
            for one in namings
        )


def make_recogniser(
    services: Iterable[Service],
    words: Iterable[ServiceWord] = (),
    families: Mapping[int, str] | None = None,
) -> Recogniser:
    """Return the recogniser of a catalogue.

    `words` are the operator's, `families` the operator's families by service id.

    The operator's words count before names and codes, and these before ours; a word that two
    services have equally says nothing.
    """
    catalogue = list(services)
    catch_all = frozenset(
        one.id for one in catalogue if {joined(one.code), joined(one.name)} & CATCH_ALL
    )
    named = [one for one in catalogue if one.id not in catch_all]
    owners = _owners(named, list(words))
    clear = {
        parts: owner
        for parts, owner in owners.items()
        if owner[1] is not Grade.SENDER or owner[0] is None
    }
    runs = {
        parts[0]: owner[0]
        for parts, owner in clear.items()
        if owner[0] is not None and _is_run(parts)
    }
    return Recogniser(
        senders={
            "".join(parts): owner[0]
            for parts, owner in reversed(owners.items())
            if owner[0] is not None
        },
        words=_by_first_part(
            {parts: owner for parts, owner in clear.items() if not _is_run(parts)}
        ),
        runs=runs,
        run_pattern=re.compile("|".join(map(re.escape, sorted(runs, key=len, reverse=True))))
        if runs
        else None,
        prefixes={PREFIXES[one.code]: one.id for one in named if one.code in PREFIXES},
        families=_families(catalogue, catch_all, families or {}),
    )


def default_family(code: str) -> str | None:
    """Return the family that a service is in unless the operator says otherwise, by the code of its
    first member."""
    return next((family[0] for family in FAMILIES if code in family), None)


def joined(word: str) -> str:
    """Return a name as senders are compared: its letters and digits alone, without their case."""
    return "".join(_parts(word))


def _parts(word: str) -> tuple[str, ...]:
    """Return the parts of a word between blanks and marks, without their case.

    A run of a script without spaces is one part.
    """
    normal = normalise(word)[0].strip()
    return (
        (normal,)
        if _RUN.search(normal)
        else tuple(_folded(part[0]) for part in _WORD.finditer(normal))
    )


@lru_cache(maxsize=8192)  # the same templates come again and again
def _folded(part: str) -> str:
    return normalize("NFKC", part).casefold()


def _is_run(parts: tuple[str, ...]) -> bool:
    return _RUN.search(parts[0]) is not None


def _owners(services: list[Service], words: list[ServiceWord]) -> dict[tuple[str, ...], _Owner]:
    """Return whose each word is and how far it may be trusted.

    None owns the words that say nothing.
    """
    never = {(one.service_id, _parts(one.word)) for one in words if one.use == "never"}
    uses = {"text": Grade.CLEAR, "sender": Grade.SENDER}
    own = {
        (one.id, parts, _grade(one.code))
        for one in services
        for parts in (_parts(one.code), _parts(one.name))
    }
    tiers = [
        [(one.service_id, _parts(one.word), uses[one.use]) for one in words if one.use in uses],
        sorted(own),
        [
            (one.id, parts, _grade(parts[0]))
            for one in services
            for parts in _listed(WORDS.get(one.code, ""))
        ],
        [
            (one.id, parts, Grade.SENDER)
            for one in services
            for parts in _listed(SENDER_WORDS.get(one.code, ""))
        ],
    ]
    owners: dict[tuple[str, ...], _Owner] = dict.fromkeys(_listed(NEUTRAL), (None, Grade.CLEAR))
    for tier in tiers:
        fresh: dict[tuple[str, ...], _Owner] = {}
        for service_id, parts, grade in tier:
            if parts and parts not in owners and (service_id, parts) not in never:
                is_shared = fresh.get(parts, (service_id, grade))[0] != service_id
                fresh[parts] = (None if is_shared else service_id, grade)
        owners |= fresh
    return owners


def _listed(words: str) -> list[tuple[str, ...]]:
    return [_parts(word) for word in words.split(",") if word.strip()]


def _grade(code: str) -> Grade:
    """Return how far a service's name may be trusted in a text."""
    if code in NEVER_IN_TEXT:
        return Grade.BRACKETED
    return Grade.COMMON if code in _COMMON else Grade.CLEAR


def _by_first_part(owners: Mapping[tuple[str, ...], _Owner]) -> dict[str, tuple[_Entry, ...]]:
    grouped: dict[str, list[_Entry]] = {}
    for parts, (service_id, grade) in owners.items():
        grouped.setdefault(parts[0], []).append((parts, service_id, grade))
    return {
        first: tuple(sorted(entries, key=lambda one: len(one[0]), reverse=True))
        for first, entries in grouped.items()
    }


def _families(
    services: list[Service], catch_all: frozenset[int], given: Mapping[int, str]
) -> dict[int, frozenset[int]]:
    """Return the services that share messages with each.

    A family of the operator's takes a service out of ours.
    """
    names = {one.id: given.get(one.id, default_family(one.code)) for one in services}
    members: dict[str, set[int]] = {}
    for service_id, name in names.items():
        if name:
            members.setdefault(name, set()).add(service_id)
    return {
        one.id: frozenset({one.id, *members.get(names[one.id] or "", ()), *catch_all})
        for one in services
    }
