"""The output of commands: results as text or JSON, failures as one sentence."""

from __future__ import annotations

import codecs
import errno
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import asyncpg
import msgspec
from rich.console import Console
from rich.table import Table

from numdesk.domain.errors import InvalidInput, NotFound, OutcomeUnknown, Refusal
from numdesk.faults import OperatorError
from numdesk.kit.redact import scrub
from numdesk.ports.errors import ProviderError
from numdesk.storage.database.pool import OUTAGES


class CommandRefused(OperatorError):
    """A command is refused; the text is one sentence for the operator: what, why, what to do."""


#: The table width in a file or a pipe; only a terminal wraps lines.
FILE_COLUMNS = 1000


@contextmanager
def if_unknown(remedy: str) -> Iterator[None]:
    """Refuse with `remedy` if the connection was lost and the outcome of the block is unknown."""
    try:
        yield
    except OutcomeUnknown as error:
        raise CommandRefused(
            f"The connection to the database was lost, and the outcome is unknown: {remedy}."
        ) from error


def sentence_of(error: Exception) -> str | None:
    """Return the sentence for a failure that is not a program fault, else None."""
    if isinstance(error, OperatorError):
        return str(error)
    if isinstance(error, Refusal):
        return _of_refusal(error)
    if isinstance(error, ProviderError):
        return f"The provider gave no usable answer ({_one_line(error)}): try again."
    if isinstance(error, (asyncpg.PostgresError, *OUTAGES)) and not isinstance(
        error, FileNotFoundError
    ):
        return _of_database(error)
    if isinstance(error, OSError):
        return _of_system(error)
    return None


def _of_refusal(refusal: Refusal) -> str:
    match refusal:
        case NotFound():
            return f"There is no {refusal.what or 'such thing'}."
        case InvalidInput():
            is_sentence = refusal.reason[:1].isupper()
            return (
                f"The {refusal.field or 'input'} cannot be used: "
                f"{'' if is_sentence else 'it '}{refusal.reason.rstrip('.')}."
            )
        case _:
            return str(refusal)


def _of_database(error: Exception) -> str:
    if isinstance(error, OUTAGES):
        return (
            f"The connection to the database was lost ({_one_line(error)}): check that it runs, "
            "and try again."
        )
    return f"The database refused the change ({_one_line(error)}): nothing was changed."


def _of_system(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "The disk is full: free some space and try again."
    return f"{error.filename or 'The system'}: {error.strerror or error}."


def _one_line(error: Exception) -> str:
    return scrub(" ".join(str(error).split()))


def print_result(facts: object, *, as_json: bool, text: str | Table) -> None:
    """Write a result to standard output, as text or as one JSON document."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    if as_json:
        document = msgspec.json.encode(facts)
        is_unicode = codecs.lookup(console.encoding).name.startswith("utf")
        console.out(
            document.decode() if is_unicode else json.dumps(json.loads(document)), highlight=False
        )
    elif isinstance(text, str):
        console.print(text)
    else:
        Console(
            highlight=False, markup=False, width=None if console.is_terminal else FILE_COLUMNS
        ).print(text)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Return a plain table; number columns are right-aligned."""
    found = [tuple(row) for row in rows]
    made = Table(box=None, pad_edge=False, header_style="bold")
    for place, column in enumerate(columns):
        is_number = bool(found) and all(isinstance(row[place], int) for row in found)
        made.add_column(column, justify="right" if is_number else "left", overflow="fold")
    for row in found:
        made.add_row(*["-" if cell is None else str(cell) for cell in row])
    return made
