"""`numdesk jobs`: what an operator does about work that was given up."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import msgspec
import pytest

from numdesk.cli import main


@pytest.fixture(autouse=True)
def _on_this_database(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Points the command at the database of the test."""
    monkeypatch.setenv("NUMDESK_DATABASE_URL", database_url)
    monkeypatch.setenv("NUMDESK_DATA", str(tmp_path))


async def add(pool: asyncpg.Pool, *, dead: bool, unique_key: str | None = None) -> int:
    """Adds a job and returns its number."""
    return await pool.fetchval(
        """insert into jobs (kind, payload, unique_key, run_at, attempts, dead_at, last_error)
           values ('orders.release', '{"order": 7}', $1, '2026-01-01', 12, case when $2
             then now() end, 'no answer') returning id""",
        unique_key,
        dead,
    )


class TestJobs:
    async def test_are_listed_and_revived(
        self, pool: asyncpg.Pool, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Dead jobs are shown with their error.

        One that is revived has all its tries before it, the others stay dead.
        """
        first, second, _ = [await add(pool, dead=dead) for dead in (True, True, False)]
        assert await asyncio.to_thread(main, ["jobs", "list", "--dead", "--json"]) == 0
        listed = msgspec.json.decode(capsys.readouterr().out)
        assert [(one["job"], one["payload"], one["error"]) for one in listed] == [
            (first, {"order": 7}, "no answer"),
            (second, {"order": 7}, "no answer"),
        ]
        assert await asyncio.to_thread(main, ["jobs", "list"]) == 0
        assert capsys.readouterr().out.count("orders.release") == 3
        assert await asyncio.to_thread(main, ["jobs", "revive", str(second)]) == 0
        assert await pool.fetchval("select array_agg(id) from jobs where dead_at is not null") == [
            first
        ]
        assert await pool.fetchval("select attempts from jobs where id = $1", second) == 0
        assert await asyncio.to_thread(main, ["jobs", "revive", str(second)]) == 2

    async def test_are_revived_together_but_for_work_that_waits(
        self, pool: asyncpg.Pool, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Of several jobs with one unique key only one may wait.

        The rest stay dead instead of breaking the command.
        """
        for dead, key in [
            (True, None),
            (True, None),
            (True, "a"),
            (True, "a"),
            (True, "b"),
            (False, "b"),
        ]:
            await add(pool, dead=dead, unique_key=key)
        assert await asyncio.to_thread(main, ["jobs", "revive", "--all", "--json"]) == 0
        assert msgspec.json.decode(capsys.readouterr().out) == {"count": 3}
        assert await asyncio.to_thread(main, ["jobs", "revive", "--all", "--json"]) == 0
        assert msgspec.json.decode(capsys.readouterr().out) == {"count": 0}

    @pytest.mark.parametrize(
        "given", [("revive",), ("revive", "1", "--all"), ("revive", "99"), ("list", "--limit", "0")]
    )
    async def test_are_named_clearly(
        self, given: tuple[str, ...], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """One job or all: neither and both are refused, and so is a job that is not there."""
        assert await asyncio.to_thread(main, ["jobs", *given]) == 2
        assert capsys.readouterr().err.startswith("numdesk: ")
