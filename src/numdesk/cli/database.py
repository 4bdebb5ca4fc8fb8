"""`numdesk migrate`, `backup` and `restore`: the database as a whole."""

from __future__ import annotations

import asyncio
import contextlib
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import asyncpg
from cyclopts import Parameter
from rich.console import Console

from numdesk.cli.arguments import InputFile, OutputFile
from numdesk.cli.attach import Common, existing_database
from numdesk.cli.backup_file import DUMP, pack_backup, read_manifest, restore_keys
from numdesk.cli.outcome import CommandRefused, print_result
from numdesk.config import Settings, environment_for_child
from numdesk.kit.redact import scrub
from numdesk.storage.database import migrate as migrations
from numdesk.storage.database.cluster import binaries
from numdesk.storage.database.postgres import open_database
from numdesk.storage.database.url import split_password
from numdesk.storage.desk import installation

#: Lines shown of a failed PostgreSQL program's output: the error, its detail and its hint.
REASON_LINES_MAX = 3
Flag = Annotated[bool, Parameter(negative="")]


def migrate(*, common: Common | None = None) -> None:
    """Create the desk if there is none, and bring its database up to date; safe to repeat."""
    common = common or Common()

    async def run() -> None:
        settings = common.settings()
        async with open_database(settings.database_url, data=settings.data, attach=True) as dsn:
            applied = await migrations.migrate(dsn)
        text = f"Applied {', '.join(applied)}." if applied else "The database is up to date."
        print_result({"applied": applied}, as_json=common.json, text=text)

    asyncio.run(run())


def backup(file: OutputFile, *, with_keys: Flag = False, common: Common | None = None) -> None:
    """Write the whole database to a file while the server runs, without the key file.

    Parameters
    ----------
    file
        The file to write; an existing file is refused.
    with_keys
        Include the key file: anyone with the backup can then read every secret in it.
    """
    common = common or Common()
    settings = common.settings()
    if file.exists():
        raise CommandRefused(
            f"The file {file} exists already: choose another name, or remove it first."
        )

    async def run() -> None:
        async with existing_database(settings) as dsn:
            with _temporary_folder(file) as folder:
                dump = folder / DUMP
                with _spinner("dumping the database", quiet=common.json):
                    await _run(
                        "pg_dump",
                        dsn,
                        "--format=custom",
                        "--no-owner",
                        "--no-privileges",
                        "--file",
                        str(dump),
                    )
                pack_backup(folder / "backup.tar", dump, settings, with_keys=with_keys)
                (folder / "backup.tar").rename(file)

    asyncio.run(run())
    size = file.stat().st_size
    text = (
        f"{file} holds the database ({size:,} bytes), {'with' if with_keys else 'without'} the "
        "key file."
    )
    if not with_keys:
        text += (
            f" Keep a copy of {settings.key_path} elsewhere: without it tokens and sealed secrets "
            "are lost."
        )
    print_result(
        {"file": str(file), "bytes": size, "with_keys": with_keys}, as_json=common.json, text=text
    )


def restore(file: InputFile, *, common: Common | None = None) -> None:
    """Fill an empty database from a backup; the server must not be running.

    Parameters
    ----------
    file
        A file written by `numdesk backup`.
    """
    common = common or Common()
    settings = common.settings()
    manifest = read_manifest(file)

    async def run() -> list[str]:
        async with open_database(settings.database_url, data=settings.data) as dsn:
            _make_folder_for_keys(settings)
            await _require_empty(dsn)
            with (
                tarfile.open(file) as tar,
                tempfile.TemporaryDirectory(prefix="numdesk-") as folder,
            ):
                tar.extract(DUMP, folder, filter="data")
                with _spinner("restoring the database", quiet=common.json):
                    await _run(
                        "pg_restore",
                        dsn,
                        "--exit-on-error",
                        "--no-owner",
                        "--no-privileges",
                        f"{folder}/{DUMP}",
                    )
                if manifest.with_keys:
                    restore_keys(tar, settings)
            return await migrations.migrate(dsn)

    applied = asyncio.run(run())
    text = f"The database was restored to its state of {manifest.made_at}."
    if not settings.key_path.exists():
        text += (
            f" Put the key file (keys {', '.join(manifest.keys)}) at {settings.key_path} before "
            "you start the server."
        )
    facts = {
        "file": str(file),
        "made_at": manifest.made_at,
        "migrated": applied,
        "key_file": settings.key_path.exists(),
    }
    print_result(facts, as_json=common.json, text=text)


async def _require_empty(dsn: str) -> None:
    """Empty a database without data for a restore. Raises CommandRefused if data would be lost."""
    connection = await asyncpg.connect(dsn)
    try:
        is_unused_desk = await migrations.is_ours_alone(connection) and await installation.is_empty(
            connection
        )
        async with connection.transaction():
            # Without "cascade" the database refuses if the schema contains anything.
            await connection.execute(
                f"drop schema if exists public {'cascade' if is_unused_desk else ''}"
            )
            await connection.execute("create schema public")
    except asyncpg.DependentObjectsStillExistError as error:
        raise CommandRefused(
            "The database is not empty: restore into a new one, or into an empty --data folder."
        ) from error
    finally:
        await connection.close()


def _make_folder_for_keys(settings: Settings) -> None:
    """Make the key file's folder before the restore: a database without its keys is of no use."""
    folder = settings.key_path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".numdesk-"):
            pass
    except OSError as error:
        raise CommandRefused(
            f"The key file {settings.key_path} could not be written ({error.strerror or error}): "
            "nothing was restored; "
            "give the folder to this user, or choose another with --data or NUMDESK_KEY_FILE."
        ) from error


async def _run(program: str, dsn: str, *arguments: str) -> None:
    """Run a PostgreSQL program on a database. Raises CommandRefused with the program's error."""
    bare, password = split_password(dsn)
    process = await asyncio.create_subprocess_exec(
        binaries() / program,
        *arguments,
        "--dbname",
        bare,
        env=environment_for_child(**({} if password is None else {"PGPASSWORD": password})),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, output = await process.communicate()
    if process.returncode:
        raise CommandRefused(f"{program} failed: {_reason(output.decode(errors='replace'))}.")


def _reason(output: str) -> str:
    """Return the error of a failed PostgreSQL program in one line, with its detail and hint."""
    lines = [" ".join(line.split()) for line in output.splitlines() if line.strip()]
    first = next(
        (place for place, line in enumerate(lines) if "error:" in line or "FATAL:" in line), 0
    )
    return (
        scrub("; ".join(lines[first : first + REASON_LINES_MAX])).rstrip(".") or "no reason given"
    )


@contextlib.contextmanager
def _temporary_folder(file: Path) -> Iterator[Path]:
    """Yield a temporary folder beside the file; the finished backup is moved from it."""
    try:
        with tempfile.TemporaryDirectory(prefix=".numdesk-", dir=file.absolute().parent) as folder:
            yield Path(folder)
    except OSError as error:
        raise CommandRefused(
            f"The file {file} cannot be written: {error.strerror or error}."
        ) from error


def _spinner(text: str, *, quiet: bool) -> contextlib.AbstractContextManager[object]:
    """Show a spinner during a long step."""
    return contextlib.nullcontext() if quiet else Console(stderr=True).status(text)
