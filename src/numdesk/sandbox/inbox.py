"""The sandbox's inbox: a webhook receiver that stores the requests it gets."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

import msgspec

from numdesk.kit.shared_sqlite import Notebook

#: Requests kept; older ones are deleted.
KEPT = 10_000

_SCHEMA = """
create table if not exists requests (
  id integer primary key,
  name text not null,
  method text not null,
  headers text not null,
  body blob not null
);
"""


@dataclass(frozen=True, slots=True)
class Received:
    """A request as received: header names in lower case, the body byte for byte."""

    name: str
    method: str
    headers: dict[str, str]
    body: bytes


class Inbox:
    """The received requests, shared by all processes of a server and kept through restarts."""

    def __init__(self, path: Path) -> None:
        """Keep the requests in the file at `path`."""
        self._file = Notebook(path, schema=_SCHEMA)

    async def add(self, received: Received) -> None:
        """Add a request."""
        headers = msgspec.json.encode(received.headers).decode()

        def work(db: sqlite3.Connection) -> None:
            added = db.execute(
                "insert into requests (name, method, headers, body) values (?, ?, ?, ?)",
                (received.name, received.method, headers, received.body),
            )
            db.execute("delete from requests where id <= ?", ((added.lastrowid or 0) - KEPT,))

        await self._file.run(work)

    async def items(self, *, name: str | None = None) -> list[Received]:
        """Return the received requests, oldest first; with `name`, only those sent to that name."""
        found = await self._file.run(
            lambda db: db.execute(
                "select name, method, headers, body from requests where ? is null or name = ? "
                "order by id",
                (name, name),
            ).fetchall()
        )
        return [
            Received(to, method, msgspec.json.decode(headers), body)
            for to, method, headers, body in found
        ]

    async def empty(self) -> None:
        """Delete all requests."""
        await self._file.run(lambda db: db.execute("delete from requests"))

    def close(self) -> None:
        """Close the file."""
        self._file.close()
