"""One PostgreSQL for a whole test run: a template migrated once, and a clone of it for each test
that asks."""

import asyncio
import contextlib
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import asyncpg

from numdesk.storage.database.migrate import migrate
from numdesk.storage.database.postgres import EmbeddedPostgres

Kind = Literal["migrated", "empty", "latin1"]

# What a test proves does not depend on surviving a power cut. In memory and so set, a clone takes
# 12 ms, its end 5 ms (on a busy disk over 200).
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_compression": "off",
    "shared_buffers": "128MB",
    "max_connections": "200",
    "autovacuum": "off",
}
TEMPLATES = {
    "migrated": "numdesk_template",
    "empty": "template0",
    "latin1": "template0 ENCODING 'LATIN1' LOCALE 'C'",
}
COPY_STRATEGY = "file_copy"
MEMORY_DISK = Path("/dev/shm")  # noqa: S108 - only looked for; the folder in it is made by mkdtemp
MEMORY_DISK_FREE_MIN = 1024**3  # a container may have as little as 64 MB there


class ServerProcess:
    """Owns the server.

    Lives in the process that starts the run (pytest itself, or the controller of xdist).
    """

    def __init__(self) -> None:
        """Choose a new temporary folder, open for the user that the server runs as."""
        self._folder = Path(tempfile.mkdtemp(prefix="numdesk-tests-", dir=_fastest_folder()))
        self._folder.chmod(0o711)
        self._postgres = EmbeddedPostgres(self._folder, settings=SETTINGS)

    def start(self) -> "TestServer":
        """Start the server and migrate the template.

        A failed migration is told to those who ask for a database.
        """
        return asyncio.run(self._start())

    def stop(self) -> None:
        """Stop the server and remove its folder."""
        asyncio.run(self._postgres.stop())
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _start(self) -> "TestServer":
        await self._postgres.start()
        dsn = self._postgres.cluster.dsn
        connection = await asyncpg.connect(dsn(database="postgres"))
        await connection.execute(f"CREATE DATABASE {TEMPLATES['migrated']}")
        await connection.close()
        fault = ""
        try:
            await migrate(dsn(database=TEMPLATES["migrated"]))
        except Exception as error:  # noqa: BLE001 - tests that need no database still run
            fault = f"{type(error).__name__}: {error}"
        return TestServer(dsn(database="postgres"), fault)


def _fastest_folder() -> Path | None:
    """Choose the disk in memory where there is one with room.

    None means the usual temporary folder.
    """
    with contextlib.suppress(OSError):
        if (
            os.access(MEMORY_DISK, os.W_OK)
            and shutil.disk_usage(MEMORY_DISK).free > MEMORY_DISK_FREE_MIN
        ):
            return MEMORY_DISK
    return None


@dataclass(frozen=True)
class TestServer:
    """The running server, as every worker sees it."""

    __test__ = False

    admin_url: str
    fault: str
    _numbers: itertools.count = field(default_factory=lambda: itertools.count(1), compare=False)

    @asynccontextmanager
    async def create_database(self, kind: Kind = "migrated") -> AsyncIterator[str]:
        """Yield the DSN of a new database and drop it afterwards, whoever is still connected."""
        if self.fault and kind == "migrated":
            raise RuntimeError(f"the template could not be migrated: {self.fault}")
        name = f"t_{os.getpid()}_{next(self._numbers)}"
        admin = await asyncpg.connect(self.admin_url)
        try:
            await admin.execute(
                f"CREATE DATABASE {name} TEMPLATE {TEMPLATES[kind]} STRATEGY {COPY_STRATEGY}"
            )
            yield self.admin_url.replace("@/postgres?", f"@/{name}?")
            await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        finally:
            await admin.close()
