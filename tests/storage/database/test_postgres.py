"""The embedded PostgreSQL: starts fast, keeps others out, survives kill -9 of either side, leaves
nothing behind."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace

import asyncpg
import psutil
import pytest
from structlog.testing import capture_logs
from tests.support.server import TestServer

from numdesk.storage.database import postgres
from numdesk.storage.database.cluster import Cluster
from numdesk.storage.database.faults import (
    DatabaseNotUtf8,
    DataFolderInUse,
    DataFolderNotWritable,
    DiskFull,
    ServerFailedToStart,
    ServerTooOld,
    ServerUnreachable,
)
from numdesk.storage.database.postgres import (
    EmbeddedPostgres,
    check_server,
    open_database,
    running_dsn,
)

# A numdesk that is killed while its database runs.
KILLED_NUMDESK = """
import asyncio, os, signal, sys
from pathlib import Path
from numdesk.storage.database.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
asyncio.run(server.start())
print(server.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    """A data folder that the tests of this module use one after the other, made by the first."""
    with tempfile.TemporaryDirectory(prefix="numdesk-data-") as name:
        Path(name).chmod(0o711)
        yield Path(name) / "data"


@pytest.fixture
async def running(data: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A started server."""
    server = EmbeddedPostgres(data)
    await server.start()
    yield server
    await server.stop()


async def ask(dsn: str, question: str) -> object:
    """Ask the server one question over a connection of its own."""
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


def is_gone(pid: int) -> bool:
    """Has a process ended? One that its parent has not yet collected has."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


class TestStart:
    """EmbeddedPostgres.start()."""

    async def test_gives_a_database_that_keeps_what_it_confirms(
        self, running: EmbeddedPostgres
    ) -> None:
        """Ours is a database called numdesk, in UTF-8, with fsync on."""
        assert await ask(running.dsn, "SELECT current_database()") == "numdesk"
        assert await ask(running.dsn, "SHOW server_encoding") == "UTF8"
        assert await ask(running.dsn, "SHOW fsync") == "on"
        assert await ask(running.dsn, "SHOW synchronous_commit") == "on"

    async def test_listens_on_no_network(self, running: EmbeddedPostgres) -> None:
        """The only way in is a socket that only our user may open."""
        assert await ask(running.dsn, "SHOW listen_addresses") == ""
        assert (running.cluster.folder.stat().st_mode & 0o777) == 0o700

    async def test_refuses_a_folder_that_another_numdesk_holds(
        self, data: Path, running: EmbeddedPostgres
    ) -> None:
        """One sentence says what is wrong, who holds the folder and what to do.

        The holder is not disturbed.
        """
        with pytest.raises(
            DataFolderInUse, match=rf"in use by another numdesk \(process {os.getpid()}\).*--data"
        ):
            await EmbeddedPostgres(data).start()
        assert await ask(running.dsn, "SELECT 1") == 1

    async def test_refuses_a_folder_that_cannot_be_made(self, tmp_path: Path) -> None:
        """The sentence carries what the system said."""
        (tmp_path / "file").write_text("")
        with pytest.raises(DataFolderNotWritable, match="Not a directory"):
            await EmbeddedPostgres(tmp_path / "file" / "data").start()

    async def test_refuses_a_full_disk(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Better not to start than to stop in the middle; the folder is free again afterwards."""
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1024))
        for _ in range(2):
            with pytest.raises(DiskFull):
                await EmbeddedPostgres(tmp_path / "data").start()

    async def test_works_below_a_path_too_long_for_a_socket(self, tmp_path: Path) -> None:
        """The socket goes to a short folder instead, which every process finds by the same name."""
        deep = tmp_path / ("d" * 100)
        with contextlib.suppress(OSError):
            tmp_path.parent.chmod(0o711)
        async with open_database(None, data=deep) as dsn:
            assert await ask(dsn, "SELECT 1") == 1
            assert running_dsn(deep) == dsn
            socket_folder = EmbeddedPostgres(deep).cluster.socket_folder
            assert socket_folder.parent.samefile(tempfile.gettempdir())
        assert not socket_folder.exists()

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another user")
    async def test_works_for_root_below_a_closed_folder(self, tmp_path: Path) -> None:
        """A clone in root's own home needs no change of that home's mode."""
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)
        async with open_database(None, data=closed / "data") as dsn:
            assert await ask(dsn, "SELECT 1") == 1
        assert (closed.stat().st_mode & 0o777) == 0o700


class TestSurvival:
    """What happens after kill -9."""

    async def test_a_killed_server_is_started_again(self, running: EmbeddedPostgres) -> None:
        """The supervisor brings the database back with all that was committed."""
        await ask(running.dsn, "CREATE TABLE IF NOT EXISTS kept AS SELECT 1")
        killed = running.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        watcher = asyncio.create_task(running.supervise())
        try:
            async with asyncio.timeout(60):
                while running.pid in (None, killed) or running_dsn(running.cluster.data) is None:  # noqa: ASYNC110 - a process sends no event
                    await asyncio.sleep(0.01)
                assert await ask(running.dsn, "SELECT count(*) FROM kept") == 1
        finally:
            watcher.cancel()

    async def test_a_server_that_cannot_be_started_again_is_tried_again(
        self, running: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A start that fails is logged once for one reason, and does not end the supervisor, who
        starts it when that is possible."""
        launch = EmbeddedPostgres._launch
        tries: asyncio.Queue[None] = asyncio.Queue()

        async def fail(_server: EmbeddedPostgres) -> None:
            tries.put_nowait(None)
            raise OSError("no room")

        monkeypatch.setattr("numdesk.storage.database.postgres.WATCH_S", 0.01)
        monkeypatch.setattr(EmbeddedPostgres, "_launch", fail)
        assert running.pid is not None
        psutil.Process(running.pid).kill()
        with capture_logs() as lines:
            watcher = asyncio.create_task(running.supervise())
            try:
                for _ in range(3):
                    await tries.get()
                monkeypatch.setattr(EmbeddedPostgres, "_launch", launch)
                async with asyncio.timeout(60):
                    while running.pid is None or running_dsn(running.cluster.data) is None:  # noqa: ASYNC110 - a process sends no event
                        await asyncio.sleep(0.01)
                assert await ask(running.dsn, "SELECT 1") == 1
            finally:
                watcher.cancel()
        assert [line["reason"] for line in lines if line["log_level"] == "error"] == ["no room"]

    async def test_a_living_server_is_left_alone(self, running: EmbeddedPostgres) -> None:
        """Asking twice starts nothing."""
        before = running.pid
        assert await running.ensure_running() is False
        assert running.pid == before

    async def test_a_killed_numdesk_does_not_block_the_next(self, data: Path) -> None:
        """The orphan is ended, its folder taken over, and the database answers."""
        done = subprocess.run(  # noqa: ASYNC221 - nothing else runs in this test
            [sys.executable, "-c", KILLED_NUMDESK, str(data)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        orphan = int(done.stdout)
        async with open_database(None, data=data) as dsn:
            assert await ask(dsn, "SELECT 1") == 1
            assert is_gone(orphan)

    @pytest.mark.skipif(
        sys.platform != "linux", reason="only Linux tells a child that its parent died"
    )
    async def test_the_orphan_of_a_killed_numdesk_stops_by_itself(self, data: Path) -> None:
        """Nothing keeps running on a machine whose numdesk was killed for good."""
        done = subprocess.run(  # noqa: ASYNC221 - nothing else runs in this test
            [sys.executable, "-c", KILLED_NUMDESK, str(data)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        async with asyncio.timeout(60):
            while not is_gone(int(done.stdout)):  # noqa: ASYNC110 - a process sends no event
                await asyncio.sleep(0.01)

    async def test_a_pid_that_is_someone_elses_by_now_is_left_alone(self, data: Path) -> None:
        """After a reboot the old pid may belong to any program; that one must live."""
        async with open_database(None, data=data):
            card = (data / "postgres" / "postmaster.pid").read_text()
        bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)  # noqa: ASYNC220
        (data / "postgres" / "postmaster.pid").write_text(
            card.replace(card.split("\n")[0], str(bystander.pid), 1)
        )
        async with open_database(None, data=data) as dsn:
            assert await ask(dsn, "SELECT 1") == 1
        assert bystander.poll() is None
        bystander.communicate(b"\n")

    @pytest.mark.parametrize(
        "left", ["", "12345", "12345\n/nowhere\n", "\0\0\0", "not a pid\n" * 9]
    )
    async def test_a_damaged_pid_file_keeps_nobody_down(self, data: Path, left: str) -> None:
        """What a crash or a full disk left of postmaster.pid or of the socket's lock file is
        removed: the folder's lock is ours."""
        async with open_database(None, data=data):
            cluster = EmbeddedPostgres(data).cluster
        for path in (
            cluster.folder / "postmaster.pid",
            cluster.socket_folder / ".s.PGSQL.5432.lock",
        ):
            path.write_text(left)
        async with open_database(None, data=data) as dsn:
            assert await ask(dsn, "SELECT 1") == 1

    async def test_a_server_is_found_without_its_pid_file(self, running: EmbeddedPostgres) -> None:
        """A server that runs on the folder is found by its processes, so that a damaged file never
        lets a second one start."""
        (running.cluster.folder / "postmaster.pid").write_text("")
        found = running.cluster.find_server()
        assert found is not None
        assert found.pid == running.pid

    async def test_a_server_that_cannot_be_ended_is_named(
        self, data: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where another user's server runs on the folder, the sentence says which process to
        stop."""

        def refuse(*_: object) -> None:
            raise psutil.AccessDenied(4711)

        monkeypatch.setattr(
            Cluster, "find_server", lambda _: SimpleNamespace(pid=4711, send_signal=refuse)
        )
        with pytest.raises(
            ServerFailedToStart,
            match="process 4711 of another user runs PostgreSQL on it: stop that process first",
        ):
            await EmbeddedPostgres(data).start()


class TestEnvironment:
    """What the operator's shell says to PostgreSQL's own programs."""

    async def test_reaches_neither_the_server_nor_its_tools(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A cluster is made and started as always, whatever PG variables are set."""
        with contextlib.suppress(OSError):
            tmp_path.parent.chmod(0o711)
        for name, value in {
            "PGOPTIONS": "-c nonsense=1",
            "PGDATA": "/nowhere",
            "PGTZ": "nowhere",
            "PGCLIENTENCODING": "LATIN1",
        }.items():
            monkeypatch.setenv(name, value)
        async with open_database(None, data=tmp_path / "data") as dsn:
            assert await ask(dsn, "SELECT 1") == 1


class TestOpenDatabase:
    """open_database()."""

    async def test_stops_the_server_at_the_end(self, data: Path) -> None:
        """The folder is free again and no server runs."""
        async with open_database(None, data=data):
            assert running_dsn(data)
        assert running_dsn(data) is None

    async def test_attaches_to_a_server_that_runs(
        self, data: Path, running: EmbeddedPostgres
    ) -> None:
        """A command beside `serve` uses its database and leaves it running."""
        async with open_database(None, data=data, attach=True) as dsn:
            assert dsn == running.dsn
        assert running.pid is not None

    async def test_uses_an_external_server_when_one_is_named(
        self, database_url: str, tmp_path: Path
    ) -> None:
        """Then the data folder gets no database."""
        async with open_database(database_url, data=tmp_path) as dsn:
            assert dsn == database_url
        assert os.listdir(tmp_path) == []  # noqa: PTH208 - a coroutine may list, not stat


class TestCheckServer:
    """check_server()."""

    async def test_accepts_a_server_that_is_new_enough(self, database_url: str) -> None:
        """The major version is returned."""
        assert await check_server(database_url) >= postgres.SERVER_VERSION_MIN

    async def test_refuses_an_old_server(self) -> None:
        """Version 14 is told by its number, and what to do."""
        async with old_server("14.9") as port:
            with pytest.raises(ServerTooOld, match=r"is version 14: numdesk needs 15 or newer"):
                await check_server(f"postgresql://me:hush@127.0.0.1:{port}/numdesk")

    async def test_tells_where_nobody_answers_without_the_password(self) -> None:
        """The sentence ends up in logs."""
        with pytest.raises(
            ServerUnreachable, match=r"127\.0\.0\.1:1/numdesk does not answer"
        ) as refusal:
            await check_server("postgresql://me:hush@127.0.0.1:1/numdesk")
        assert "hush" not in str(refusal.value)

    async def test_refuses_a_database_in_another_encoding(self, server: TestServer) -> None:
        """Text in all languages does not fit into a database that is not UTF-8.

        The sentence says how to make one that is.
        """
        async with server.create_database("latin1") as url:
            with pytest.raises(
                DatabaseNotUtf8, match="has the encoding LATIN1: numdesk needs UTF8"
            ):
                await check_server(url)


@contextlib.asynccontextmanager
async def old_server(version: str) -> AsyncIterator[int]:
    """A server that greets a PostgreSQL client with the given version and says no more."""

    finished = asyncio.Event()

    def message(kind: bytes, body: bytes) -> bytes:
        return kind + (len(body) + 4).to_bytes(4, "big") + body

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            request = await reader.readexactly(
                int.from_bytes(await reader.readexactly(4), "big") - 4
            )
            if request == (80877103).to_bytes(4, "big"):  # it asks for TLS first
                writer.write(b"N")
                await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big") - 4)
            writer.write(message(b"R", bytes(4)))
            writer.write(message(b"S", b"server_version\0" + version.encode() + b"\0"))
            writer.write(message(b"S", b"client_encoding\0UTF8\0"))
            writer.write(message(b"K", bytes(8)))
            writer.write(message(b"Z", b"I"))
            await reader.readexactly(1)  # it says goodbye
        writer.close()
        finished.set()

    listener = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with listener:
        yield listener.sockets[0].getsockname()[1]
        await finished.wait()
