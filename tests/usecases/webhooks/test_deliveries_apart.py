"""A delivery that cannot be taken, or of which no outcome can be recorded, stops no other and is
not sent again and again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs
from tests.support.breakage import break_row, break_rows, fix_writes
from tests.support.desk import DIALECT, DeskOfTest
from tests.support.webhooks import RendererOfTest, open_inbox, subscribe, write_events

from numdesk.usecases.jobs import sweeps
from numdesk.usecases.webhooks import deliveries, endpoints

LATE_S = 60.0


@pytest.fixture(autouse=True)
def quick(desk: DeskOfTest) -> Iterator[None]:
    """Lets the desk speak the customers' dialect, and prints no stack traces: that would take most
    of the time."""
    desk.rt.renderers = {DIALECT: RendererOfTest()}
    with capture_logs():
        yield


async def aside(desk: DeskOfTest) -> list[tuple[str, str, int]]:
    """Returns what is set aside, and how often it failed."""
    return [(one.sweep, one.item, one.failures) for one in await sweeps.every(desk.rt)]


async def third(desk: DeskOfTest) -> int:
    """Returns the third delivery."""
    return await desk.pool.fetchval(
        "select id from webhook_deliveries order by id offset 2 limit 1"
    )


async def test_deliveries_are_taken_beside_one_that_cannot(desk: DeskOfTest) -> None:
    """The others are sent at once, of every endpoint, and the bad one when it can be taken."""
    async with open_inbox(desk) as inbox:
        for _ in range(2):
            await write_events(desk, await subscribe(desk, inbox), 5)
        bad = await third(desk)
        await break_row(desk.pool, "webhook_deliveries", bad)
        assert await deliveries.deliver_due(desk.rt) == 9
        assert await aside(desk) == [("webhooks", str(bad), 1)]
        assert await deliveries.deliver_due(desk.rt) == 0
        desk.clock.advance(61)
        assert await deliveries.deliver_due(desk.rt) == 0
        assert await aside(desk) == [("webhooks", str(bad), 2)]
        await fix_writes(desk.pool, "webhook_deliveries")
        desk.clock.advance(121)
        assert await deliveries.deliver_due(desk.rt) == 1
        assert (len(inbox.posts), await aside(desk)) == (10, [])


async def test_deliveries_are_given_up_beside_one_that_cannot(desk: DeskOfTest) -> None:
    """What waits for an endpoint without a URL is given up but for the bad one, and other endpoints
    get theirs."""
    async with open_inbox(desk) as inbox:
        left, stays = await subscribe(desk, inbox), await subscribe(desk, inbox)
        await write_events(desk, left, 3)
        await break_row(desk.pool, "webhook_deliveries", await third(desk))
        await endpoints.change_endpoint(desk.rt, left, url="", secret=None)
        await write_events(desk, stays, 3)
        assert await deliveries.deliver_due(desk.rt) == 3
        assert len(await aside(desk)) == 1
    assert await desk.pool.fetchval("select count(*) from webhook_deliveries where state = 2") == 2


async def test_an_event_whose_outcome_cannot_be_recorded_is_not_sent_again_and_again(
    desk: DeskOfTest,
) -> None:
    """The outcomes beside it are recorded, and its event is sent again less and less often, until
    its outcome can be recorded."""
    async with open_inbox(desk) as inbox:
        await write_events(desk, await subscribe(desk, inbox), 5)
        bad = await third(desk)
        await break_rows(
            desk.pool, "webhook_deliveries", f"new.id = {bad} and new.state = 1", on="update"
        )
        assert await deliveries.deliver_due(desk.rt) == 5
        assert (
            await desk.pool.fetchval("select count(*) from webhook_deliveries where state = 1") == 4
        )
        assert await aside(desk) == [("webhooks", str(bad), 1)]
        for _ in range(12):
            desk.clock.advance(LATE_S)
            await deliveries.deliver_due(desk.rt)
        ((_, _, failures),) = await aside(desk)
        assert len(inbox.posts) == 4 + failures <= 4 + 5
        await fix_writes(desk.pool, "webhook_deliveries")
        desk.clock.advance(86_400)
        await deliveries.deliver_due(desk.rt)
        assert await aside(desk) == []
    assert await desk.pool.fetchval("select count(*) from webhook_deliveries where state = 1") == 5


async def test_another_process_leaves_out_what_was_set_aside(desk: DeskOfTest) -> None:
    """A process that starts knows it, and one that has ended otherwise is forgotten."""
    async with open_inbox(desk) as inbox:
        await write_events(desk, await subscribe(desk, inbox), 5)
        bad = await third(desk)
        await break_row(desk.pool, "webhook_deliveries", bad)
        await deliveries.deliver_due(desk.rt)
        excused = deliveries.sender_of(desk.rt).excused
        desk.rt.states.clear()
        deliveries.allow(desk.rt, addresses=excused)
        assert await deliveries.deliver_due(desk.rt) == 0
        assert await aside(desk) == [("webhooks", str(bad), 1)]
        await fix_writes(desk.pool, "webhook_deliveries")
        await desk.pool.execute("update webhook_deliveries set state = 2 where id = $1", bad)
        desk.clock.advance(61)
        await deliveries.deliver_due(desk.rt)
        assert await aside(desk) == []
