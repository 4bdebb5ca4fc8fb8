"""Lists of numbers and prices as CSV files: read line by line; bad lines are reported by number."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO, TypeVar

from numdesk.cli.outcome import CommandRefused
from numdesk.cli.outputs import written_whole
from numdesk.usecases.stock.lists import BadLine

Item = TypeVar("Item")

#: A line limit in bytes, above every valid line of these lists.
LINE_BYTES_MAX = 1000
#: The shown part of a bad value, in characters.
SHOWN_MAX = 60
#: Column separators; spreadsheets choose one by country.
SEPARATORS = (",", ";", "\t")

_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class List:
    """A CSV file with a header; columns may stand in any order, unknown ones are refused."""

    def __init__(
        self, file: BinaryIO, path: Path, *, needed: Sequence[str], optional: Sequence[str] = ()
    ) -> None:
        """Read the header. Raises CommandRefused."""
        self._file = file
        self._path = path
        self.bytes_read = 0
        header = self._header()
        self._separator = max(SEPARATORS, key=header.count)
        self._columns = [name.strip().strip('"').lower() for name in header.split(self._separator)]
        self._check(needed, optional)

    def rows(self, make: Callable[[int, dict[str, str]], Item]) -> Iterator[Item | BadLine]:
        """Yield `make(number, cells)` for each line, or the reason why it cannot be read.

        Empty lines are skipped.
        """
        number = 1
        while line := self._file.readline(LINE_BYTES_MAX + 1):
            number += 1
            self.bytes_read += len(line)
            if len(line) > LINE_BYTES_MAX and not line.endswith(b"\n"):
                self._skip_rest()
                yield BadLine(number, _shown(line), f"is longer than {LINE_BYTES_MAX} bytes")
                continue
            cells = self._cells(number, line)
            if isinstance(cells, BadLine):
                yield cells
            elif cells:
                yield make(number, cells)

    def _cells(self, number: int, line: bytes) -> dict[str, str] | BadLine:
        """Return the cells by column, or nothing for an empty line."""
        if b"\0" in line:
            return BadLine(number, _shown(line), "holds a NUL byte")
        try:
            text = line.decode("utf-8").strip("\r\n")
        except UnicodeDecodeError:
            return BadLine(number, _shown(line), "is not UTF-8: save the file as UTF-8")
        if not text.strip():
            return {}
        if '"' not in text:
            cells = text.split(self._separator)
        else:
            try:
                cells = next(csv.reader([text], delimiter=self._separator, strict=True), [])
            except csv.Error:
                return BadLine(number, _shown(line), "has a quote that does not end on the line")
        if len(cells) > len(self._columns) or (
            len(cells) < len(self._columns) and not self._may_end_early(len(cells))
        ):
            return BadLine(
                number,
                _shown(line),
                f"has {len(cells)} columns, the header has {len(self._columns)}",
            )
        return dict(zip(self._columns, cells, strict=False))

    def _may_end_early(self, count: int) -> bool:
        """Return whether the columns after the first `count` are all optional."""
        return all(column in self._optional for column in self._columns[count:])

    def _header(self) -> str:
        line = self._file.readline(LINE_BYTES_MAX + 1)
        self.bytes_read += len(line)
        if not line:
            raise CommandRefused(
                f"{self._path} is empty: it must begin with a line that names the columns."
            )
        if line.startswith(_UTF16):
            raise CommandRefused(f"{self._path} is UTF-16: save it as UTF-8.")
        try:
            return line.decode("utf-8-sig").strip("\r\n")
        except UnicodeDecodeError as error:
            raise CommandRefused(
                f"{self._path} is not UTF-8 text: save it as a CSV file in UTF-8."
            ) from error

    def _check(self, needed: Sequence[str], optional: Sequence[str]) -> None:
        self._optional = frozenset(optional)
        allowed = [*needed, *optional]
        missing = [name for name in needed if name not in self._columns]
        wrong = [name for name in self._columns if name not in allowed]
        if missing or wrong or len(set(self._columns)) < len(self._columns):
            shape = ",".join(needed) + "".join(f"[,{name}]" for name in optional)
            found = ",".join(self._columns)[:200]
            raise CommandRefused(
                f"The first line of {self._path} must name the columns {shape}, but it is: "
                f"{found!r}."
            )

    def _skip_rest(self) -> None:
        """Skip the rest of an overlong line without storing it."""
        while part := self._file.readline(1 << 16):
            self.bytes_read += len(part)
            if part.endswith(b"\n"):
                return


@contextmanager
def opened_list(
    path: Path, *, needed: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[List]:
    """Yield the list in a file. Raises CommandRefused."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise CommandRefused(f"The file {path} cannot be read: {error.strerror}.") from error
    with file:
        yield List(file, path, needed=needed, optional=optional)


class Complaints:
    """The errors of a list: the first lines for the terminal, all of them for a file."""

    def __init__(self, file: TextIO | None = None, *, shown_max: int = 20) -> None:
        """Begin the file, if any, with its column names."""
        self.shown: list[BadLine] = []
        self.count = 0
        self._shown_max = shown_max
        self._writer = csv.writer(file) if file else None
        if self._writer:
            self._writer.writerow(["line", "value", "reason"])

    def add(self, bad: BadLine) -> None:
        """Add one error."""
        self.count += 1
        if len(self.shown) < self._shown_max:
            self.shown.append(bad)
        if self._writer:
            self._writer.writerow([bad.line, _harmless(bad.value), bad.reason])

    def text(self) -> str:
        """Return the errors as lines for the terminal."""
        lines = [f"line {bad.line}: {_quoted(bad.value)} {bad.reason}" for bad in self.shown]
        hidden = self.count - len(self.shown)
        if hidden:
            where = (
                "see the file of --errors" if self._writer else "--errors FILE writes all of them"
            )
            lines.append(f"and {hidden} more: {where}")
        return "\n".join(lines)


@contextmanager
def complaints_into(errors: Path | None, *, inputs: Sequence[Path]) -> Iterator[Complaints]:
    """Yield a collector of errors, which writes to the file `errors` if there is one.

    Raises CommandRefused (see `written_whole`).
    """
    if errors is None:
        yield Complaints()
        return
    with written_whole(errors, inputs=inputs) as file:
        yield Complaints(file)


def _quoted(value: str) -> str:
    short = value if len(value) <= SHOWN_MAX else value[:SHOWN_MAX] + "..."
    return (
        '"'
        + "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in short)
        + '"'
    )


def _shown(line: bytes) -> str:
    return line[: SHOWN_MAX * 2].decode("utf-8", "backslashreplace").strip("\r\n")


def _harmless(value: str) -> str:
    """Return a value that no spreadsheet runs as a formula."""
    clean = "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in value)
    return "'" + clean if clean[:1] in "=+-@" and clean else clean
