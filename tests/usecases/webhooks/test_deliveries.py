"""Sending webhooks: nothing is lost, nobody waits for somebody else's endpoint, a lost lease
changes nothing."""

from __future__ import annotations

import asyncio
import errno
import hmac
import random
from collections import defaultdict
from dataclasses import replace
from types import SimpleNamespace

import pytest
from tests.kit.answers import ODD
from tests.kit.names import HangingResolver
from tests.support.desk import DIALECT, DeskOfTest
from tests.support.webhooks import (
    BROKEN,
    UNSPOKEN,
    RendererOfTest,
    open_inbox,
    subscribe,
    write_events,
)

from numdesk.domain.customers.callers import Caller
from numdesk.domain.webhooks import FAILING_FOR, WINDOW_START, DeliveryState
from numdesk.kit.outgoing.http import OutgoingHttp
from numdesk.kit.outgoing.policy import HttpFailure
from numdesk.runtime import Memory, Runtime
from numdesk.storage.webhooks import deliveries as rows
from numdesk.storage.webhooks.deliveries import Outcome, Room
from numdesk.usecases.webhooks import deliveries, endpoints

LATE_S = 60.0
#: No test waits so long.
NEVER_S = 1e6


@pytest.fixture
def renderer(desk: DeskOfTest) -> RendererOfTest:
    """The renderer of the customers' dialect."""
    renderer = RendererOfTest()
    desk.rt.renderers = {DIALECT: renderer}
    return renderer


async def states(desk: DeskOfTest) -> list[int]:
    """Returns the state of every delivery, oldest first."""
    return [
        row[0] for row in await desk.pool.fetch("select state from webhook_deliveries order by id")
    ]


async def fail_once(
    desk: DeskOfTest, caller: Caller, count: int = 1, *, rt: Runtime | None = None
) -> None:
    """Has new events sent once by one process; what becomes of them comes too late for the test."""
    await write_events(desk, caller, count)
    await deliveries.deliver_due(rt or desk.rt)


def fail_by(broken: pytest.MonkeyPatch, kind: str) -> None:
    """Makes every new connection fail as this machine, its network or its name servers do."""

    def refuse(*_: object) -> None:
        raise {
            "resolve": HttpFailure("resolve", "The host's name was not found.", ours=True),
            "no route": OSError(errno.ENETUNREACH, "Network is unreachable"),
            "no descriptors": OSError(errno.EMFILE, "Too many open files"),
            "no threads": RuntimeError("can't start new thread"),
        }[kind]

    broken.setattr("numdesk.kit.outgoing.lane.socket", SimpleNamespace(socket=refuse))


def other_process(rt: Runtime) -> Runtime:
    """Returns a runtime that shares nothing with this one but the database and the addresses let
    through."""
    other = replace(rt, memory=Memory(), batchers={}, states={})
    deliveries.allow(other, addresses=deliveries.sender_of(rt).excused)
    return other


