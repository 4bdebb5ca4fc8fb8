"""The functions of the database: each stands in one file, as migrations have left it."""

from __future__ import annotations

import re
from pathlib import Path

import asyncpg
import pytest
from tests.contracts.test_docs import ROOT, tracked_files

STORAGE = ROOT / "src" / "numdesk" / "storage"
VERSION = re.compile(r"\b([a-z]+(?:_[a-z]+)+)_v(\d+)\b")
DEFINED = """
    select p.proname as name, pg_get_functiondef(p.oid) as text
      from pg_proc p where p.pronamespace = 'public'::regnamespace"""


def files() -> dict[str, Path]:
    """Return the files of functions by the name of the function."""
    return {path.stem: path for path in STORAGE.glob("*/sql/*.sql")}


async def test_each_stands_in_a_file_as_migrations_left_it(
    pool: asyncpg.Pool, pytestconfig: pytest.Config
) -> None:
    """Who reads storage/<area>/sql/<function>.sql reads the text that the database runs.

    After a new migration, `--update-cases` writes the files of the functions that it changed.
    """
    there = files()
    defined = {
        row["name"]: "\n".join(line.rstrip() for line in row["text"].splitlines()) + "\n"
        for row in await pool.fetch(DEFINED)
    }
    assert set(defined) == set(there), "each function has a file, and each file a function"
    for name, text in defined.items():
        if pytestconfig.getoption("--update-cases"):
            there[name].write_text(text, "utf-8")
        assert there[name].read_text("utf-8") == text, there[name]


def test_the_code_and_the_pages_name_the_newest_version() -> None:
    """An older version stays for programs of the release before, and for nobody else."""
    newest: dict[str, int] = {}
    for name in files():
        if found := VERSION.fullmatch(name):
            newest[found[1]] = max(newest.get(found[1], 0), int(found[2]))
    old = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in tracked_files()
        if path.suffix in {".py", ".md"} and "tests" not in path.parts and path.stem != "CHANGELOG"
        for found in VERSION.finditer(path.read_text("utf-8"))
        if found[1] in newest and int(found[2]) != newest[found[1]]
    ]
    assert old == []
