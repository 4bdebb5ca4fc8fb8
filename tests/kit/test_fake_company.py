"""A stand-in for a company calls back as often as it is told, and keeps its script where every
process finds it."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from tests.kit.receiver import receiving

from numdesk.kit.clock import Clock
from numdesk.kit.fake_company import CALLS_MAX, SCRIPT_SCHEMA, Script, deliver_all, over_http
from numdesk.kit.outgoing.http import OutgoingHttp
from numdesk.kit.shared_sqlite import Notebook


class TestScript:
    """What calls meet."""

    async def test_is_taken_in_order_by_whom_it_is_meant_for(self, tmp_path: Path) -> None:
        """Each outcome is met once, in whatever process, by the call it names or by any.

        A new script takes the place of the old one.
        """
        files = [Notebook(tmp_path / "n.sqlite", schema=SCRIPT_SCHEMA) for _ in range(2)]
        one, two = map(Script, files)
        await one.write([("list", "late"), (None, "old")])
        await one.write([("list", "garbage"), (None, "timeout"), ("list", "ok")])
        assert [await two.take("create"), await one.take("list"), await two.take("list")] == [
            "timeout",
            "garbage",
            "ok",
        ]
        assert await one.take("list") is None
        for file in files:
            file.close()


class TestDeliverAll:
    """Calling back."""

    async def test_counts_what_was_answered_over_http(self) -> None:
        """Calls go out as often as told; one that nobody answers is not counted."""
        async with receiving() as receiver:
            http = OutgoingHttp(Clock())
            deliver = over_http(http, base_url=receiver.url(""))
            calls = [
                (url, {"x-test": "1"}, b"{}")
                for url in (receiver.url("/here"), "http://127.0.0.1:1/")
            ]
            assert await deliver_all(deliver, calls, times=2) == 2
            assert len(receiver.requests) == 2
            await http.close()

    async def test_keeps_the_order_and_a_bound(self) -> None:
        """What is told next is told afterwards, and however often it is told, only so many calls
        are under way."""
        told: list[str] = []
        busy: list[int] = []

        async def deliver(url: str, _headers: Mapping[str, str], _body: bytes) -> int:
            busy.append(1)
            assert len(busy) <= CALLS_MAX
            await asyncio.sleep(0)
            busy.pop()
            told.append(url)
            return 200

        times = 3 * CALLS_MAX
        assert (
            await deliver_all(deliver, [("a", {}, b""), ("b", {}, b"")], times=times) == 2 * times
        )
        assert told == ["a"] * times + ["b"] * times
