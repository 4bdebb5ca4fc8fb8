"""`numdesk ledger check` as an operator and their cron job see it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import msgspec
import pytest
from tests.support.ledger import funded_wallet

from numdesk.cli import main
from numdesk.storage.database.pool import Database


@pytest.fixture
def _on_this_database(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Points the command at the database of the test."""
    monkeypatch.setenv("NUMDESK_DATABASE_URL", database_url)
    monkeypatch.setenv("NUMDESK_DATA", str(tmp_path))


@pytest.mark.usefixtures("_on_this_database")
class TestCheck:
    async def test_ends_well_when_the_books_are_in_order(
        self, database: Database, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A clean ledger is exit code 0 and a sentence that says so."""
        await funded_wallet(database, units=900)
        assert await asyncio.to_thread(main, ["ledger", "check"]) == 0
        said = capsys.readouterr().out
        assert "The books are in order" in said
        assert "balances equal entries" in said

    @pytest.mark.parametrize("scope", ["--full", "--incremental"])
    async def test_names_what_is_wrong(
        self, database: Database, pool: asyncpg.Pool, capsys: pytest.CaptureFixture[str], scope: str
    ) -> None:
        """A broken rule is exit code 1, and the JSON names the rule and the account."""
        wallet_id = await funded_wallet(database, units=900)
        await pool.execute("update accounts set balance = 1000 where id = $1", wallet_id)
        assert await asyncio.to_thread(main, ["ledger", "check", scope, "--json"]) == 1
        report = msgspec.json.decode(capsys.readouterr().out)
        assert report["ok"] is False
        assert report["checks"]["balances_equal_entries"]["violations"] == 1
        assert f"account {wallet_id}" in report["checks"]["balances_equal_entries"]["examples"][0]

    async def test_says_when_it_cannot_run(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Without a database the exit code is 2: nothing was proved either way."""
        monkeypatch.setenv("NUMDESK_DATABASE_URL", "postgresql://numdesk@127.0.0.1:1/nothing")
        assert await asyncio.to_thread(main, ["ledger", "check"]) == 2
        assert capsys.readouterr().err.startswith("numdesk: ")

    async def test_clears_what_the_running_desk_shows(
        self, database: Database, pool: asyncpg.Pool
    ) -> None:
        """A full check by hand is written down, so that what was mended no longer makes the desk
        unready."""
        wallet_id = await funded_wallet(database, units=900)
        await pool.execute("update accounts set balance = 1000 where id = $1", wallet_id)
        assert await asyncio.to_thread(main, ["ledger", "check"]) == 1
        await pool.execute("update accounts set balance = 900 where id = $1", wallet_id)
        assert await asyncio.to_thread(main, ["ledger", "check"]) == 0
        assert await pool.fetchval(
            "select array_agg(report->>'ok' order by id) from ledger_checks"
        ) == ["false", "true"]
