"""Tests of the door that all dialects share: who gets in, how often, with how much, and what a
fault looks like from outside."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest
from structlog.testing import capture_logs
from tests.dialects.asgi import Exchange
from tests.dialects.toy import TEXT, Toy, done
from tests.support.desk import DeskOfTest

from numdesk.asgi import HttpApp, make_app
from numdesk.dialects import Answer, Request, find_dialects
from numdesk.domain.customers.callers import Caller, CustomerState, Scope
from numdesk.domain.errors import NotAuthenticated, Unavailable
from numdesk.runtime import Runtime
from numdesk.usecases.customers import accounts, keys
from numdesk.usecases.customers.keys import KeyRules


def app_of(desk: DeskOfTest, toy: Toy) -> HttpApp:
    """Returns the application with the toy alone."""
    return make_app(desk.rt, dialects=[toy.dialect()], mounts={})


async def token_of(desk: DeskOfTest) -> dict[str, str]:
    """Returns the headers of a new customer."""
    return {
        "token": (
            await accounts.register(desk.rt, name="Toy", dialect="smscode", currency="IDR")
        ).token
    }


class TestCredentials:
    """Who gets in."""

    async def test_let_a_customer_in(self, desk: DeskOfTest) -> None:
        """A known token reaches the handler, the second time without asking the database."""
        app, headers = app_of(desk, Toy(done)), await token_of(desk)
        for _ in range(2):
            assert (
                await Exchange("POST", "/toy/do", headers, (b"hello",)).run(app)
            ).body == b"hello"

    async def test_keep_strangers_out(self, desk: DeskOfTest) -> None:
        """No token, a wrong one and one of another dialect are all refused alike."""
        other = app_of(desk, Toy(done, slug="other"))
        for headers in ({}, {"token": "nobody"}, {"token": "\xff"}, await token_of(desk)):
            assert (await Exchange("GET", "/toy/things/1", headers).run(other)).body in (
                b"no: not_authenticated",
                b"no: too_many_requests",
            )

    async def test_keep_the_blocked_out(self, desk: DeskOfTest) -> None:
        """A customer who is blocked is refused as soon as memory is dropped."""
        app, headers = app_of(desk, Toy(done)), await token_of(desk)
        assert (await Exchange("GET", "/toy/things/1", headers).run(app)).status == 200
        await accounts.set_state(desk.rt, 1, CustomerState.BLOCKED)
        desk.rt.memory.forget("customers")
        assert (
            await Exchange("GET", "/toy/things/1", headers).run(app)
        ).body == b"no: not_permitted"

    async def test_are_not_asked_for_where_none_is_needed(self, desk: DeskOfTest) -> None:
        """A route may be open."""
        assert (await Exchange("GET", "/toy/open").run(app_of(desk, Toy(done)))).status == 200


class TestLimits:
    """How often."""

    async def test_count_per_customer_and_group(self, desk: DeskOfTest) -> None:
        """One customer's limit does not touch another's, and the refusal says when to come back."""
        app, one, two = app_of(desk, Toy(done, limit=2)), await token_of(desk), await token_of(desk)
        answers = [await Exchange("GET", "/toy/things/1", one).run(app) for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 400]
        assert answers[2].body == b"no: too_many_requests"
        assert 1 <= int(answers[2].header("retry-after") or 0) <= 60
        assert answers[2].header("x-request-id")
        assert (await Exchange("GET", "/toy/things/1", two).run(app)).status == 200

    async def test_are_shared_by_the_versions_of_an_api(self, desk: DeskOfTest) -> None:
        """/v1 and /v2 of the smscode API draw on one bucket: the eleventh webhook test in a minute
        is refused."""
        app = make_app(desk.rt, dialects=find_dialects(), mounts={})
        new = await accounts.register(desk.rt, name="Toy", dialect="smscode", currency="IDR")
        headers = {"authorization": f"Bearer {new.token}"}
        statuses = [
            (await Exchange("POST", f"/v{1 + i % 2}/webhook/test", headers).run(app)).status
            for i in range(11)
        ]
        assert statuses == [422] * 10 + [429]

    async def test_slow_down_guessing(self, desk: DeskOfTest) -> None:
        """An address that keeps bringing wrong tokens is told to wait, and nobody else is."""
        app = app_of(desk, Toy(done))
        guesses = [
            await Exchange("GET", "/toy/things/1", {"token": f"guess {i}"}).run(app)
            for i in range(4)
        ]
        assert [guess.body for guess in guesses] == [b"no: not_authenticated"] * 3 + [
            b"no: too_many_requests"
        ]
        assert (
            await Exchange("GET", "/toy/things/1", client="192.0.2.2").run(app)
        ).body == b"no: not_authenticated"
        assert (await Exchange("GET", "/toy/things/1", await token_of(desk)).run(app)).status == 200

    async def test_count_what_is_forbidden_by_key_and_address(self, desk: DeskOfTest) -> None:
        """A caller who may not make a call is told so a few times, and then to wait.

        At another address the key is told so again.
        """
        app, headers = app_of(desk, Toy(done)), await token_of(desk)
        await accounts.set_state(desk.rt, 1, CustomerState.BLOCKED)
        bodies = [(await Exchange("GET", "/toy/things/1", headers).run(app)).body for _ in range(4)]
        assert bodies == [b"no: not_permitted"] * 3 + [b"no: too_many_requests"]
        assert (
            await Exchange("GET", "/toy/things/1", headers, client="192.0.2.2").run(app)
        ).body == b"no: not_permitted"

    @pytest.mark.parametrize(
        "verify", [None, lambda _request, _caller, _wall: None], ids=["shown", "signed"]
    )
    @pytest.mark.parametrize(
        ("rules", "call"),
        [
            (
                KeyRules(networks=("192.0.2.1/32",)),
                Exchange("GET", "/toy/things/1", client="192.0.2.2"),
            ),
            (KeyRules(scopes=frozenset({Scope.READ})), Exchange("POST", "/toy/do")),
            (KeyRules(methods=frozenset({"/toy/things/{id}"})), Exchange("GET", "/toy/things/new")),
        ],
        ids=["network", "scope", "call"],
    )
    async def test_are_not_used_up_by_what_is_forbidden(
        self, desk: DeskOfTest, rules: KeyRules, call: Exchange, verify: Callable[..., None] | None
    ) -> None:
        """Calls that are refused for their address, scope or name leave the customer's limit to the
        calls that are not."""
        await token_of(desk)
        key = await keys.add_key(
            desk.rt, customer_id=1, dialect="smscode", currency="IDR", rules=rules
        )
        app, headers = app_of(desk, Toy(done, limit=2, verify=verify)), {"token": key.token}
        for _ in range(5):
            assert (await replace(call, headers=headers, sent=[]).run(app)).status == 400
        answers = [await Exchange("GET", "/toy/things/1", headers).run(app) for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 400]

    @pytest.mark.parametrize("state", [CustomerState.PENDING, CustomerState.BLOCKED])
    async def test_stop_who_may_not_call_before_their_signatures_cost_anything(
        self, desk: DeskOfTest, state: CustomerState
    ) -> None:
        """A key that was never approved, or is blocked, is verified a few times.

        Then its bodies are not even read.
        """
        verified: list[bytes] = []

        def verify(request: Request, _caller: Caller, _wall: datetime) -> None:
            verified.append(request.body)

        app, headers = app_of(desk, Toy(done, verify=verify)), await token_of(desk)
        await accounts.set_state(desk.rt, 1, state)
        exchanges = [
            await Exchange("POST", "/toy/do", headers, [b"x" * 60, b"y"]).run(app) for _ in range(5)
        ]
        assert [one.body for one in exchanges] == [b"no: not_permitted"] * 3 + [
            b"no: too_many_requests"
        ] * 2
        assert [one.unread for one in exchanges] == [0, 0, 0, 2, 2]
        assert len(verified) == 3

    async def test_stop_the_exhausted_before_their_signatures_cost_anything(
        self, desk: DeskOfTest
    ) -> None:
        """What a customer sends beyond the limit is refused unread and unverified."""
        verified: list[bytes] = []

        def verify(request: Request, _caller: Caller, _wall: datetime) -> None:
            verified.append(request.body)

        app, headers = app_of(desk, Toy(done, limit=2, verify=verify)), await token_of(desk)
        exchanges = [
            await Exchange("POST", "/toy/do", headers, [b"x" * 60, b"y"]).run(app) for _ in range(4)
        ]
        assert [one.body for one in exchanges][2:] == [b"no: too_many_requests"] * 2
        assert [one.unread for one in exchanges] == [0, 0, 2, 2]
        assert len(verified) == 2

    async def test_tell_a_forger_nothing_of_the_customers_state(self, desk: DeskOfTest) -> None:
        """Whoever has only the public half of a key hears the same of a customer who is blocked as
        of one who is not."""

        def verify(_request: Request, _caller: Caller, _wall: datetime) -> None:
            raise NotAuthenticated(cause="signature")

        app, headers = app_of(desk, Toy(done, verify=verify)), await token_of(desk)
        open_account = [
            (await Exchange("GET", "/toy/things/1", headers).run(app)).body for _ in range(5)
        ]
        await accounts.set_state(desk.rt, 1, CustomerState.BLOCKED)
        desk.rt.memory.forget("customers")
        desk.clock.advance(60)
        assert [
            (await Exchange("GET", "/toy/things/1", headers).run(app)).body for _ in range(5)
        ] == open_account

    async def test_stop_forgers_before_their_signatures_cost_anything(
        self, desk: DeskOfTest
    ) -> None:
        """Whoever signs wrongly with a known key is told to wait, unverified, and takes nothing
        from the customer who is elsewhere."""
        verified: list[str] = []

        def verify(request: Request, _caller: Caller, _wall: datetime) -> None:
            verified.append(request.address)
            if b"signed" not in request.headers:
                raise NotAuthenticated(cause="signature")

        app, headers = app_of(desk, Toy(done, limit=2, verify=verify)), await token_of(desk)
        forged = [
            (await Exchange("GET", "/toy/things/1", headers, client="192.0.2.2").run(app)).body
            for _ in range(5)
        ]
        assert forged == [b"no: not_authenticated"] * 3 + [b"no: too_many_requests"] * 2
        assert verified == ["192.0.2.2"] * 3
        honest = [
            await Exchange("GET", "/toy/things/1", {**headers, "signed": "yes"}).run(app)
            for _ in range(3)
        ]
        assert [answer.status for answer in honest] == [200, 200, 400]

    async def test_let_the_signed_pass_beside_a_guesser(self, desk: DeskOfTest) -> None:
        """An address that guessed away its strangers' limit still serves the customer behind it who
        signs well."""
        app, headers = (
            app_of(desk, Toy(done, verify=lambda _request, _caller, _wall: None)),
            await token_of(desk),
        )
        for i in range(5):
            await Exchange("GET", "/toy/things/1", {"token": f"guess {i}"}).run(app)
        assert (await Exchange("GET", "/toy/things/1", headers).run(app)).status == 200

    async def test_count_a_household_of_ipv6_as_one(self, desk: DeskOfTest) -> None:
        """Addresses of one /64 share their guesses."""
        app = app_of(desk, Toy(done))
        bodies = [
            (await Exchange("GET", "/toy/things/1", client=f"2001:db8::{i}").run(app)).body
            for i in range(1, 5)
        ]
        assert bodies[3] == b"no: too_many_requests"

    async def test_are_off_when_the_settings_say_so(self, desk: DeskOfTest) -> None:
        """A load test in the sandbox may switch them off."""
        desk.rt.settings = replace(desk.rt.settings, rate_limits=False)
        app = app_of(desk, Toy(done, limit=1))
        assert [(await Exchange("GET", "/toy/open").run(app)).status for _ in range(3)] == [
            200,
            200,
            200,
        ]


class TestShares:
    """How much of the process one caller gets."""

    async def test_space_out_what_is_refused(
        self, desk: DeskOfTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An address that is refused again and again waits for each refusal.

        Its good calls and other addresses wait for nothing.
        """
        monkeypatch.setattr("numdesk.kit.incoming.pacing.REFUSALS_PER_S", 2)
        monkeypatch.setattr("numdesk.kit.incoming.pacing.REFUSAL_WAIT_MAX_S", 3600)
        app, headers = app_of(desk, Toy(done)), await token_of(desk)
        for _ in range(3):
            await Exchange("GET", "/toy/things/1", {"token": "guess"}).run(app)
        slow = asyncio.create_task(Exchange("GET", "/toy/things/1", {"token": "guess"}).run(app))
        too_long = asyncio.create_task(Exchange("POST", "/toy/do", headers, (b"x" * 101,)).run(app))
        assert (await Exchange("GET", "/toy/things/1", headers).run(app)).status == 200
        assert (
            await Exchange("GET", "/toy/things/1", {"token": "guess"}, client="192.0.2.2").run(app)
        ).status == 400
        assert not slow.done()
        assert not too_long.done()
        for task in (slow, too_long):
            task.cancel()
        await asyncio.gather(slow, too_long, return_exceptions=True)

    async def test_are_one_long_answer_at_a_time(
        self, desk: DeskOfTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A customer's second long answer waits for the first, the third is refused.

        Another's and a short one wait for nothing.
        """
        monkeypatch.setattr("numdesk.dialects.door.LONG_ANSWERS_WAITING_MAX", 1)
        making: asyncio.Queue[int] = asyncio.Queue()
        ends = asyncio.Event()

        async def make(_rt: Runtime, request: Request) -> Answer:
            making.put_nowait(request.caller.customer_id)
            await ends.wait()
            return Answer(200, b"long")

        app, one, two = app_of(desk, Toy(make)), await token_of(desk), await token_of(desk)
        tasks = [
            asyncio.create_task(Exchange("GET", "/toy/long", headers).run(app))
            for headers in (one, one, two)
        ]
        assert {await making.get(), await making.get()} == {1, 2}
        assert (await Exchange("GET", "/toy/things/1", one).run(app)).status == 200
        assert making.empty()
        assert (await Exchange("GET", "/toy/long", one).run(app)).body == b"no: too_many_requests"
        ends.set()
        assert [answer.status for answer in await asyncio.gather(*tasks)] == [200] * 3
        assert making.get_nowait() == 1


class TestBodies:
    """With how much."""

    async def test_are_read_to_the_bound(self, desk: DeskOfTest) -> None:
        """A body in pieces is put together, also when it is exactly as long as allowed."""
        answer = await Exchange(
            "POST", "/toy/do", await token_of(desk), [b"x" * 40, b"y" * 60]
        ).run(app_of(desk, Toy(done)))
        assert answer.body == b"x" * 40 + b"y" * 60

    @pytest.mark.parametrize(
        ("extra", "pieces"),
        [
            ({"content-length": "101"}, [b"x"]),
            ({"content-length": "9" * 30}, [b""]),
            ({}, [b"x" * 60, b"y" * 60]),
        ],
    )
    async def test_are_refused_beyond_it(
        self, desk: DeskOfTest, extra: dict[str, str], pieces: list[bytes]
    ) -> None:
        """Announced or not, a longer body is refused in the dialect's words, with a request id."""
        answer = await Exchange("POST", "/toy/do", {**await token_of(desk), **extra}, pieces).run(
            app_of(desk, Toy(done))
        )
        assert answer.body == b"no: body_too_large"
        assert answer.header("x-request-id")

    async def test_are_not_awaited_before_the_credential(self, desk: DeskOfTest) -> None:
        """A stranger's body is never read."""
        stranger = Exchange("POST", "/toy/do", {}, [b"x" * 60, b"y" * 60])
        assert (await stranger.run(app_of(desk, Toy(done)))).body == b"no: not_authenticated"

    async def test_mean_nothing_when_the_client_goes_away(self, desk: DeskOfTest) -> None:
        """A body that stops in the middle reaches no handler, and nobody is answered."""
        ran = []

        async def note(_rt: Runtime, _request: Request) -> Answer:
            ran.append(1)
            return Answer(200, b"")

        exchange = await Exchange(
            "POST", "/toy/do", await token_of(desk), [b"half", b"rest"], gone=True
        ).run(app_of(desk, Toy(note)))
        assert (exchange.sent, ran) == ([], [])


class TestFaults:
    """What a fault looks like from outside."""

    async def test_are_answered_in_the_dialects_words(self, desk: DeskOfTest) -> None:
        """The client reads nothing of the fault; the log names it, without the token."""

        async def fail(_rt: Runtime, request: Request) -> Answer:
            raise RuntimeError("secret things")

        headers = await token_of(desk)
        with capture_logs() as lines:
            answer = await Exchange("POST", "/toy/do", headers).run(app_of(desk, Toy(fail)))
        assert (answer.status, answer.body) == (500, b"sorry")
        assert [
            (line["event"], line["error"]) for line in lines if line["log_level"] == "error"
        ] == [("request failed", "RuntimeError")]
        assert headers["token"] not in str(lines)

    @pytest.mark.parametrize("error", [Unavailable(), ConnectionResetError(), TimeoutError()])
    async def test_of_the_database_say_come_back(self, desk: DeskOfTest, error: Exception) -> None:
        """A database that is away is no fault but a refusal."""

        async def fail(_rt: Runtime, request: Request) -> Answer:
            raise error

        answer = await Exchange("POST", "/toy/do", await token_of(desk)).run(
            app_of(desk, Toy(fail))
        )
        assert answer.body == b"no: unavailable"


class TestHangingUp:
    """Clients that do not wait."""

    async def test_does_not_stop_a_purchase(self, desk: DeskOfTest) -> None:
        """A write whose request is cancelled in the middle comes to its end, and the stopping
        server waits for it."""
        entered, may_end, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def buy(_rt: Runtime, request: Request) -> Answer:
            entered.set()
            await may_end.wait()
            ended.set()
            return Answer(200, b"", TEXT)

        app = app_of(desk, Toy(buy))
        request = asyncio.create_task(Exchange("POST", "/toy/do", await token_of(desk)).run(app))
        await entered.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        assert not ended.is_set()
        may_end.set()
        messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

        async def receive() -> dict[str, str]:
            return next(messages)

        async def send(message: object) -> None:
            pass

        await app({"type": "lifespan"}, receive, send)
        assert ended.is_set()


class TestAccessLog:
    """One line per request."""

    async def test_is_written_at_debug_only(
        self, desk: DeskOfTest, caplog: pytest.LogCaptureFixture
    ) -> None:
        """At debug a line names the route, never the path with its values.

        At info there is none.
        """
        app, headers = app_of(desk, Toy(done)), await token_of(desk)
        for level, count in ((logging.DEBUG, 1), (logging.INFO, 0)):
            caplog.set_level(level, logger="numdesk.http")
            with capture_logs() as lines:
                await Exchange("GET", "/toy/things/4711", headers).run(app)
            found = [line for line in lines if line["event"] == "request"]
            assert len(found) == count
            assert all(
                (line["route"], line["status"]) == ("/toy/things/{id}", 200) for line in found
            )
            assert "4711" not in str(found)
