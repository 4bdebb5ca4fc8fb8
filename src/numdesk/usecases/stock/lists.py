"""Lists that operators load: bad lines, results of a list, and price lines that contradict each
other."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from numdesk.domain.errors import InvalidInput
from numdesk.domain.money import AmountRefused, parse_amount

Line = TypeVar("Line")


#: Lines of one price list. All are kept in memory until they have been compared.
LINES_MAX = 500_000


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that could not be used: which, what stood there, and why not."""

    line: int
    value: str
    reason: str


@dataclass(slots=True)
class Loaded:
    """The result of loading a list: lines read, numbers that are new, numbers that were here
    already."""

    read: int = 0
    added: int = 0
    present: int = 0
    bad: int = 0
    #: Prices of the list that are below what the number costs us.
    losses: int = 0


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a line says, such as a price: its name, its value, and the text that gave
    it."""

    name: str
    value: Hashable
    text: str


@dataclass(frozen=True, slots=True)
class Stated(Generic[Line]):
    """A line that could be read, with its facts by subject, such as ("cost", offer).

    The first fact is the line's price.
    """

    number: int
    facts: Mapping[Hashable, Fact]
    line: Line


class PriceList(Generic[Line]):
    """The lines of one list, kept until it is known which of them agree."""

    def __init__(self, complain: Callable[[BadLine], None], total: Loaded) -> None:
        """Start an empty list; bad lines are counted in `total` and passed to `complain`."""
        self._complain = complain
        self._total = total
        self._stated: list[Stated[Line]] = []

    def add(self, lines: Iterable[Stated[Line] | BadLine]) -> None:
        """Add the next lines. Raises InvalidInput when there are more than LINES_MAX."""
        for line in lines:
            if isinstance(line, BadLine):
                self.refuse(line)
            elif len(self._stated) < LINES_MAX:
                self._stated.append(line)
            else:
                raise InvalidInput(
                    field="list", reason=f"has more than {LINES_MAX:,} lines: load it in parts"
                )

    def refuse(self, bad: BadLine) -> None:
        """Count and reports a line that cannot be used."""
        self._total.bad += 1
        self._complain(bad)

    def agreed(self) -> tuple[list[Stated[Line]], Mapping[Hashable, Hashable]]:
        """Return the lines that no other one contradicts, each price once, and the values of their
        facts; reports the other lines."""
        first: dict[Hashable, Stated[Line]] = {}
        disputed: dict[Hashable, Stated[Line]] = {}
        for one in self._stated:
            for subject, fact in one.facts.items():
                if first.setdefault(subject, one).facts[subject].value != fact.value:
                    disputed.setdefault(subject, one)
        agreed: dict[Hashable, Stated[Line]] = {}
        values: dict[Hashable, Hashable] = {}
        for one in self._stated:
            subject = next((subject for subject in one.facts if subject in disputed), None)
            if subject is not None:
                is_first = first[subject].facts[subject].value == one.facts[subject].value
                self.refuse(
                    _contradiction(one, disputed[subject] if is_first else first[subject], subject)
                )
                continue
            values.update((subject, fact.value) for subject, fact in one.facts.items())
            self._total.present += next(iter(one.facts)) in agreed
            agreed.setdefault(next(iter(one.facts)), one)
        return list(agreed.values()), values


def _contradiction(mine: Stated[Line], theirs: Stated[Line], subject: Hashable) -> BadLine:
    """Return the complaint about a line that another one contradicts."""
    here, there = mine.facts[subject], theirs.facts[subject]
    reason = (
        f"contradicts line {theirs.number}, where the {there.name} is {there.text.strip()}: keep "
        f"one; neither was loaded"
    )
    return BadLine(mine.number, here.text, reason)


Item = TypeVar("Item")


#: So many numbers are one transaction: large enough to be fast, small enough that a crash loses
#: little of the work.
CHUNK = 20_000


def read_amount(line: int, text: str, currency: str) -> int | BadLine:
    """Return an amount of a list in minor units, or why it is not one."""
    try:
        return parse_amount(text, currency)
    except AmountRefused as refused:
        return BadLine(line, text, str(refused))


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield lists of at most `size` items."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
