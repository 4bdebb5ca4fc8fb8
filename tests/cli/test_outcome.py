"""What a command says, as people and as programs read it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from numdesk.cli import main
from numdesk.cli.outcome import print_result, table
from numdesk.storage.database import pool


async def _commit_and_lose(_self: object, name: str, connection: Any) -> None:
    """Commits; the answer to a credit gets lost."""
    await connection.execute("commit")
    if name == "wallets.adjust":
        connection.terminate()
        raise asyncpg.ConnectionDoesNotExistError("lost by the test")


class TestTell:
    def test_cuts_nothing_off_a_table(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Where the output is no terminal each row is one line with every cell whole."""
        row = [f"{'x' * 30}{number}" for number in range(9)]
        print_result(None, as_json=False, text=table([f"c{number}" for number in range(9)], [row]))
        said = capsys.readouterr().out.splitlines()
        assert said[1].split() == row
        assert len(said) == 2

    def test_takes_no_name_for_an_instruction(self, capsys: pytest.CaptureFixture[str]) -> None:
        """What stands in brackets is part of a cell, not a colour."""
        print_result({}, as_json=False, text=table(["name"], [["[red]Ann[/red] [a-z]"]]))
        assert "[red]Ann[/red] [a-z]" in capsys.readouterr().out


class TestUnknownOutcomes:
    async def test_say_how_to_go_on(
        self,
        database_url: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """A credit whose commit got no answer names its reference, and the same command with it
        credits once."""
        monkeypatch.setenv("NUMDESK_DATABASE_URL", database_url)
        monkeypatch.setenv("NUMDESK_DATA", str(tmp_path))
        assert await asyncio.to_thread(main, ["customer", "add", "Ann"]) == 0
        with monkeypatch.context() as patched:
            patched.setattr(pool, "OUTAGE_PATIENCE_S", 0.0)
            patched.setattr(pool.Database, "_commit", _commit_and_lose)
            assert await asyncio.to_thread(main, ["customer", "credit", "1", "500"]) != 0
        reference = re.search(r"--reference ([0-9a-f]+)", capsys.readouterr().err)
        assert reference is not None
        assert (
            await asyncio.to_thread(
                main, ["customer", "credit", "1", "500", "--reference", reference[1], "--json"]
            )
            == 0
        )
        assert msgspec.json.decode(capsys.readouterr().out)["available"] == 500
