"""Starts, watches and stops the embedded PostgreSQL of a data folder, or checks the external
one."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import NoReturn

import asyncpg
import psutil

from numdesk.config import environment_for_child
from numdesk.kit.log import get_logger
from numdesk.kit.redact import scrub
from numdesk.storage.database.cluster import SETTINGS, SOCKET_NAME, Cluster
from numdesk.storage.database.faults import (
    DatabaseNotUtf8,
    DataFolderInUse,
    DataFolderNotWritable,
    DiskFull,
    ServerFailedToStart,
    ServerTooOld,
    ServerUnreachable,
)
from numdesk.storage.database.url import place_of, read_database_url

ENCODING = "UTF8"  # customers' texts are in all languages
SERVER_VERSION_MIN = 15  # the oldest major version the SQL is written for
FREE_BYTES_MIN = 64 * 1024 * 1024  # below this PostgreSQL cannot even write its next WAL files
LOG_BYTES_MAX = 10 * 1024 * 1024
POLL_S = 0.01
WATCH_S = 0.25
READY_TIMEOUT_S = 600.0  # a recovery after a crash replays at most max_wal_size
LEFTOVERS_TIMEOUT_S = 10.0  # how long the children of a killed postmaster may take to notice
CONNECT_TIMEOUT_S = 5
_log = get_logger(__name__)
STOP_STEPS = (
    (signal.SIGINT, 20.0),
    (signal.SIGQUIT, 5.0),
    (signal.SIGKILL, 5.0),
)  # fast, immediate, none


@contextlib.asynccontextmanager
async def open_database(url: str | None, *, data: Path, attach: bool = False) -> AsyncIterator[str]:
    """Yield the DSN to use: the external server's after a check, or that of the data folder's own,
    kept running.

    With `attach`, the server of a numdesk that is already running on the data folder is used and
    left alone, so that commands work beside `serve`. Raises DatabaseFault.
    """
    if url:
        dsn = read_database_url(url)
        await check_server(dsn)
        yield dsn
        return
    if attach and (found := running_dsn(data)):
        yield found
        return
    server = EmbeddedPostgres(data)
    await server.start()
    watcher = asyncio.create_task(server.supervise(), name="postgres-supervisor")
    try:
        yield server.dsn
    finally:
        watcher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watcher
        await server.stop()


async def check_server(url: str) -> int:
    """Connect once and return the major version.

    Raises ServerUnreachable, ServerTooOld or DatabaseNotUtf8.

    `url` is what `read_database_url` returned.
    """
    where = place_of(url)
    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_TIMEOUT_S)
    except (
        OSError,
        TimeoutError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
        ValueError,
    ) as error:
        raise ServerUnreachable(
            where, reason=next(iter(scrub(str(error)).splitlines()), type(error).__name__)
        ) from error
    try:
        version, said = connection.get_server_version(), connection.get_settings()
    finally:
        connection.terminate()  # at once: what answers here may be no PostgreSQL at all
    if version.major < SERVER_VERSION_MIN:
        raise ServerTooOld(where, found=version.major, needed=SERVER_VERSION_MIN)
    if said.server_encoding != ENCODING:
        raise DatabaseNotUtf8(where, found=said.server_encoding)
    return version.major


def running_dsn(data: Path) -> str | None:
    """Return the DSN of the server that runs in the data folder now, if one does and is ready."""
    cluster = Cluster.of(data)
    postmaster = cluster.postmaster()
    return cluster.dsn() if postmaster and postmaster.ready and postmaster.process() else None


class EmbeddedPostgres:
    """The PostgreSQL of one data folder, a child of this process.

    On Linux it stops by itself when we die.

    Call `start` and `ensure_running` from the main thread: the kernel ties the child's life to the
    thread that made it.
    """

    def __init__(self, data: Path, *, settings: Mapping[str, str] | None = None) -> None:
        """Choose the folder; `settings` override the server's (tests switch fsync off)."""
        self.cluster = Cluster.of(data)
        self._settings = {
            **SETTINGS,
            "unix_socket_directories": str(self.cluster.socket_folder),
            **(settings or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._lock_file: int | None = None
        self._launching = asyncio.Lock()

    @property
    def dsn(self) -> str:
        """The address of our database."""
        return self.cluster.dsn()

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it lives."""
        return self._process.pid if self._process and self._process.poll() is None else None

    async def start(self) -> None:
        """Take the data folder, make the cluster if there is none, and start the server.

        Raises DatabaseFault.
        """
        try:
            self._take_folder()
            await self._stop_orphan()
            if not self.cluster.exists:
                await self.cluster.make()
            await self._launch()
            await self._make_database()
        except BaseException:
            await self.stop()
            raise

    async def ensure_running(self) -> bool:
        """Start the server again if it died; tells whether it had to. Raises DatabaseFault."""
        async with self._launching:
            if self.pid is not None:
                return False
            await self._launch()
            return True

    async def supervise(self) -> NoReturn:
        """Keep the server running until cancelled.

        A start that fails is tried again for as long as we live.
        """
        said = ""
        while True:
            try:
                if await self.ensure_running():
                    _log.warning("the database had ended and was started again")
                said = ""
            except Exception as error:  # noqa: BLE001 - whatever it is may be over at the next try
                if str(error) != said:
                    said = str(error)
                    _log.error("the database cannot be started again", reason=said)
            await asyncio.sleep(WATCH_S)

    async def stop(self) -> None:
        """Shut the server down (open transactions are rolled back) and give the data folder
        free."""
        if self._process is not None:
            if self._process.poll() is None:
                await _end(psutil.Process(self._process.pid))
            self._process.poll()
            self._process = None
            self.cluster.remove_socket_folder()
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def _take_folder(self) -> None:
        """Hold an advisory lock on the folder for as long as this process lives.

        The kernel gives it free at death.
        """
        data = self.cluster.data
        try:
            data.mkdir(parents=True, exist_ok=True, mode=0o711)
            lock_file = os.open(data / "numdesk.lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise DataFolderNotWritable(data, reason=error.strerror or str(error)) from error
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(lock_file, 20).decode(errors="replace").strip()
            os.close(lock_file)
            raise DataFolderInUse(data, holder=holder) from error
        self._lock_file = lock_file
        if shutil.disk_usage(data).free < FREE_BYTES_MIN:
            raise DiskFull(data)
        os.truncate(lock_file, 0)
        os.write(lock_file, f"{os.getpid()}\n".encode())

    async def _stop_orphan(self) -> None:
        """End a server that outlived a killed numdesk, and remove the lock files that it or a crash
        left, whatever is in them.

        The lock on the folder is ours, so no other numdesk runs a server here. Raises
        ServerFailedToStart when a server cannot be ended.
        """
        postmaster = self.cluster.postmaster()
        if process := (postmaster and postmaster.process()) or self.cluster.find_server():
            try:
                await _end(process)
            except psutil.AccessDenied as error:
                reason = (
                    f"process {process.pid} of another user runs PostgreSQL on it: stop that "
                    f"process first"
                )
                raise ServerFailedToStart(self.cluster.data, reason=reason) from error
        for path in (
            self.cluster.folder / "postmaster.pid",
            self.cluster.socket_folder / f"{SOCKET_NAME}.lock",
        ):
            path.unlink(missing_ok=True)

    async def _launch(self) -> None:
        """Start the postmaster and wait until it takes connections, however long its recovery
        is."""
        self.cluster.prepare()
        give_up = time.monotonic() + LEFTOVERS_TIMEOUT_S
        while (log := await self._try_launch()) is not None:
            # The children of a killed postmaster need a moment to see that it is gone.
            left_over = "shared memory" in log or "already exists" in log
            if not left_over or time.monotonic() > give_up:
                raise self.cluster.fault(log=log)
            await asyncio.sleep(10 * POLL_S)

    async def _try_launch(self) -> str | None:
        """Start the postmaster once; returns what it wrote if it ended before it was ready."""
        options = [
            part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")
        ]
        command = self.cluster.command("postgres", "-D", str(self.cluster.folder), *options)
        log = self.cluster.data / "postgres.log"
        if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
            log.unlink()
        already = log.stat().st_size if log.exists() else 0
        self._process = _spawn(command, log=log)
        give_up = time.monotonic() + READY_TIMEOUT_S
        while self._process.poll() is None and time.monotonic() < give_up:
            postmaster = self.cluster.postmaster()
            if postmaster and postmaster.ready and postmaster.pid == self._process.pid:
                return None
            await asyncio.sleep(POLL_S)
        return log.read_bytes()[already:].decode(errors="replace")

    async def _make_database(self) -> None:
        """Make our database inside a new cluster."""
        connection = await asyncpg.connect(
            self.cluster.dsn(database="postgres"), timeout=CONNECT_TIMEOUT_S
        )
        try:
            if not await connection.fetchval(
                "SELECT true FROM pg_database WHERE datname = 'numdesk'"
            ):
                await connection.execute("CREATE DATABASE numdesk")
        finally:
            await connection.close()


def _spawn(command: list[str], *, log: Path) -> subprocess.Popen[bytes]:
    """Start a server in a session of its own, so that Ctrl-C reaches us first and we can finish
    open requests."""
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - the command is our own
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=environment_for_child(),
        )


async def _end(process: psutil.Process) -> None:
    """Ask a server to shut down fast, then at once, then end it; returns when it is gone."""
    for sign, patience_s in STOP_STEPS:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(sign)
        give_up = time.monotonic() + patience_s
        while _is_alive(process):
            if time.monotonic() > give_up:
                break
            await asyncio.sleep(POLL_S)
        else:
            return


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
