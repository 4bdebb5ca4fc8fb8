"""Migrations: forward, once, in order, and never over a database that is ahead."""

import asyncio

import asyncpg
import pytest

from numdesk.storage.database.faults import DatabaseIsNewer, MigrationBlocked, MigrationChanged
from numdesk.storage.database.migrate import Migration, find_migrations, migrate, pending_migrations

FIRST = Migration(1, "things", "create table things (id integer primary key)")
SECOND = Migration(
    2, "more", "alter table things add column note text; insert into things values (1, 'x')"
)
BROKEN = Migration(3, "broken", "create table half (id integer); select 1/0")


class TestMigrate:
    """migrate()."""

    async def test_applies_each_file_once_and_in_order(self, empty_database_url: str) -> None:
        """A second run finds nothing to do."""
        assert await migrate(empty_database_url, migrations=[FIRST, SECOND]) == [
            "0001_things",
            "0002_more",
        ]
        assert await migrate(empty_database_url, migrations=[FIRST, SECOND]) == []

    async def test_two_processes_may_start_together(self, empty_database_url: str) -> None:
        """The second one waits and then finds nothing to do."""
        runs = await asyncio.gather(
            *(migrate(empty_database_url, migrations=[FIRST, SECOND]) for _ in range(4))
        )
        assert sorted(map(len, runs)) == [0, 0, 0, 2]

    async def test_leaves_nothing_of_a_file_that_fails(self, empty_database_url: str) -> None:
        """Files before the failed one stay, the failed one is rolled back whole and tried again
        next time."""
        with pytest.raises(asyncpg.DivisionByZeroError):
            await migrate(empty_database_url, migrations=[FIRST, SECOND, BROKEN])
        mended = Migration(3, "broken", "create table half (id integer)")
        assert await migrate(empty_database_url, migrations=[FIRST, SECOND, mended]) == [
            "0003_broken"
        ]

    async def test_refuses_a_database_that_is_ahead(self, empty_database_url: str) -> None:
        """Old code must not write into tables that it does not know."""
        await migrate(empty_database_url, migrations=[FIRST, SECOND])
        with pytest.raises(DatabaseIsNewer, match=r"newer than this numdesk.*0002_more"):
            await migrate(empty_database_url, migrations=[FIRST])

    async def test_refuses_an_applied_file_that_changed(self, empty_database_url: str) -> None:
        """What was applied and what is in the tree must stay the same text."""
        await migrate(empty_database_url, migrations=[FIRST])
        with pytest.raises(MigrationChanged, match="0001_things"):
            await migrate(
                empty_database_url, migrations=[Migration(1, "things", "create table others ()")]
            )

    async def test_gives_up_on_a_lock_that_others_hold(self, empty_database_url: str) -> None:
        """A migration that cannot get its lock ends instead of making everyone queue behind it."""
        await migrate(empty_database_url, migrations=[FIRST])
        quick = Migration(
            2, "more", "set local lock_timeout = '20ms'; alter table things add column note text"
        )
        holder = await asyncpg.connect(empty_database_url)
        async with holder.transaction():
            await holder.execute("lock table things in access exclusive mode")
            with pytest.raises(MigrationBlocked, match="0002_more"):
                await migrate(empty_database_url, migrations=[FIRST, quick])
        await holder.close()

    async def test_takes_a_connection_and_leaves_it_open(self, empty_database_url: str) -> None:
        """A caller that has a connection keeps it, with its own lock timeout restored."""
        connection = await asyncpg.connect(empty_database_url)
        assert await migrate(connection, migrations=[FIRST]) == ["0001_things"]
        assert await connection.fetchval("show lock_timeout") == "0"
        await connection.close()


class TestTheFiles:
    """The migrations that numdesk ships."""

    def test_have_numbers_without_gaps(self) -> None:
        """A gap would be filled later, behind the back of databases that are past it."""
        numbers = [migration.number for migration in find_migrations()]
        assert numbers == list(range(1, len(numbers) + 1))

    async def test_bring_an_empty_database_up_to_date(self, empty_database_url: str) -> None:
        """The shipped files apply in order, and then nothing is pending."""
        connection = await asyncpg.connect(empty_database_url)
        expected = [str(migration) for migration in find_migrations()]
        assert await pending_migrations(connection) == expected
        assert await migrate(connection) == expected
        assert await pending_migrations(connection) == []
        await connection.close()

    async def test_a_test_database_is_up_to_date(self, database_url: str) -> None:
        """The template that tests are cloned from has every migration."""
        assert await migrate(database_url) == []
