"""Webhook endpoints as their owners see them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.kit.names import FakeResolver, HangingResolver
from tests.support.desk import DIALECT, DeskOfTest
from tests.support.webhooks import RendererOfTest, open_inbox, subscribe, write_events

from numdesk.domain.errors import InvalidInput, NotFound, StateForbids
from numdesk.domain.webhooks import DeliveryState, Endpoint
from numdesk.kit.outgoing.http import OutgoingHttp
from numdesk.kit.outgoing.lookups import DOMAIN_LOOKUPS_MAX
from numdesk.usecases.webhooks import deliveries, endpoints


@pytest.fixture(autouse=True)
async def renderer(desk: DeskOfTest) -> AsyncIterator[RendererOfTest]:
    """The renderer of the customers' dialect; names are looked up nowhere but here."""
    renderer = RendererOfTest()
    desk.rt.renderers = {DIALECT: renderer}
    desk.rt.http = OutgoingHttp(
        desk.clock,
        resolver=FakeResolver(
            inside_example=[["10.0.0.1"]], mixed_example=[["1.1.1.1", "10.0.0.1"]]
        ),
    )
    yield renderer
    await desk.rt.http.close()


#: Public addresses, so that nothing is looked up.
URL, OTHER_URL = "https://1.1.1.1/hook", "https://8.8.8.8/hook"


