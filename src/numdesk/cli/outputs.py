"""Files that a command writes: drafted beside their place, moved there when complete."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from numdesk.cli.outcome import CommandRefused


@contextmanager
def written_whole(target: Path, *, inputs: Sequence[Path] = ()) -> Iterator[TextIO]:
    """Yield a text file that replaces `target` when it is complete.

    After a failure the old file remains. Only the owner can read the new one. A device or a pipe,
    such as /dev/stderr, is written to directly. Raises CommandRefused if the file cannot be
    written, or is one of `inputs` under any name or link.
    """
    for path in inputs:
        if _is_same(target, path):
            raise CommandRefused(
                f"{target} is the same file as {path}, which is read: choose another name to "
                "write to."
            )
    file, draft = _open(target)
    try:
        with file:
            yield file
    except BaseException:
        if draft:
            draft.unlink(missing_ok=True)
        raise
    if draft:
        with _refusing(target):
            draft.replace(target.resolve())


def _open(target: Path) -> tuple[TextIO, Path | None]:
    """Return the file to write to, and the path of its draft, or None without one."""
    with _refusing(target):
        if target.exists() and not target.is_file():
            return target.open("w", encoding="utf-8", newline=""), None
        descriptor, draft = tempfile.mkstemp(prefix=".numdesk-", dir=target.resolve().parent)
        return os.fdopen(descriptor, "w", encoding="utf-8", newline=""), Path(draft)


@contextmanager
def _refusing(target: Path) -> Iterator[None]:
    """Turn an error of the operating system into a sentence. Raises CommandRefused."""
    try:
        yield
    except OSError as error:
        raise CommandRefused(
            f"The file {target} cannot be written: {error.strerror or error}."
        ) from error


def _is_same(one: Path, other: Path) -> bool:
    """Return whether two paths lead to one file."""
    with suppress(OSError):
        return one.samefile(other)
    return False
