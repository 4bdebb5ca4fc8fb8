"""The file of a backup: a tar file with a manifest, a database dump and perhaps the key file."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import msgspec

from numdesk import __version__
from numdesk.cli.outcome import CommandRefused
from numdesk.config import Settings
from numdesk.kit.clock import Clock
from numdesk.kit.keyfile import KeyFile

#: The parts of a backup, a tar file: manifest, pg_dump's output, and (if asked for) the key file.
MANIFEST, DUMP, KEYS = "manifest.json", "database.dump", "secret.key"
FORMAT = 1
PART_BYTES_MAX = 16 * 1024


class Manifest(msgspec.Struct, frozen=True):
    """The manifest of a backup.

    `keys` names the keys that its secrets are sealed with; it does not contain them.
    """

    format: int
    version: str
    made_at: str
    keys: list[str]
    with_keys: bool


def pack_backup(target: Path, dump: Path, settings: Settings, *, with_keys: bool) -> None:
    """Write the parts of a backup into one file that only the owner can read."""
    keys = KeyFile.load(settings.key_path)
    names = [key.id.hex() for key in keys.keys]
    manifest = Manifest(
        FORMAT, __version__, Clock().wall().isoformat(timespec="seconds"), names, with_keys
    )
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as opened, tarfile.open(fileobj=opened, mode="w") as tar:
        _add(tar, MANIFEST, msgspec.json.encode(manifest))
        tar.add(dump, DUMP)
        if with_keys:
            _add(tar, KEYS, settings.key_path.read_bytes())
        opened.flush()
        os.fsync(descriptor)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    info.mode = 0o600
    tar.addfile(info, io.BytesIO(content))


def read_manifest(file: Path) -> Manifest:
    """Return the manifest of a backup. Raises CommandRefused."""
    try:
        with tarfile.open(file) as tar:
            part = tar.extractfile(MANIFEST)
            manifest = msgspec.json.decode(
                part.read(PART_BYTES_MAX) if part else b"", type=Manifest
            )
    except OSError as error:
        raise CommandRefused(
            f"The file {file} cannot be read: {error.strerror or error}."
        ) from error
    except (tarfile.TarError, KeyError, msgspec.MsgspecError, EOFError) as error:
        raise CommandRefused(
            f"{file} is not a backup of numdesk, or is damaged; expected a file written by "
            "`numdesk backup`."
        ) from error
    if manifest.format != FORMAT:
        raise CommandRefused(
            f"The backup {file} was made by numdesk {manifest.version}: restore it with that "
            "version."
        )
    return manifest


def restore_keys(tar: tarfile.TarFile, settings: Settings) -> None:
    """Write the key file of a backup in its place, unless one exists."""
    part = tar.extractfile(KEYS)
    if part is None or settings.key_path.exists():
        return
    descriptor = os.open(settings.key_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(part.read(PART_BYTES_MAX))