class TestChangeEndpoint:
    """Configuring where webhooks go."""

    async def test_begins_with_nothing(self, desk: DeskOfTest) -> None:
        """A customer who never configured anything has no URL, no secret and no failures."""
        assert await endpoints.endpoint(desk.rt, await desk.customer()) == Endpoint()

    async def test_gives_the_first_url_a_secret(self, desk: DeskOfTest) -> None:
        """The first URL without a secret gets one of 64 hexadecimal digits.

        The next URL keeps it.
        """
        caller = await desk.customer()
        first = await endpoints.change_endpoint(desk.rt, caller, url=URL, secret=None)
        assert first.url == URL
        assert first.secret is not None
        assert len(bytes.fromhex(first.secret)) == 32
        second = await endpoints.change_endpoint(desk.rt, caller, url=OTHER_URL, secret=None)
        assert (second.url, second.secret) == (OTHER_URL, first.secret)

    async def test_keeps_a_secret_that_came_first(self, desk: DeskOfTest) -> None:
        """A secret given before or with the URL is the one that is used."""
        caller = await desk.customer()
        assert (
            await endpoints.change_endpoint(desk.rt, caller, url=None, secret="mine")
        ).url is None
        assert (
            await endpoints.change_endpoint(desk.rt, caller, url=URL, secret=None)
        ).secret == "mine"

    async def test_clears_each_on_its_own(self, desk: DeskOfTest) -> None:
        """An empty text clears the one and leaves the other alone."""
        caller = await desk.customer()
        await endpoints.change_endpoint(desk.rt, caller, url=URL, secret="mine")
        assert (await endpoints.change_endpoint(desk.rt, caller, url="", secret=None)) == Endpoint(
            secret="mine"
        )
        await endpoints.change_endpoint(desk.rt, caller, url=URL, secret="")
        assert await endpoints.endpoint(desk.rt, caller) == Endpoint(url=URL)

    async def test_accepts_a_name_that_is_not_known_yet(self, desk: DeskOfTest) -> None:
        """Each send judges the address again, so a name without one does no harm."""
        caller = await desk.customer()
        assert (
            await endpoints.change_endpoint(
                desk.rt, caller, url="https://nobody.example/", secret=None
            )
        ).url

    @pytest.mark.parametrize(
        "url",
        [
            "http://1.1.1.1/hook",
            "ftp://1.1.1.1/",
            "https://",
            "no url",
            "https://user:pass@1.1.1.1/",
            "https://1.1.1.1:22/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://10.1.2.3/",
            "https://192.168.0.1/",
            "https://169.254.169.254/latest/meta-data",
            "https://inside.example/",
            "https://mixed.example/",
            "https://2130706433/",
            "https://[::ffff:127.0.0.1]/",
            "https://1.1.1.1/" + "x" * 2048,
        ],
    )
    async def test_refuses_what_webhooks_may_not_reach(self, desk: DeskOfTest, url: str) -> None:
        """Anything but https to a public address on a usual port is refused, and nothing is
        written."""
        caller = await desk.customer()
        with pytest.raises(InvalidInput) as refused:
            await endpoints.change_endpoint(desk.rt, caller, url=url, secret=None)
        assert refused.value.field == "url"
        assert await endpoints.endpoint(desk.rt, caller) == Endpoint()

    @pytest.mark.parametrize(
        ("url", "reason"),
        [
            ("https://user:pa55word@1.1.1.1/", "user name or a password"),
            ("https://1.1.1.1/#x", "fragment"),
            ("http://1.1.1.1/", "https://"),
            ("https://inside.example/", "not on the public internet"),
            ("https://exämple.com/", "ASCII"),
            ("https://1.1.1.1:22/", "port 22 is not allowed"),
        ],
    )
    async def test_says_what_is_wrong(self, desk: DeskOfTest, url: str, reason: str) -> None:
        """The refusal names its reason, and never the URL itself."""
        with pytest.raises(InvalidInput) as refused:
            await endpoints.change_endpoint(desk.rt, await desk.customer(), url=url, secret=None)
        assert reason in refused.value.reason
        assert "pa55word" not in refused.value.reason

    async def test_has_a_share_of_look_ups(
        self, desk: DeskOfTest, renderer: RendererOfTest
    ) -> None:
        """Of hundreds of changes to names that hang, some wait.

        The others are taken as unknown names are, and nobody else waits.
        """
        renderer.timeout_s = 0.2
        resolver = HangingResolver(well_example=[["1.1.1.1"]])
        desk.rt.http = OutgoingHttp(desk.clock, resolver=resolver)
        hostile, other = await desk.customer(), await desk.customer()
        changes = [
            endpoints.change_endpoint(
                desk.rt, hostile, url=f"https://h{n}.hanging.test/", secret=None
            )
            for n in range(200)
        ]
        hanging = asyncio.gather(*changes)
        found = await endpoints.change_endpoint(
            desk.rt, other, url="https://well.example/", secret=None
        )
        assert found.url == "https://well.example/"
        await hanging
        assert len(resolver.asked) < DOMAIN_LOOKUPS_MAX / 2

    @pytest.mark.parametrize("secret", ["x" * 257, "\ud800"])
    async def test_refuses_a_secret_that_cannot_be_used(
        self, desk: DeskOfTest, secret: str
    ) -> None:
        """A secret is at most 256 characters of well-formed text."""
        with pytest.raises(InvalidInput) as refused:
            await endpoints.change_endpoint(desk.rt, await desk.customer(), url=None, secret=secret)
        assert refused.value.field == "secret"

    async def test_refuses_to_change_nothing(self, desk: DeskOfTest) -> None:
        """At least one of the two must be given."""
        with pytest.raises(InvalidInput):
            await endpoints.change_endpoint(desk.rt, await desk.customer(), url=None, secret=None)

    async def test_seals_the_secret(self, desk: DeskOfTest) -> None:
        """The table holds nothing of the secret, and what it holds opens for this customer only."""
        canary = "canary-canary-canary"
        caller, stranger = await desk.customer(), await desk.customer()
        await endpoints.change_endpoint(desk.rt, caller, url=URL, secret=canary)
        await endpoints.change_endpoint(desk.rt, stranger, url=URL, secret="other")
        sealed = await desk.pool.fetchval(
            "select secret from webhook_endpoints where customer_id = $1", caller.customer_id
        )
        assert canary.encode() not in sealed
        await desk.pool.execute(
            "update webhook_endpoints set secret = $1 where customer_id = $2",
            sealed,
            stranger.customer_id,
        )
        with pytest.raises(Exception, match="another place"):
            await endpoints.endpoint(desk.rt, stranger)


