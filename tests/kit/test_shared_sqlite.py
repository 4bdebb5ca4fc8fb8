"""A notebook is one file for several processes, written whole or not at all."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from numdesk.kit.shared_sqlite import Notebook, NotebookUnavailable

SCHEMA = "create table if not exists words (word text);"


def words(notebook: sqlite3.Connection) -> list[str]:
    """Returns what was written."""
    return [word for (word,) in notebook.execute("select word from words")]


class TestNotebook:
    """The file."""

    async def test_is_made_when_first_needed_and_read_by_others(self, tmp_path: Path) -> None:
        """What one writes the other reads, and a notebook nobody used leaves no file."""
        one, two = [Notebook(tmp_path / "deep" / "n.sqlite", schema=SCHEMA) for _ in range(2)]
        assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240 - a look at a local folder
        await one.run(lambda db: db.execute("insert into words values ('a')"))
        assert await two.run(words) == ["a"]
        one.close()
        two.close()

    async def test_writes_nothing_of_work_that_failed(self, tmp_path: Path) -> None:
        """A failure in the middle takes everything of its work back."""
        notebook = Notebook(tmp_path / "n.sqlite", schema=SCHEMA)

        def fail(db: sqlite3.Connection) -> None:
            db.execute("insert into words values ('a')")
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await notebook.run(fail)
        assert await notebook.run(words) == []
        notebook.close()

    async def test_finishes_what_was_begun_before_it_is_closed(self, tmp_path: Path) -> None:
        """Work that waits for its turn is done before the file is closed, and what comes later is
        refused as unavailable."""
        notebook = Notebook(tmp_path / "n.sqlite", schema=SCHEMA)
        begun = [
            asyncio.ensure_future(
                notebook.run(lambda db: db.execute("insert into words values ('a')"))
            )
            for _ in range(20)
        ]
        await asyncio.sleep(0)
        notebook.close()
        await asyncio.gather(*begun)
        with pytest.raises(NotebookUnavailable, match="is closed"):
            await notebook.run(words)
        reopened = Notebook(tmp_path / "n.sqlite", schema=SCHEMA)
        assert len(await reopened.run(words)) == len(begun)
        reopened.close()
