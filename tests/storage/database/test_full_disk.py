"""A disk that is really full: a small one in memory, mounted for the test."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from numdesk.domain.errors import Unavailable
from numdesk.storage.database.migrate import migrate
from numdesk.storage.database.pool import Database, Tx
from numdesk.storage.database.postgres import open_database
from numdesk.storage.desk.installation import probe_writes

DISK_MB = 320
#: A megabyte that no compression makes smaller.
FILL = "insert into filler select repeat(md5(random()::text), 2000) from generate_series(1, 16)"
PATIENCE_S = 60.0


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A folder on a disk of its own."""
    with tempfile.TemporaryDirectory(prefix="numdesk-disk-") as name:
        Path(name).chmod(0o711)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=0711", "tmpfs", name]
        if (
            os.geteuid() != 0
            or subprocess.run(mount, capture_output=True, check=False).returncode != 0
        ):
            pytest.skip("a small disk can only be mounted by root, where the system lets it")
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", "--lazy", name], check=True)  # noqa: S607 - our own words


@pytest.fixture
async def database(small_disk: Path) -> AsyncIterator[Database]:
    """A migrated database on the small disk, kept running as a serving desk keeps it."""
    async with open_database(None, data=small_disk / "data") as dsn:
        await migrate(dsn)
        opened = await Database.open(dsn)
        yield opened
        await opened.close()


async def fill(tx: Tx) -> None:
    """Writes a megabyte."""
    await tx.execute(FILL)


async def until_it_answers(database: Database) -> int:
    """Returns what a read says, once the server is up."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(Unavailable):
                return await database.repeat(
                    "test.read", lambda tx: tx.fetchval("select count(*)::int from filler")
                )


async def test_refuses_writes_and_recovers_by_itself(database: Database, small_disk: Path) -> None:
    """Every write on the full disk is refused as unavailable, reads go on, and once there is room
    everything works without a restart by hand: what was confirmed is there, and nothing else."""
    await database.run(
        "test.table",
        lambda tx: tx.execute(
            "create table filler (text text); alter table filler alter text set storage external"
        ),
    )
    kept = 0
    ballast = small_disk / "ballast"
    with ballast.open("wb") as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 65536)
            file.flush()
    refused = 0
    while refused < 20:
        try:
            await database.run("test.fill", fill)
            kept += 16
        except Unavailable:
            refused += 1
    with pytest.raises(Unavailable):
        await database.run("test.probe", probe_writes)
    assert await until_it_answers(database) == kept
    ballast.unlink()
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(Unavailable):
                await database.run("test.probe", probe_writes)
                break
            await asyncio.sleep(0.05)
    await database.run("test.fill", fill)
    assert await until_it_answers(database) == kept + 16
