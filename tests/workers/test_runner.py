"""The runner: everything due is done, what fails stops nobody, and a stop is clean."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.desk import DIALECT, DeskOfTest
from tests.support.webhooks import RendererOfTest, open_inbox, subscribe

from numdesk.domain.orders.lifecycle import LIFETIME, State
from numdesk.runtime import Runtime
from numdesk.usecases.orders import lifecycle
from numdesk.workers import runner
from numdesk.workers.jobs import Recurring


@pytest.fixture(autouse=True)
def renderer(desk: DeskOfTest) -> RendererOfTest:
    """The renderer of the customers' dialect."""
    renderer = RendererOfTest()
    desk.rt.renderers = {DIALECT: renderer}
    return renderer


class TestRunDue:
    """A moved clock leaves nothing undone."""

    async def test_does_what_the_clock_made_due(self, desk: DeskOfTest) -> None:
        """Orders expire, the customer hears of it, the numbers come back on sale: all before it
        returns."""
        async with open_inbox(desk) as inbox:
            caller = await subscribe(desk, inbox)
            order = await desk.order(caller)
            desk.clock.advance(LIFETIME.total_seconds() + 1)
            await runner.run_due(desk.rt)
            assert (await lifecycle.read(desk.rt, caller, order.id)).state is State.EXPIRED
            assert [post.body[:25] for post in inbox.posts] == [b'{"event": "order.expired"']

    async def test_does_it_although_one_item_fails(
        self, desk: DeskOfTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One that breaks is logged, and the others are done."""
        done: list[str] = []

        async def broken(rt: Runtime) -> int:
            raise ValueError("broken")

        async def works(rt: Runtime) -> int:
            done.append("works")
            return 1 if len(done) == 1 else 0

        timetable = (
            Recurring("broken", 1.0, broken, by_clock=True),
            Recurring("works", 1.0, works, by_clock=True),
        )
        monkeypatch.setattr(runner, "TIMETABLE", timetable)
        await runner.run_due(desk.rt)
        assert done == ["works", "works"]


class TestRun:
    """The long-running side."""

    async def test_keeps_doing_the_timetable(
        self, desk: DeskOfTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each item comes round again, also one that failed, and also beside one that always
        fails."""
        counts = {"well": 0, "ill": 0, "dead": 0}
        enough = asyncio.Event()

        async def well(rt: Runtime) -> None:
            counts["well"] += 1
            if counts["well"] > 3 and counts["ill"] > 3 and counts["dead"] > 2:
                enough.set()

        async def ill(rt: Runtime) -> None:
            counts["ill"] += 1
            if counts["ill"] == 1:
                raise ValueError("once")

        async def dead(rt: Runtime) -> None:
            counts["dead"] += 1
            raise ValueError("always")

        items = tuple(Recurring(do.__name__, 0.001, do) for do in (well, ill, dead))
        monkeypatch.setattr(runner, "TIMETABLE", items)
        stop = asyncio.Event()
        running = asyncio.create_task(runner.run(desk.rt, stop=stop))
        async with asyncio.timeout(60):
            await enough.wait()
            stop.set()
            await running

    async def test_delivers_and_stops_with_nothing_lost(self, desk: DeskOfTest) -> None:
        """What happens while it runs is delivered at once.

        After the stop nothing of it is half done.
        """
        stop = asyncio.Event()
        async with open_inbox(desk) as inbox:
            caller = await subscribe(desk, inbox)
            running = asyncio.create_task(runner.run(desk.rt, stop=stop))
            order = await desk.order(caller)
            await desk.message(order.msisdn)
            async with asyncio.timeout(60):
                await inbox.have_answered(1)
            stop.set()
            async with asyncio.timeout(60):
                await running
        assert (
            await desk.pool.fetchval("select count(*) from webhook_deliveries where state <> 1")
            == 0
        )

    async def test_tend_stops_too(self, desk: DeskOfTest) -> None:
        """A process that only answers looks after itself until it is told to stop."""
        desk.rt.alone = False
        stop = asyncio.Event()
        tending = asyncio.create_task(runner.run_upkeep(desk.rt, stop=stop))
        await asyncio.sleep(0)
        stop.set()
        async with asyncio.timeout(60):
            await tending
