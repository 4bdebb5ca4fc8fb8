"""Keep the contents of a folder for its user alone: files 0600, folders 0700."""

import contextlib
import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

#: The bits of a mode that let others in.
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def tighten(folder: Path, *, apart: Collection[Path]) -> None:
    """Take the rights of others from the folder and everything of ours in it, except what stands in
    `apart`; follow no link."""
    for path in open_to_others(folder, apart=apart):
        # What belongs to somebody else, or is gone by now, stays as it is.
        with contextlib.suppress(OSError):
            _tighten(path)


def open_to_others(folder: Path, *, apart: Collection[Path]) -> list[Path]:
    """Return the folder and the entries in it that others have rights to, except what stands in
    `apart`."""
    return [path for path in _walk(folder, apart) if _lets_others_in(path)]


def _walk(folder: Path, apart: Collection[Path]) -> Iterator[Path]:
    yield folder
    for place, folders, files in os.walk(folder):
        here = Path(place)
        folders[:] = [name for name in folders if here / name not in apart]
        yield from (path for name in (*folders, *files) if (path := here / name) not in apart)


def _lets_others_in(path: Path) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    return not stat.S_ISLNK(status.st_mode) and bool(status.st_mode & OTHERS)


def _tighten(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if status.st_uid == os.geteuid():
            os.fchmod(descriptor, stat.S_IMODE(status.st_mode) & ~OTHERS)
    finally:
        os.close(descriptor)
