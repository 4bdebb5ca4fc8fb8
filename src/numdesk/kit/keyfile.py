"""Reads and makes the file of secret keys, the one thing that a copy of the database does not
hold."""

import base64
import binascii
import os
import secrets
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from numdesk.faults import OperatorError

KEY_ID_BYTES = 4
KEY_BYTES = 32

#: A key file is a handful of lines; anything longer is another file.
FILE_BYTES_MAX = 16 * 1024

_HEADER = (
    "# Secret keys. Keep a copy apart from the database's backups: without it what is sealed "
    "stays sealed.\n"
    "# One key a line, the newest last: it seals, all of them open. The first also makes the "
    "fingerprints\n"
    "# of API tokens: when it goes, every token goes.\n"
)


class KeyFileError(OperatorError):
    """The key file cannot be used; the text is one sentence for the operator."""


class KeyFileMissing(KeyFileError):
    """There is no key file where one must be."""


class KeyFileOpen(KeyFileError):
    """Others than the owner can read the key file."""


class KeyFileBroken(KeyFileError):
    """The file's content is not a list of keys."""


@dataclass(frozen=True, slots=True)
class Key:
    """One secret, and the short name under which sealed things refer to it."""

    id: bytes
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyFile:
    """The keys of one installation, oldest first."""

    path: Path
    keys: tuple[Key, ...]

    @classmethod
    def load(cls, path: Path) -> "KeyFile":
        """Return the keys in `path`; raise KeyFileMissing, KeyFileOpen or KeyFileBroken."""
        return cls(path, _parse(_read_private(path), path))

    @classmethod
    def load_or_create(cls, path: Path, *, may_create: bool) -> "KeyFile":
        """Return the keys in `path`; with `may_create`, a missing file is made with one new key."""
        try:
            return cls.load(path)
        except KeyFileMissing:
            if not may_create:
                raise
        _write_new(path, (_new_key(),))
        return cls.load(path)  # another process may have been first; then its key is the key

    @classmethod
    def load_or_pretend(cls, path: Path, *, may_pretend: bool) -> "KeyFile":
        """Return the keys in `path`.

        With `may_pretend`, a key of the moment stands in for a missing file, and nothing is
        written.
        """
        try:
            return cls.load(path)
        except KeyFileMissing:
            if not may_pretend:
                raise
        return cls(path, (_new_key(),))

    def with_new_key(self) -> "KeyFile":
        """Add a newest key to the file and return all.

        Running processes use it after a restart.
        """
        keys = (*self.keys, _new_key())
        draft = _write_draft(self.path, keys)
        draft.replace(self.path)
        _sync_folder(self.path.parent)
        return KeyFile(self.path, keys)


def _new_key() -> Key:
    """Return a random key with a random name."""
    return Key(id=secrets.token_bytes(KEY_ID_BYTES), secret=secrets.token_bytes(KEY_BYTES))


def _read_private(path: Path) -> str:
    """Return the file's text after looking at who else could read it.

    One descriptor, so nothing can be swapped.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise KeyFileMissing(
            f"The key file {path} is missing; restore it from your copy."
        ) from None
    except OSError as error:
        raise KeyFileBroken(f"The key file {path} cannot be read: {error.strerror}.") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise KeyFileBroken(f"The key file {path} is not a regular file.")
        if status.st_mode & 0o077:
            raise KeyFileOpen(f"The key file {path} can be read by others; run: chmod 600 {path}")
        content = os.read(descriptor, FILE_BYTES_MAX + 1)
    finally:
        os.close(descriptor)
    if len(content) > FILE_BYTES_MAX or not content.isascii():
        raise KeyFileBroken(f"The key file {path} does not hold a list of keys.")
    return content.decode("ascii")


def _parse(text: str, path: Path) -> tuple[Key, ...]:
    """Return the keys that stand in `text`; a fault is told without quoting it."""
    keys: dict[bytes, Key] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        key = _parse_line(line)
        if key is None or key.id in keys:
            raise KeyFileBroken(
                f"Line {number} of the key file {path} is not a key, or repeats one."
            )
        keys[key.id] = key
    if not keys:
        raise KeyFileBroken(f"The key file {path} holds no key.")
    return tuple(keys.values())


def _parse_line(line: str) -> Key | None:
    """Return the key that a line spells, or None."""
    name, _, secret = line.strip().partition(" ")
    try:
        key = Key(id=bytes.fromhex(name), secret=base64.b64decode(secret, validate=True))
    except (ValueError, binascii.Error):
        return None
    return key if len(key.id) == KEY_ID_BYTES and len(key.secret) == KEY_BYTES else None


def _write_new(path: Path, keys: Sequence[Key]) -> None:
    """Make the file whole or not at all; one that is there already stays."""
    draft = _write_draft(path, keys)
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink()
    _sync_folder(path.parent)


def _write_draft(path: Path, keys: Sequence[Key]) -> Path:
    """Write the keys beside `path`, for no one else to read, and onto the disk."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    lines = [f"{key.id.hex()} {base64.b64encode(key.secret).decode('ascii')}\n" for key in keys]
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write((_HEADER + "".join(lines)).encode("ascii"))
        file.flush()
        os.fsync(descriptor)
    return draft


def _sync_folder(folder: Path) -> None:
    """Put the folder's entry onto the disk: the first sealed secret must not outlive its key."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
