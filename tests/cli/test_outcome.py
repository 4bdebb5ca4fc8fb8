"""What a command says, as people and as programs read it."""

from __future__ import annotations

import ast
import asyncio
import re
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

import numdesk
from numdesk.cli import main
from numdesk.cli.outcome import print_result, sentence_of, table
from numdesk.faults import OperatorError
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


PACKAGE = Path(numdesk.__file__).parent

#: What a docstring says of a failure whose text the operator reads.
PROMISE = re.compile(r"sentences? for the operator|with its\s+remedy")


def _exceptions() -> dict[str, tuple[list[str], str]]:
    """Return every class of the package with the names of its bases and its docstring."""
    return {
        node.name: ([ast.unparse(base) for base in node.bases], ast.get_docstring(node) or "")
        for path in PACKAGE.rglob("*.py")
        if "tests" not in path.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    }


class TestSentenceOf:
    def test_prints_the_text_of_every_failure_that_an_operator_can_end(self) -> None:
        """Each exception whose docstring promises a sentence for the operator is an
        OperatorError."""
        promised = {
            name: bases for name, (bases, about) in _exceptions().items() if PROMISE.search(about)
        }
        assert {"SettingRefused", "SandboxRefused", "DatabaseFault"} <= promised.keys()
        assert [
            name for name, bases in promised.items() if OperatorError.__name__ not in bases
        ] == []

    def test_prints_the_text_as_it_is(self) -> None:
        """A failure of a class that the command line never heard of needs its base class alone."""

        class TapeTorn(OperatorError):
            pass

        assert sentence_of(TapeTorn("The tape is torn: put in another.")) == (
            "The tape is torn: put in another."
        )

    def test_keeps_quiet_about_a_fault_of_ours(self) -> None:
        """A program fault has no sentence, whatever its text."""
        assert sentence_of(ValueError("The tape is torn.")) is None
