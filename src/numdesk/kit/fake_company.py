"""Parts of any fake company: it keeps to a script, calls back as often as told, and may never
answer."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from starlette.requests import Request

from numdesk.kit.outgoing.base_url import policy_for
from numdesk.kit.outgoing.http import OutgoingHttp
from numdesk.kit.outgoing.policy import HttpFailure
from numdesk.kit.shared_sqlite import Notebook

#: Calls of a stand-in that are under way at one time.
CALLS_MAX = 64
CALL_S = 15.0
#: An answer that never comes is waited for so long; whoever asked hangs up sooner.
HANG_S = 120.0

#: Belongs to the schema of a notebook that holds a script.
SCRIPT_SCHEMA = (
    "create table if not exists script (id integer primary key, call text, outcome text not null);"
)

#: Sends a body and returns the status of the answer, 0 for none.
Deliver = Callable[[str, Mapping[str, str], bytes], Awaitable[int]]


class Script:
    """The script of the next calls, for all processes that share the file."""

    def __init__(self, file: Notebook) -> None:
        self._file = file

    async def write(self, steps: Sequence[tuple[str | None, str]]) -> None:
        """Put (call or None, outcome) in the place of the rest of the script."""

        def work(db: sqlite3.Connection) -> None:
            db.execute("delete from script")
            db.executemany("insert into script (call, outcome) values (?, ?)", steps)

        await self._file.run(work)

    async def take(self, call: str) -> str | None:
        """Take the first outcome that is meant for this call, or for any."""
        query = (
            "delete from script where id = (select min(id) from script where call = ? or call is "
            "null) returning outcome"
        )
        found = await self._file.run(lambda db: db.execute(query, (call,)).fetchone())
        return found[0] if found else None


def over_http(http: OutgoingHttp, *, base_url: str) -> Deliver:
    """Return what delivers by HTTP; `base_url` says where to without leaving this machine."""
    policy = policy_for(base_url, timeout_s=CALL_S, answer_bytes_max=1024)

    async def post(url: str, headers: Mapping[str, str], body: bytes) -> int:
        try:
            return (await http.post(url, body=body, headers=headers, policy=policy)).status
        except HttpFailure:
            return 0

    return post


async def deliver_all(
    deliver: Deliver, calls: Iterable[tuple[str, Mapping[str, str], bytes]], *, times: int
) -> int:
    """Make calls (URL, headers, body) in the order given, each `times` times at once.

    Return how many were answered.
    """
    lanes = asyncio.Semaphore(CALLS_MAX)

    async def send(url: str, headers: Mapping[str, str], body: bytes) -> bool:
        async with lanes:
            return bool(await deliver(url, headers, body))

    return sum([sum(await asyncio.gather(*(send(*call) for _ in range(times)))) for call in calls])


async def hang(request: Request) -> None:
    """Wait until whoever asked gives up."""
    async with asyncio.timeout(HANG_S):
        while (await request.receive())["type"] != "http.disconnect":
            pass
