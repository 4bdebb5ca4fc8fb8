"""Applies the numbered SQL files in order, forward only, each in a transaction of its own under a
lock timeout."""

import hashlib
import re
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

import asyncpg

from numdesk.storage.database.faults import (
    DatabaseIsNewer,
    DiskFull,
    MigrationBlocked,
    MigrationChanged,
)

# A migration is 0007_name.sql; 0007_name.before.sql and .after.sql beside it belong to its tests.
FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
CONNECT_TIMEOUT_S = 10
# What a migration makes that can hold rows, or shows them.
MADE = re.compile(r"^create (?:unlogged )?(?:table|view) (\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Tell whether the file is still the one that was applied."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    def __str__(self) -> str:
        """Name the migration as its file is named."""
        return f"{self.number:04}_{self.name}"


async def migrate(
    target: str | asyncpg.Connection, *, migrations: list[Migration] | None = None
) -> list[str]:
    """Bring a database (a DSN, or a connection outside a transaction) up to date and return the
    names of the applied migrations.

    Processes that start together wait for one another. Raises DatabaseIsNewer, MigrationChanged,
    MigrationBlocked, DiskFull; whatever was applied before the refusal stays, and the failed
    migration leaves nothing behind.
    """
    known = find_migrations() if migrations is None else migrations
    if not isinstance(target, str):
        return await _migrate(target, known=known)
    connection = await asyncpg.connect(target, timeout=CONNECT_TIMEOUT_S)
    try:
        return await _migrate(connection, known=known)
    finally:
        await connection.close()


async def is_migrated(connection: asyncpg.Connection) -> bool:
    """Return whether any migration was ever applied here."""
    return await connection.fetchval("select to_regclass('schema_migrations')") is not None


async def is_ours_alone(connection: asyncpg.Connection) -> bool:
    """Return whether all our migrations are applied and every table is theirs.

    Others have a `schema_migrations`, too.
    """
    found = await connection.fetch(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in "
        "('r', 'p', 'v', 'm', 'f')"
    )
    known = find_migrations()
    made = {
        "schema_migrations",
        *(name for migration in known for name in MADE.findall(migration.sql)),
    }
    if not found or any(row["relname"] not in made for row in found):
        return False
    columns = await connection.fetch(
        "select attname from pg_attribute where attrelid = "
        "to_regclass('public.schema_migrations') and attnum > 0"
    )
    if not {"number", "name", "sha256"} <= {row["attname"] for row in columns}:
        return False
    return not await _pending(connection, known=known)


async def pending_migrations(connection: asyncpg.Connection) -> list[str]:
    """Name what `migrate` would apply. Raises DatabaseIsNewer and MigrationChanged."""
    if not await is_migrated(connection):
        return [str(migration) for migration in find_migrations()]
    return [str(migration) for migration in await _pending(connection, known=find_migrations())]


def find_migrations(folder: Traversable | None = None) -> list[Migration]:
    """Read the migration files in the order of their numbers, each number once."""
    folder = folder or resources.files("numdesk.storage") / "migrations"
    matches = [(FILE_NAME.fullmatch(file.name), file) for file in folder.iterdir()]
    found = [
        Migration(int(match[1]), match[2], file.read_text("utf-8"))
        for match, file in matches
        if match
    ]
    found.sort(key=lambda migration: migration.number)
    numbers = [migration.number for migration in found]
    assert len(set(numbers)) == len(numbers), f"two migrations have one number: {numbers}"
    return found


async def _migrate(connection: asyncpg.Connection, *, known: list[Migration]) -> list[str]:
    # The lock is the session's, so that it spans the transactions; any number does, as long as
    # nobody else uses it.
    await connection.execute("set lock_timeout = 0; select pg_advisory_lock(7305510110001)")
    try:
        await connection.execute(
            """create table if not exists schema_migrations (
                 number integer primary key,
                 name text not null,
                 sha256 text not null,
                 applied_at timestamptz not null default clock_timestamp())"""
        )
        applied = []
        for migration in await _pending(connection, known=known):
            await _apply(connection, migration=migration)
            applied.append(str(migration))
        return applied
    finally:
        if not connection.is_closed():
            await connection.execute("select pg_advisory_unlock(7305510110001); reset lock_timeout")


async def _pending(connection: asyncpg.Connection, *, known: list[Migration]) -> list[Migration]:
    rows = await connection.fetch(
        "select number, name, sha256 from schema_migrations order by number"
    )
    applied = {row["number"]: row for row in rows}
    unknown = applied.keys() - {migration.number for migration in known}
    if unknown:
        raise DatabaseIsNewer(
            [f"{number:04}_{applied[number]['name']}" for number in sorted(unknown)]
        )
    for migration in known:
        row = applied.get(migration.number)
        if row and row["sha256"] != migration.sha256:
            raise MigrationChanged(str(migration))
    return [migration for migration in known if migration.number not in applied]


async def _apply(connection: asyncpg.Connection, *, migration: Migration) -> None:
    """Run one file.

    A lock that others hold for longer than the timeout ends it, so that they are not kept waiting.
    """
    try:
        async with connection.transaction():
            await connection.execute("set local lock_timeout = '5s'")
            await connection.execute(migration.sql)
            await connection.execute(
                "insert into schema_migrations (number, name, sha256) values ($1, $2, $3)",
                migration.number,
                migration.name,
                migration.sha256,
            )
    except asyncpg.LockNotAvailableError as error:
        raise MigrationBlocked(str(migration)) from error
    except asyncpg.DiskFullError as error:
        raise DiskFull("the database server") from error
