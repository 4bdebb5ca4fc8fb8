"""Checks without a database: data folder, disk, key file, port, descriptors, settings."""

from __future__ import annotations

import shlex
import shutil
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from numdesk.bootstrap import unused_settings
from numdesk.cli.doctor.finding import FAIL, OK, WARN, Finding
from numdesk.config import Settings
from numdesk.kit.descriptors import raise_limit, room_for_connections
from numdesk.kit.keyfile import KeyFile, KeyFileError
from numdesk.kit.private import open_to_others
from numdesk.storage.database.postgres import running_dsn

#: Free bytes below which a busy day (WARN) or a busy hour (FAIL) can fill the disk.
DISK_WARN_BYTES = 5 * 1024**3
DISK_FAIL_BYTES = 512 * 1024**2
#: Fewer connections per process than this are few.
CONNECTIONS_FEW = 2_000


def machine_findings(settings: Settings) -> Iterator[Finding]:
    """Yield the findings that need no database."""
    yield _data_folder(settings.data)
    yield _privacy(settings)
    yield _disk(settings.data)
    yield _key_file(settings.key_path)
    yield _port(settings)
    yield _descriptors(settings)
    yield _settings(settings)


def _data_folder(data: Path) -> Finding:
    if not data.exists():
        return Finding("data folder", OK, f"{data} does not exist yet; the first start makes it")
    probe = data / ".doctor"
    try:
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        return Finding(
            "data folder",
            FAIL,
            f"{data} cannot be written ({error.strerror}): make this user its owner",
        )
    return Finding("data folder", OK, f"{data} can be written")


def _privacy(settings: Settings) -> Finding:
    found = open_to_others(settings.data, apart=settings.guarded_paths)
    if not found:
        return Finding("privacy", OK, "only its user can read the data folder")
    first = shlex.quote(str(found[0]))
    return Finding(
        "privacy",
        WARN,
        f"other users have rights to {len(found)} files or folders: `chmod go= {first}` removes "
        "them from the first",
    )


def _settings(settings: Settings) -> Finding:
    unused = unused_settings(settings)
    if not unused:
        return Finding("settings", OK, "all settings are known")
    return Finding(
        "settings",
        WARN,
        f"{', '.join(unused)}: no setting or provider has this name; see `numdesk --help`",
    )


def _disk(data: Path) -> Finding:
    place = next(
        folder for folder in (data.absolute(), *data.absolute().parents) if folder.exists()
    )
    free = shutil.disk_usage(place).free
    state = FAIL if free < DISK_FAIL_BYTES else WARN if free < DISK_WARN_BYTES else OK
    advice = "" if state == OK else ": free some space, or move the data folder"
    return Finding("disk space", state, f"{free / 1024**3:.1f} GB free{advice}")


def _key_file(path: Path) -> Finding:
    try:
        keys = KeyFile.load(path)
    except KeyFileError as error:
        if not path.exists():
            return Finding(
                "key file",
                WARN,
                f"{path} does not exist yet; the first start on an empty database makes it",
            )
        return Finding("key file", FAIL, str(error))
    mode = stat.S_IMODE(path.stat().st_mode)
    return Finding(
        "key file",
        OK,
        f"{path} holds {len(keys.keys)} keys, mode {mode:04o}; keep a copy elsewhere",
    )


def _descriptors(settings: Settings) -> Finding:
    """Return the number of connections that a server started like this command can hold."""
    limit = raise_limit()
    most = min(settings.connections_max, room_for_connections(limit))
    text = (
        f"a process holds up to {most:,} connections ({limit:,} descriptors; "
        f"NUMDESK_CONNECTIONS_MAX is {settings.connections_max:,})"
    )
    if most < min(settings.connections_max, CONNECTIONS_FEW):
        return Finding(
            "descriptors",
            WARN,
            f"{text}: raise the limit of descriptors (ulimit -n, or LimitNOFILE of systemd)",
        )
    return Finding("descriptors", OK, text)


def _port(settings: Settings) -> Finding:
    address = settings.listen
    with socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            if settings.database_url is None and running_dsn(settings.data):
                return Finding(
                    "port", OK, f"{address} is in use, and a numdesk runs on this data folder"
                )
            return Finding(
                "port",
                WARN,
                f"{address} cannot be opened for listening ({error.strerror}): another program "
                "may use it",
            )
    return Finding("port", OK, f"{address} is free")