class TestTestEndpoint:
    """Trying an endpoint out."""

    @pytest.mark.parametrize("status", [200, 302, 404, 500])
    async def test_answers_what_the_endpoint_answered(self, desk: DeskOfTest, status: int) -> None:
        """Whatever status comes back is told, and the failure count stays as it is."""
        async with open_inbox(desk, lambda _: status) as inbox:
            caller = await subscribe(desk, inbox)
            assert await endpoints.test_endpoint(desk.rt, caller) == status
            (post,) = inbox.posts
            assert b'"webhook.test"' in post.body
            assert "x-signature" in post.headers
        assert (await endpoints.endpoint(desk.rt, caller)).consecutive_failures == 0

    async def test_answers_zero_when_no_answer_comes(self, desk: DeskOfTest) -> None:
        """A connection that breaks has no status."""
        async with open_inbox(desk, lambda _: "reset") as inbox:
            assert await endpoints.test_endpoint(desk.rt, await subscribe(desk, inbox)) == 0

    async def test_reaches_a_disabled_endpoint(self, desk: DeskOfTest) -> None:
        """Being switched off does not stop the test, and the test does not switch on."""
        async with open_inbox(desk) as inbox:
            caller = await subscribe(desk, inbox)
            await desk.pool.execute(
                "update webhook_endpoints set disabled_at = now(), disabled_reason = 'x'"
            )
            assert await endpoints.test_endpoint(desk.rt, caller) == 200
        assert (await endpoints.endpoint(desk.rt, caller)).disabled_at is not None

    async def test_refuses_without_a_url(self, desk: DeskOfTest) -> None:
        """There is nothing to try."""
        with pytest.raises(InvalidInput):
            await endpoints.test_endpoint(desk.rt, await desk.customer())


class TestLogAndReplay:
    """Seeing what was sent, and sending it again."""

    async def test_shows_the_last_attempt(self, desk: DeskOfTest) -> None:
        """The log tells state, status and the beginning of the answer, newest first, and only the
        owner's."""
        async with open_inbox(desk, lambda n: 200 if n == 1 else 503) as inbox:
            caller = await subscribe(desk, inbox)
            for _ in range(2):
                await write_events(desk, caller)
                await deliveries.deliver_due(desk.rt)
        newest, oldest = await endpoints.deliveries(
            desk.rt, customer_id=caller.customer_id, dialect=DIALECT
        )
        assert (newest.state, newest.status, newest.answer, newest.attempts) == (
            DeliveryState.DUE,
            503,
            "answer",
            1,
        )
        assert (oldest.state, oldest.status, oldest.kind) == (
            DeliveryState.DELIVERED,
            200,
            "order.received",
        )
        page = await endpoints.deliveries(
            desk.rt, customer_id=caller.customer_id, dialect=DIALECT, before=newest.id
        )
        assert page == [oldest]
        stranger = await desk.customer()
        assert (
            await endpoints.deliveries(desk.rt, customer_id=stranger.customer_id, dialect=DIALECT)
            == []
        )

    async def test_replays_one_with_the_same_id(self, desk: DeskOfTest) -> None:
        """Even a delivered one is sent again, the same bytes under the same id, and its log stays.

        A stranger's is not found.
        """
        async with open_inbox(desk) as inbox:
            caller, stranger = await subscribe(desk, inbox), await subscribe(desk, inbox)
            await write_events(desk, caller)
            await deliveries.deliver_due(desk.rt)
            (logged,) = await endpoints.deliveries(
                desk.rt, customer_id=caller.customer_id, dialect=DIALECT
            )
            await endpoints.replay(
                desk.rt, customer_id=caller.customer_id, dialect=DIALECT, delivery_id=logged.id
            )
            (waiting,) = await endpoints.deliveries(
                desk.rt, customer_id=caller.customer_id, dialect=DIALECT
            )
            assert (waiting.state, waiting.attempts, waiting.ended_at, waiting.status) == (
                DeliveryState.DUE,
                0,
                None,
                200,
            )
            await deliveries.deliver_due(desk.rt)
            first, second = inbox.posts
            assert (first.body, first.headers["x-delivery"]) == (
                second.body,
                second.headers["x-delivery"],
            )
            with pytest.raises(NotFound):
                await endpoints.replay(
                    desk.rt,
                    customer_id=stranger.customer_id,
                    dialect=DIALECT,
                    delivery_id=logged.id,
                )

    async def test_refuses_while_switched_off(self, desk: DeskOfTest) -> None:
        """Nothing is put back into a queue that nobody empties."""
        async with open_inbox(desk) as inbox:
            caller = await subscribe(desk, inbox)
        await desk.pool.execute("update webhook_endpoints set disabled_at = now()")
        with pytest.raises(StateForbids):
            await endpoints.replay_failed(
                desk.rt, customer_id=caller.customer_id, dialect=DIALECT, since=desk.clock.now()
            )