class TestDeliverDue:
    """What is due is sent, signed, and written down."""

    async def test_posts_each_event_once_and_signed(
        self, desk: DeskOfTest, renderer: RendererOfTest
    ) -> None:
        """A receiver that answers 200 gets every event exactly once, with a signature that its
        secret verifies."""
        async with open_inbox(desk) as inbox:
            caller = await subscribe(desk, inbox)
            await write_events(desk, caller, 300)
            assert await deliveries.deliver_due(desk.rt) == 300
            assert sorted(post.data["n"] for post in inbox.posts) == list(range(1, 301))
            assert len({post.headers["x-delivery"] for post in inbox.posts}) == 300
            assert all(
                post.headers["x-signature"] == hmac.digest(b"s3cret", post.body, "sha256").hex()
                for post in inbox.posts
            )
        assert set(await states(desk)) == {DeliveryState.DELIVERED}
        assert (
            await desk.pool.fetchval(
                "select count(*) from webhook_deliveries where status = 200 and attempts = 1"
            )
            == 300
        )

    async def test_loses_nothing_to_a_receiver_that_fails(
        self, desk: DeskOfTest, renderer: RendererOfTest
    ) -> None:
        """With three answers in ten an error, a reset, a cut or silence, every event arrives in the
        end, the same bytes on each try."""
        renderer.timeout_s, renderer.failures_max, renderer.retry_delays_s = 0.2, 1000, (10.0,) * 12
        luck = random.Random(7)
        bad = ("reset", "close", "hang", 500, 429, 410)

        def script(_: int) -> int | str:
            return luck.choice(bad) if luck.random() < 0.3 else 200

        async with open_inbox(desk, script) as inbox:
            caller = await subscribe(desk, inbox)
            await write_events(desk, caller, 120)
            for _ in range(13):
                await deliveries.deliver_due(desk.rt)
                desk.clock.advance(LATE_S)
            bodies: dict[str, set[bytes]] = defaultdict(set)
            for post in inbox.posts:
                bodies[post.headers["x-delivery"]].add(post.body)
        assert set(await states(desk)) == {DeliveryState.DELIVERED}
        assert len(bodies) == 120
        assert all(len(seen) == 1 for seen in bodies.values())
        assert len(inbox.posts) > 120

    @pytest.mark.parametrize(
        "odd", ["short body", "unfinished chunk", "204 with a body", "garbage after", "two lengths"]
    )
    async def test_the_status_line_decides(
        self, desk: DeskOfTest, renderer: RendererOfTest, odd: str
    ) -> None:
        """Each event is sent once although the rest of every answer is broken, and nothing counts
        against the endpoint."""
        async with open_inbox(desk, lambda _: ODD[odd]) as inbox:
            caller = await subscribe(desk, inbox)
            await write_events(desk, caller, 20)
            await deliveries.deliver_due(desk.rt)
            assert len(inbox.posts) == 20
        assert set(await states(desk)) == {DeliveryState.DELIVERED}
        assert (await endpoints.endpoint(desk.rt, caller)).consecutive_failures == 0

    async def test_waits_for_the_schedule(self, desk: DeskOfTest, renderer: RendererOfTest) -> None:
        """A failed delivery is tried again when its delay is over, a fifth sooner at most, and
        given up after the last."""
        async with open_inbox(desk, lambda _: 503) as inbox:
            await write_events(desk, await subscribe(desk, inbox))
            for tries in range(1, 6):
                await deliveries.deliver_due(desk.rt)
                assert len(inbox.posts) == tries
                desk.clock.advance(7.9)
                assert await deliveries.deliver_due(desk.rt) == 0
                desk.clock.advance(4.2)
            assert await deliveries.deliver_due(desk.rt) == 0
        assert await states(desk) == [DeliveryState.GIVEN_UP]

    async def test_waits_as_long_as_the_receiver_asks(
        self, desk: DeskOfTest, renderer: RendererOfTest
    ) -> None:
        """A Retry-After that is later than the schedule counts."""
        async with open_inbox(desk, lambda _: "429 Slow\r\nRetry-After: 100\r\nX-Reason:") as inbox:
            await write_events(desk, await subscribe(desk, inbox))
            await deliveries.deliver_due(desk.rt)
            desk.clock.advance(99)
            assert await deliveries.deliver_due(desk.rt) == 0
            desk.clock.advance(1.1)
            assert await deliveries.deliver_due(desk.rt) == 1

    async def test_skips_what_the_dialect_has_no_word_for(
        self, desk: DeskOfTest, renderer: RendererOfTest
    ) -> None:
        """Such an event counts as delivered: nothing is posted and the log stays empty."""
        async with open_inbox(desk) as inbox:
            await write_events(desk, await subscribe(desk, inbox), kind=UNSPOKEN)
            await deliveries.deliver_due(desk.rt)
            assert inbox.posts == []
        assert await states(desk) == [DeliveryState.DELIVERED]
        assert await desk.pool.fetchval("select count(*) from webhook_attempts") == 0

    async def test_does_not_blame_the_endpoint_for_our_faults(
        self, desk: DeskOfTest, renderer: RendererOfTest
    ) -> None:
        """What cannot be rendered is given up and logged, its neighbours go out, and the endpoint's
        count stays at zero."""
        async with open_inbox(desk) as inbox:
            caller = await subscribe(desk, inbox)
            await write_events(desk, caller, kind=BROKEN)
            await write_events(desk, caller, 2)
            await deliveries.deliver_due(desk.rt)
            assert len(inbox.posts) == 2
        assert await states(desk) == [
            DeliveryState.GIVEN_UP,
            DeliveryState.DELIVERED,
            DeliveryState.DELIVERED,
        ]
        assert (await endpoints.endpoint(desk.rt, caller)).consecutive_failures == 0

    async def test_does_not_blame_the_endpoint_for_what_is_ours(
        self, desk: DeskOfTest, renderer: RendererOfTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Names that are not found, no route and no descriptors leave it on for ever.

        All is sent once they are over.
        """
        renderer.retry_delays_s = (60.0,) * 9
        async with open_inbox(desk) as inbox:
            caller = await subscribe(desk, inbox)
            await write_events(desk, caller, 12)
            for kind in ("resolve", "no route", "no descriptors", "no threads"):
                with monkeypatch.context() as broken:
                    fail_by(broken, kind)
                    await deliveries.deliver_due(desk.rt)
                desk.clock.advance(FAILING_FOR.total_seconds())
            found = await endpoints.endpoint(desk.rt, caller)
            assert (found.consecutive_failures, found.disabled_at, inbox.posts) == (0, None, [])
            await deliveries.deliver_due(desk.rt)
            assert len(inbox.posts) == 12
        assert set(await states(desk)) == {DeliveryState.DELIVERED}
        failures = await desk.pool.fetch(
            "select failure, count(*) from webhook_attempts group by failure order by failure"
        )
        assert [tuple(row) for row in failures] == [("connect", 36), ("resolve", 12)]

    async def test_never_connects_to_a_forbidden_address(
        self, desk: DeskOfTest, renderer: RendererOfTest
    ) -> None:
        """The guard judges at each send, whatever was let through when the URL was configured."""
        async with open_inbox(desk) as inbox:
            caller = await subscribe(desk, inbox)
            await write_events(desk, caller)
            deliveries.allow(desk.rt, addresses=[])
            for url in (
                f"https://127.0.0.1:{inbox.receiver.port}/",
                "https://localhost/",
                "https://169.254.169.254/",
            ):
                await desk.pool.execute("update webhook_endpoints set url = $1", url)
                await deliveries.deliver_due(desk.rt)
                desk.clock.advance(LATE_S)
            assert inbox.receiver.connections == 0
        failures = await desk.pool.fetch("select failure from webhook_attempts order by id")
        assert [row[0] for row in failures] == ["bad_url", "forbidden_address", "forbidden_address"]


class TestSwitchingOff:
    """An endpoint that only fails is left alone until its owner configures it."""

    async def test_happens_at_the_last_failure_in_a_row(
        self, desk: DeskOfTest, renderer: RendererOfTest
    ) -> None:
        """Nine failures leave it on, the tenth switches it off, with the dialect's reason, when
        they began a quarter of an hour before."""
        renderer.retry_delays_s = (NEVER_S,)
        async with open_inbox(desk, lambda _: 500) as inbox:
            caller = await subscribe(desk, inbox)
            await fail_once(desk, caller, 9)
            before = await endpoints.endpoint(desk.rt, caller)
            assert (before.consecutive_failures, before.disabled_at, before.failing_since) == (
                9,
                None,
                desk.clock.now(),
            )
            desk.clock.advance(FAILING_FOR.total_seconds())
            await fail_once(desk, caller)
            after = await endpoints.endpoint(desk.rt, caller)
            assert (after.consecutive_failures, after.disabled_at) == (10, desk.clock.now())
            assert after.disabled_reason == "too_many_failures"

    async def test_needs_failures_spread_over_a_quarter_of_an_hour(
        self, desk: DeskOfTest, renderer: RendererOfTest
    ) -> None:
        """However many fail at a time, an endpoint that was down for less stays on, whichever
        process sends."""
        renderer.retry_delays_s = (NEVER_S,)
        async with open_inbox(desk, lambda _: 500) as inbox:
            caller = await subscribe(desk, inbox)
            other = other_process(desk.rt)
            for rt in (desk.rt, other):
                await fail_once(desk, caller, 40, rt=rt)
                desk.clock.advance(FAILING_FOR.total_seconds() - 0.1)
            found = await endpoints.endpoint(desk.rt, caller)
            assert (found.consecutive_failures, found.disabled_at) == (80, None)
            await fail_once(desk, caller, rt=other)
            assert (await endpoints.endpoint(desk.rt, caller)).disabled_at == desk.clock.now()

    async def test_a_success_starts_the_time_anew(
        self, desk: DeskOfTest, renderer: RendererOfTest
    ) -> None:
        """The quarter of an hour begins with the first failure after the last success."""
        renderer.retry_delays_s = (NEVER_S,)
        async with open_inbox(desk, lambda n: 200 if n == 12 else 500) as inbox:
            caller = await subscribe(desk, inbox)
            await fail_once(desk, caller, 11)
            desk.clock.advance(FAILING_FOR.total_seconds())
            await fail_once(desk, caller)
            assert (await endpoints.endpoint(desk.rt, caller)).failing_since is None
            await fail_once(desk, caller, 12)
            assert (await endpoints.endpoint(desk.rt, caller)).disabled_at is None

    async def test_gives_up_what_waits_and_sends_nothing_more(
        self, desk: DeskOfTest, renderer: RendererOfTest
    ) -> None:
        """Once off, neither retries nor new events are posted, and nothing stays in the queue for
        ever."""
        renderer.failures_max = 1
        async with open_inbox(desk, lambda _: 500) as inbox:
            caller = await subscribe(desk, inbox)
            await write_events(desk, caller, 10)
            await deliveries.deliver_due(desk.rt)
            desk.clock.advance(FAILING_FOR.total_seconds())
            await deliveries.deliver_due(desk.rt)
            sent = len(inbox.posts)
            await write_events(desk, caller)
            desk.clock.advance(LATE_S)
            await deliveries.deliver_due(desk.rt)
            assert len(inbox.posts) == sent
        assert set(await states(desk)) == {DeliveryState.GIVEN_UP}

    async def test_a_success_starts_the_count_anew(
        self, desk: DeskOfTest, renderer: RendererOfTest
    ) -> None:
        """Failures count only in a row."""
        async with open_inbox(desk, lambda n: 200 if n == 6 else 500) as inbox:
            caller = await subscribe(desk, inbox)
            for _ in range(8):
                await write_events(desk, caller)
                await deliveries.deliver_due(desk.rt)
            assert (await endpoints.endpoint(desk.rt, caller)).consecutive_failures == 2

    async def test_configuring_it_switches_it_on(
        self, desk: DeskOfTest, renderer: RendererOfTest
    ) -> None:
        """Any change forgets the failures, and what was given up can then be sent again: same body,
        same id."""
        renderer.failures_max, renderer.retry_delays_s = (
            4,
            (FAILING_FOR.total_seconds() * 2, 1000.0),
        )
        async with open_inbox(desk, lambda n: 500 if n <= 4 else 200) as inbox:
            caller = await subscribe(desk, inbox)
            await write_events(desk, caller, 3)
            await deliveries.deliver_due(desk.rt)
            desk.clock.advance(FAILING_FOR.total_seconds())
            await fail_once(desk, caller)
            await deliveries.deliver_due(desk.rt)
            changed = await endpoints.change_endpoint(desk.rt, caller, url=None, secret="another")
            assert (changed.disabled_at, changed.consecutive_failures) == (None, 0)
            since = desk.clock.now()
            assert (
                await endpoints.replay_failed(
                    desk.rt, customer_id=caller.customer_id, dialect=DIALECT, since=since
                )
                == 4
            )
            await deliveries.deliver_due(desk.rt)
            first, second = inbox.posts[:4], inbox.posts[4:]
        assert {(p.headers["x-delivery"], p.body) for p in first} == {
            (p.headers["x-delivery"], p.body) for p in second
        }
        assert set(await states(desk)) == {DeliveryState.DELIVERED}


class TestFairness:
    """One customer's endpoint is no other customer's trouble."""

    async def test_a_silent_endpoint_delays_nobody(
        self, desk: DeskOfTest, renderer: RendererOfTest
    ) -> None:
        """Beside one that hangs with hundreds waiting, ten healthy ones get everything while the
        first has not even failed once."""
        stop = asyncio.Event()
        renderer.timeout_s = 60.0
        async with open_inbox(desk, lambda _: "hang") as dead, open_inbox(desk) as alive:
            await write_events(desk, await subscribe(desk, dead), 300)
            for _ in range(10):
                await write_events(desk, await subscribe(desk, alive), 20)
            loop = asyncio.create_task(deliveries.keep_delivering(desk.rt, stop=stop))
            async with asyncio.timeout(renderer.timeout_s):
                await alive.have_answered(200)
            assert dead.hanging == WINDOW_START
            stop.set()
        await loop

    async def test_a_dead_name_server_delays_nobody(
        self, desk: DeskOfTest, renderer: RendererOfTest
    ) -> None:
        """Beside an endpoint whose name is never found, and hundreds of changes to more such names,
        others get everything."""
        stop = asyncio.Event()
        renderer.timeout_s = 60.0
        async with open_inbox(desk) as alive:
            deliveries.allow(
                desk.rt,
                addresses=[("well.test", alive.receiver.port), ("127.0.0.1", alive.receiver.port)],
            )
            desk.rt.http = OutgoingHttp(
                desk.clock, resolver=HangingResolver(well_test=[["127.0.0.1"]])
            )
            hostile, other = await subscribe(desk, alive), await desk.customer()
            await desk.pool.execute(
                "update webhook_endpoints set url = 'https://dead.hanging.test/'"
            )
            await endpoints.change_endpoint(
                desk.rt, other, url=alive.receiver.url(host="well.test"), secret="s3cret"
            )
            changes = [
                endpoints.check_url(
                    desk.rt,
                    f"https://h{n}.hanging.test/",
                    dialect=DIALECT,
                    account=hostile.customer_id,
                )
                for n in range(440)
            ]
            hanging = asyncio.gather(*changes)
            await write_events(desk, hostile, 300)
            await write_events(desk, other, 12)
            loop = asyncio.create_task(deliveries.keep_delivering(desk.rt, stop=stop))
            async with asyncio.timeout(renderer.timeout_s):
                await alive.have_answered(12)
            stop.set()
            await hanging
            await loop
            await desk.rt.http.close()

    async def test_a_dead_endpoint_keeps_one_place(
        self, desk: DeskOfTest, renderer: RendererOfTest
    ) -> None:
        """What was leased for an endpoint that turns bad is given back, and one send at a time
        finds out whether it is well again."""
        renderer.failures_max = 1000
        async with open_inbox(desk, lambda n: 200 if n <= 50 else 500) as inbox:
            await write_events(desk, await subscribe(desk, inbox), 200)
            await deliveries.deliver_due(desk.rt)
            assert len(inbox.posts) == 200
        leased = await desk.pool.fetchval(
            "select count(*) from webhook_deliveries where lease_until is not null"
        )
        assert leased == 0


class TestLease:
    """A delivery belongs to whoever holds its lease, and to nobody for longer."""

    async def test_is_not_shared(self, desk: DeskOfTest, renderer: RendererOfTest) -> None:
        """Two processes at work send each event once."""
        async with open_inbox(desk) as inbox:
            caller = await subscribe(desk, inbox)
            await write_events(desk, caller, 200)
            both = [deliveries.deliver_due(rt) for rt in (desk.rt, other_process(desk.rt))]
            assert sum(await asyncio.gather(*both)) == 200
            assert len(inbox.posts) == 200

    async def test_runs_out_when_its_holder_dies(
        self, desk: DeskOfTest, renderer: RendererOfTest
    ) -> None:
        """What a killed process had taken is sent by another, and the killed one's word comes too
        late to count."""
        async with open_inbox(desk) as inbox:
            await write_events(desk, await subscribe(desk, inbox))
            now = desk.clock.now()
            room = Room(after=0, total=10, other=10, free={})
            taken = await desk.rt.repeat(
                "t", lambda tx: rows.take(tx, now=now, wall=now, lease_s=15, room=room)
            )
            again = await desk.rt.repeat(
                "t", lambda tx: rows.take(tx, now=now, wall=now, lease_s=15, room=room)
            )
            assert (len(taken), again) == (1, [])
            desk.clock.advance(15)
            assert await deliveries.deliver_due(desk.rt) == 1
            (leased,) = taken[0].deliveries
            late = Outcome(
                leased.delivery_id,
                leased.lease_no,
                DeliveryState.GIVEN_UP,
                now,
                failure="timeout",
                failures_max=1,
            )
            await desk.rt.repeat("t", lambda tx: rows.record(tx, now=now, outcomes=[late]))
        assert await states(desk) == [DeliveryState.DELIVERED]
        assert await desk.pool.fetchval("select count(*) from webhook_attempts") == 0
        assert await desk.pool.fetchval("select disabled_at from webhook_endpoints") is None

    async def test_lost_while_paused_sends_nothing(
        self, desk: DeskOfTest, renderer: RendererOfTest
    ) -> None:
        """A process that sleeps past its lease between taking and sending leaves the delivery to
        others."""
        async with open_inbox(desk) as inbox:
            await write_events(desk, await subscribe(desk, inbox), 3)
            sender = deliveries.sender_of(desk.rt)
            assert await sender.pump() == 3
            desk.clock.advance(LATE_S)
            assert await sender.wait(timeout_s=60)
            assert inbox.posts == []
            assert await deliveries.deliver_due(other_process(desk.rt)) == 3

    async def test_told_twice_counts_once(self, desk: DeskOfTest, renderer: RendererOfTest) -> None:
        """Recording an outcome again, as after a lost connection, neither logs nor counts it
        twice."""
        async with open_inbox(desk) as inbox:
            caller = await subscribe(desk, inbox)
            await write_events(desk, caller)
            now = desk.clock.now()
            room = Room(after=0, total=10, other=10, free={})
            (taken,) = await desk.rt.repeat(
                "t", lambda tx: rows.take(tx, now=now, wall=now, lease_s=15, room=room)
            )
            (leased,) = taken.deliveries
            outcome = Outcome(
                leased.delivery_id,
                leased.lease_no,
                DeliveryState.DUE,
                now,
                due_at=now,
                status=500,
                failures_max=10,
                reason="x",
            )
            for _ in range(2):
                await desk.rt.repeat("t", lambda tx: rows.record(tx, now=now, outcomes=[outcome]))
            assert (await endpoints.endpoint(desk.rt, caller)).consecutive_failures == 1
        assert await desk.pool.fetchval("select count(*) from webhook_attempts") == 1


class TestWake:
    """An event written in this process is not left to the poll."""

    async def test_delivers_at_once(
        self, desk: DeskOfTest, renderer: RendererOfTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With a poll that would take for ever, a woken sender delivers all the same, and stops
        when told."""
        monkeypatch.setattr(deliveries, "POLL_S", 3600)
        stop = asyncio.Event()
        async with open_inbox(desk) as inbox:
            caller = await subscribe(desk, inbox)
            loop = asyncio.create_task(deliveries.keep_delivering(desk.rt, stop=stop))
            await asyncio.sleep(0)
            await write_events(desk, caller)
            deliveries.wake(desk.rt)
            async with asyncio.timeout(60):
                await inbox.have_answered(1)
            stop.set()
            deliveries.wake(desk.rt)
            await loop
        assert await states(desk) == [DeliveryState.DELIVERED]
