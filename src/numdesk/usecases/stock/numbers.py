"""Our own stock: load numbers, withdraw them, count them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from numdesk.domain.stock.numbers import parse_msisdn
from numdesk.storage.stock import numbers as rows
from numdesk.storage.stock.numbers import ShelfLine
from numdesk.usecases.stock.lists import CHUNK, BadLine, Loaded, chunks
from numdesk.usecases.stock.words import Words, add_named, find_words, iso2_of, read_place

if TYPE_CHECKING:
    from numdesk.runtime import Runtime

#: After so many new numbers the table is tidied at once instead of when PostgreSQL gets to it.
TIDY_FROM = 10_000


@dataclass(frozen=True, slots=True)
class GivenNumber:
    """A line of a list of numbers, as text."""

    line: int
    msisdn: str
    country: str
    operator: str


async def load(
    rt: Runtime,
    numbers: Iterable[GivenNumber | BadLine],
    *,
    new_operators: bool = False,
    complain: Callable[[BadLine], None],
    progress: Callable[[Loaded], None] = lambda _: None,
) -> Loaded:
    """Put a list of numbers on the shelf, chunk by chunk, and return the result.

    Good lines are taken whatever the others hold; each bad one, and each number that is here under
    another country or operator, is given to `complain`. The same list once more changes nothing.
    With `new_operators`, operators that are unknown here are added.
    """
    total = Loaded()
    known = await find_words(rt)
    for chunk in chunks(numbers, CHUNK):
        total.read += len(chunk)
        good = [given for given in chunk if isinstance(given, GivenNumber)]
        await add_named(
            rt,
            known,
            [(given.country, given.operator) for given in good],
            (),
            new_operators=new_operators,
        )
        lines: list[rows.NumberLine] = []
        for given in chunk:
            read = given if isinstance(given, BadLine) else _number_line(given, known)
            if isinstance(read, BadLine):
                total.bad += 1
                complain(read)
            else:
                lines.append(read)
        await _put(rt, lines, total, complain)
        progress(total)
    if total.added >= TIDY_FROM:
        await rt.repeat("stock.tidy", rows.tidy)
    rt.memory.forget("catalogue")
    return total


async def withdraw(
    rt: Runtime, msisdns: Iterable[GivenNumber | BadLine], *, complain: Callable[[BadLine], None]
) -> Loaded:
    """Take numbers off the shelf for good; `added` counts those taken off.

    One that is rented out now is complained of and left.
    """
    total = Loaded()
    for chunk in chunks(msisdns, CHUNK):
        total.read += len(chunk)
        wanted: dict[int, GivenNumber] = {}
        for given in chunk:
            msisdn = parse_msisdn(given.msisdn.strip()) if isinstance(given, GivenNumber) else None
            if isinstance(given, BadLine) or msisdn is None:
                total.bad += 1
                complain(
                    given
                    if isinstance(given, BadLine)
                    else BadLine(given.line, given.msisdn, _WHY_NO_NUMBER)
                )
            else:
                wanted[msisdn] = given
        batch = list(wanted)
        total.added += await rt.run(
            "stock.withdraw", lambda tx, batch=batch: rows.withdraw(tx, msisdns=batch)
        )
        states = await rt.repeat(
            "stock.states", lambda tx, batch=batch: rows.states(tx, msisdns=batch)
        )
        for msisdn, given in wanted.items():
            if states.get(msisdn) != _WITHDRAWN:
                total.bad += 1
                reason = (
                    "is rented out now: try again when its order has ended"
                    if msisdn in states
                    else "is not in stock"
                )
                complain(BadLine(given.line, given.msisdn, reason))
    rt.memory.forget("catalogue")
    return total


async def summary(rt: Runtime) -> list[ShelfLine]:
    """Count all numbers by country, operator and state."""
    return await rt.repeat("stock.summary", rows.summary)


_WITHDRAWN = 3


_WHY_NO_NUMBER = (
    "is no number in E.164: 7 to 15 digits 0-9 that begin with the country code, with or without "
    "a plus"
)


async def _put(
    rt: Runtime, lines: list[rows.NumberLine], total: Loaded, complain: Callable[[BadLine], None]
) -> None:
    """Write one chunk, and report the numbers that were here already."""
    if not lines:
        return
    added = await rt.run("stock.load", lambda tx: rows.insert_numbers(tx, lines=lines))
    total.added += added
    if added == len(lines):
        return
    elsewhere = await rt.repeat("stock.elsewhere", lambda tx: rows.elsewhere(tx, lines=lines))
    for found in elsewhere:
        place = f"{found.country}/{found.operator}" if found.operator else found.country
        complain(
            BadLine(
                found.line, str(found.msisdn), f"is in stock already under {place} and stays there"
            )
        )
    total.bad += len(elsewhere)
    total.present += len(lines) - added - len(elsewhere)


def _number_line(given: GivenNumber, known: Words) -> rows.NumberLine | BadLine:
    msisdn = parse_msisdn(given.msisdn.strip())
    if msisdn is None:
        return BadLine(given.line, given.msisdn, _WHY_NO_NUMBER)
    place = read_place(given.line, given.country, given.operator, known)
    if isinstance(place, BadLine):
        return place
    dial_code = known.dial_codes[place[0]]
    if not str(msisdn).startswith(dial_code):
        return BadLine(
            given.line,
            given.msisdn,
            f"does not begin with {dial_code}, as numbers of {iso2_of(given.country)} do",
        )
    return rows.NumberLine(given.line, msisdn, *place)
