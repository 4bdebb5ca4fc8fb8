"""A small SQLite file that the processes of one server share: for what outlives a process and is
not the desk's own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

Answer = TypeVar("Answer")

#: How long one process waits for another's write.
BUSY_TIMEOUT_S = 10.0


class NotebookUnavailable(OSError):
    """The file cannot be read or written: its disk is full or broken, another process holds it, or
    it is closed. Nothing is written."""


class Notebook:
    """The file.

    Every piece of work is one transaction, done in a thread of its own, so that nothing waits for
    the disk.
    """

    def __init__(self, path: Path, *, schema: str) -> None:
        """Remember where; the file is made when it is first needed.

        `schema` must be harmless when repeated.
        """
        self._path = path
        self._schema = schema
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=path.stem)
        self._connection: sqlite3.Connection | None = None
        self._is_closed = False

    async def run(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Do `work` in a transaction and returns its answer. Raises NotebookUnavailable."""
        if self._is_closed:
            raise NotebookUnavailable(f"{self._path.name}: is closed")
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._transact, work)

    def close(self) -> None:
        """Close the file, once all work that was begun is done; what comes later is refused."""
        self._is_closed = True
        self._thread.shutdown()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _transact(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        try:
            notebook = self._connection or self._open()
            notebook.execute("begin immediate")
            try:
                answer = work(notebook)
                notebook.execute("commit")
            finally:
                if notebook.in_transaction:
                    notebook.execute("rollback")
        except (sqlite3.OperationalError, OSError) as error:
            raise NotebookUnavailable(f"{self._path.name}: {error}") from error
        return answer

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        opened = sqlite3.connect(
            self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        try:
            opened.execute("pragma journal_mode = wal")
            opened.execute("pragma synchronous = normal")
            opened.executescript(self._schema)
        except BaseException:
            opened.close()
            raise
        self._connection = opened
        return opened
