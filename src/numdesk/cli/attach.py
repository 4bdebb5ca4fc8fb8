"""Open a desk for a command: beside a running server, or on a database started for the command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Annotated, TypeVar

import asyncpg
from cyclopts import Parameter

from numdesk.bootstrap import Desk, open_desk
from numdesk.cli.arguments import Folder
from numdesk.cli.outcome import CommandRefused
from numdesk.config import Settings, read_settings
from numdesk.storage.database.cluster import Cluster
from numdesk.storage.database.faults import DeskMissing
from numdesk.storage.database.migrate import is_migrated, migrate, pending_migrations
from numdesk.storage.database.postgres import open_database
from numdesk.storage.desk import settings as setting_rows
from numdesk.usecases.desk.installation import Mode
from numdesk.usecases.stock import catalogue

Answer = TypeVar("Answer")


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Common:
    """Option of every command."""

    data: Folder | None = None
    "The data folder; default: NUMDESK_DATA, or var/numdesk."

    json: Annotated[bool, Parameter(negative="")] = False
    "Answer with one JSON document."

    def settings(self) -> Settings:
        """Return the settings of the environment, with the data folder of the command line."""
        found = read_settings()
        return replace(found, data=self.data) if self.data else found


@asynccontextmanager
async def existing_database(settings: Settings) -> AsyncIterator[str]:
    """Yield the DSN of an existing desk's database, of a running server or started for the command.

    Raises DeskMissing.
    """
    data = settings.data if settings.database_url is None else None
    if data is not None and not Cluster.of(data).exists:
        raise DeskMissing(data)
    async with open_database(settings.database_url, data=settings.data, attach=True) as dsn:
        connection = await asyncpg.connect(dsn)
        try:
            if not await is_migrated(connection):
                raise DeskMissing(data)
        finally:
            await connection.close()
        yield dsn


@asynccontextmanager
async def attached(common: Common, *, read_only: bool = False) -> AsyncIterator[Desk]:
    """Yield a desk on the database of a running server, or on one started for this command.

    With `read_only`, no key file is made. Raises DeskMissing.
    """
    settings = common.settings()
    async with existing_database(settings) as dsn:
        sandbox = await _prepare(dsn, may_migrate=settings.database_url is None)
        async with open_desk(settings, dsn=dsn, sandbox=sandbox, read_only=read_only) as desk:
            await catalogue.register_providers(desk.rt, slugs=desk.rt.suppliers)
            yield desk


def at_desk(
    common: Common, work: Callable[[Desk], Awaitable[Answer]], *, read_only: bool = False
) -> Answer:
    """Run a command's work at a desk (see `attached`) and return its result."""

    async def run() -> Answer:
        async with attached(common, read_only=read_only) as desk:
            return await work(desk)

    return asyncio.run(run())


async def _prepare(dsn: str, *, may_migrate: bool) -> bool:
    """Bring the database up to date if allowed, and return whether it is a sandbox's."""
    connection = await asyncpg.connect(dsn)
    try:
        pending = await pending_migrations(connection)
        if pending and not may_migrate:
            raise CommandRefused(
                f"The database is older than this numdesk ({len(pending)} migrations are "
                "missing): run `numdesk migrate`."
            )
        if pending:
            await migrate(connection)
        return await setting_rows.read(connection, name="mode") == Mode.SANDBOX
    finally:
        await connection.close()
