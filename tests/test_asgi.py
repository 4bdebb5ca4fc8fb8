"""Tests of the HTTP application: which door a request finds, its id, our own few paths, and mounted
applications."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route as StarletteRoute
from tests.dialects.asgi import Exchange
from tests.dialects.toy import Toy, done
from tests.support.breakage import break_writes, count_writes, fix_writes, writes_counted
from tests.support.desk import DeskOfTest

from numdesk.asgi import HttpApp, make_app
from numdesk.asgi.readiness import Readiness, Report
from numdesk.dialects import Answer, Request, RouteClaimedTwice
from numdesk.kit.incoming.body import App, Receive, Scope, Send
from numdesk.runtime import Runtime
from numdesk.usecases import ledger_check
from numdesk.usecases.customers import accounts, keys


@pytest.fixture
def app(desk: DeskOfTest) -> HttpApp:
    """An application with the toy dialect."""
    return make_app(desk.rt, dialects=[Toy(done).dialect()], mounts={})


@pytest.fixture
async def headers(desk: DeskOfTest) -> dict[str, str]:
    """The headers of a customer."""
    return {
        "token": (
            await accounts.register(desk.rt, name="Toy", dialect="smscode", currency="IDR")
        ).token
    }


class TestAddress:
    """From where a caller comes."""

    @pytest.mark.parametrize(
        ("trusted", "said", "status"),
        [
            ((), "203.0.113.7", 400),
            (("192.0.2.1/32",), "203.0.113.7", 200),
            (("192.0.2.1/32",), "203.0.113.7, 198.51.100.1", 400),
        ],
    )
    async def test_is_what_a_trusted_proxy_says(
        self, desk: DeskOfTest, trusted: tuple[str, ...], said: str, status: int
    ) -> None:
        """A key of one network works through the operator's proxy, and nobody talks themselves into
        that network."""
        customer = await accounts.register(desk.rt, name="Toy", dialect="smscode", currency="IDR")
        rules = keys.KeyRules(networks=("203.0.113.0/24",))
        token = (
            await keys.add_key(
                desk.rt,
                customer_id=customer.customer_id,
                dialect="smscode",
                currency="IDR",
                rules=rules,
            )
        ).token
        desk.rt.settings = replace(
            desk.rt.settings, trusted_proxies=tuple(ip_network(network) for network in trusted)
        )
        app = make_app(desk.rt, dialects=[Toy(done).dialect()], mounts={})
        answer = await Exchange(
            "GET", "/toy/things/5", {"token": token, "x-forwarded-for": said}
        ).run(app)
        assert answer.status == status

    @pytest.mark.parametrize("said", ["203.0.113.7", "203.0.113.7:51234"])
    async def test_reaches_every_mount(self, desk: DeskOfTest, said: str) -> None:
        """A mounted application sees the address that a trusted proxy named, not the proxy's."""
        seen: list[str] = []

        async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
            seen.append(scope["client"][0])
            await PlainTextResponse("hello")(scope, receive, send)

        desk.rt.settings = replace(desk.rt.settings, trusted_proxies=(ip_network("192.0.2.1/32"),))
        app = make_app(desk.rt, dialects=[], mounts={"/mounted": mounted})
        for client in ("192.0.2.1", "198.51.100.1"):
            await Exchange("GET", "/mounted", {"x-forwarded-for": said}, client=client).run(app)
        assert seen == ["203.0.113.7", "198.51.100.1"]

    async def test_has_its_share_of_a_proxys_connections(self, desk: DeskOfTest) -> None:
        """Behind a proxy a client may have as many requests under way as it could have connections.

        Others are not held up.
        """
        entered, may_end = asyncio.Event(), asyncio.Event()

        async def wait(_rt: Runtime, _request: Request) -> Answer:
            entered.set()
            await may_end.wait()
            return Answer(200, b"done")

        token = (
            await accounts.register(desk.rt, name="Toy", dialect="smscode", currency="IDR")
        ).token
        networks = (ip_network("192.0.2.1/32"),)
        desk.rt.settings = replace(
            desk.rt.settings, trusted_proxies=networks, connections_per_peer_max=1
        )
        app = make_app(desk.rt, dialects=[Toy(wait).dialect()], mounts={})
        headers = {"token": token, "x-forwarded-for": "203.0.113.7"}
        waiting = asyncio.create_task(Exchange("POST", "/toy/do", headers).run(app))
        await entered.wait()
        assert (
            await Exchange("GET", "/toy/things/5", headers).run(app)
        ).body == b"no: too_many_requests"
        assert (await Exchange("GET", "/other", headers).run(app)).status == 503
        assert (
            await Exchange(
                "GET", "/toy/things/5", {**headers, "x-forwarded-for": "203.0.113.8"}
            ).run(app)
        ).status == 200
        assert (await Exchange("GET", "/toy/things/5", {"token": token}).run(app)).status == 200
        may_end.set()
        assert (await waiting).status == 200
        assert (await Exchange("GET", "/toy/things/5", headers).run(app)).status == 200


class TestDispatch:
    """Which door."""

    @pytest.mark.parametrize(("path", "body"), [
        ("/toy/things/new", b"new"), ("/toy/things/5", b"things: 5"), ("/toy/things/5/parts/a b", b"things: 5,a b"),
        ("/toy/things/{}", b"things: {}"), ("/toy/things/new/parts/1", b"things: new,1"),
    ])  # fmt: skip
    async def test_prefers_the_exact_path(
        self, app: HttpApp, headers: dict[str, str], path: str, body: bytes
    ) -> None:
        """A path without parameters wins, and parameters take any other segment."""
        assert (await Exchange("GET", path, headers).run(app)).body == body

    @pytest.mark.parametrize(
        "path",
        [
            "/toy",
            "/toy/things",
            "/toy/things/",
            "/toy/things/5/",
            "/toy/things//parts/1",
            "/toy/things/5/parts",
            "/toy//do",
            "/toy/do/",
        ],
    )
    async def test_tells_unknown_calls_in_the_dialects_words(self, app: HttpApp, path: str) -> None:
        """Below a dialect's prefix its own 404 answers, with a request id."""
        answer = await Exchange("GET", path).run(app)
        assert (answer.status, answer.body) == (404, b"not so: ")
        assert answer.header("x-request-id")

    @pytest.mark.parametrize("path", ["/", "/toys/do", "/other", "//toy/do", "/TOY/do", ""])
    async def test_tells_all_else_plainly(self, app: HttpApp, path: str) -> None:
        """Outside every prefix a plain 404 answers."""
        answer = await Exchange("GET", path).run(app)
        assert (answer.status, answer.header("content-type")) == (404, "text/plain; charset=utf-8")

    async def test_names_the_methods_of_a_path(self, app: HttpApp) -> None:
        """A method that the path does not know is told which it does."""
        assert (await Exchange("DELETE", "/toy/things/5").run(app)).body == b"not so: GET,HEAD"
        assert (await Exchange("GET", "/toy/do").run(app)).body == b"not so: POST"
        assert (await Exchange("HEAD", "/toy/do").run(app)).status == 405

    async def test_answers_head_like_get_without_body(
        self, app: HttpApp, headers: dict[str, str]
    ) -> None:
        """HEAD has the headers of GET and no body."""
        answer = await Exchange("HEAD", "/toy/things/5", headers).run(app)
        assert (answer.status, answer.body, answer.header("content-length")) == (200, b"", "9")

    def test_refuses_two_dialects_on_one_route(self, desk: DeskOfTest) -> None:
        """Two dialects that claim one call stop the start."""
        one = Toy(done).dialect()
        with pytest.raises(RouteClaimedTwice):
            make_app(desk.rt, dialects=[one, replace(one, slug="other")], mounts={})


class TestRequestId:
    """The id of a request."""

    async def test_is_ours_unless_the_clients_is_harmless(self, app: HttpApp) -> None:
        """Letters, digits and hyphens, 8 to 64 of them, are kept; anything else is replaced."""
        assert (await Exchange("GET", "/healthz", {"x-request-id": "client-1234"}).run(app)).header(
            "x-request-id"
        ) == "client-1234"
        for offered in ("short", "a" * 65, "new\nline-123", "späße-123", "under_score"):
            given = (await Exchange("GET", "/healthz", {"x-request-id": offered}).run(app)).header(
                "x-request-id"
            )
            assert given not in (None, offered)

    async def test_is_never_given_twice(self, app: HttpApp) -> None:
        """Requests without an id get one each."""
        given = {
            (await Exchange("GET", "/healthz").run(app)).header("x-request-id") for _ in range(20)
        }
        assert len(given) == 20


class TestOwnPaths:
    """/healthz, /readyz, and what is behind the latter."""

    async def test_say_that_the_process_lives(self, app: HttpApp) -> None:
        """Liveness asks nobody, and takes only GET and HEAD."""
        assert (await Exchange("GET", "/healthz").run(app)).body == b"ok\n"
        refused = await Exchange("POST", "/healthz").run(app)
        assert (refused.status, refused.header("allow")) == (405, "GET, HEAD")

    async def test_tell_customers_one_word(self, desk: DeskOfTest) -> None:
        """Readiness on the customers' listener is a status and a word, whatever is wrong."""

        async def broken() -> object:
            raise ConnectionRefusedError("to a secret place")

        for checks, status, word in (({}, 200, b"ready\n"), ({"disk": broken}, 503, b"unready\n")):
            answer = await Exchange("GET", "/readyz").run(
                make_app(desk.rt, dialects=[], mounts={}, checks=checks)
            )
            assert (answer.status, answer.body) == (status, word)

    async def test_do_not_include_the_metrics(self, app: HttpApp) -> None:
        """On the customers' listener the path of the metrics is as unknown as any other."""
        assert (await Exchange("GET", "/metrics").run(app)).status == 404

    async def test_look_once_for_all_who_ask_at_a_time(self, desk: DeskOfTest) -> None:
        """Asking for readiness again and again costs one look, not one each."""
        looks = 0

        async def counted() -> object:
            nonlocal looks
            looks += 1
            return {"ok": True}

        app = make_app(desk.rt, dialects=[], mounts={}, checks={"disk": counted})
        await asyncio.gather(*(Exchange("GET", "/readyz").run(app) for _ in range(20)))
        assert looks == 1


class TestReadiness:
    """What operators are told."""

    async def test_names_each_part(self, desk: DeskOfTest) -> None:
        """The report names each part, those that were added among them."""

        async def migrations() -> object:
            return {"ok": True, "pending": 0}

        report = await Readiness(desk.rt, {"migrations": migrations}).report()
        checks = {
            "database": {"ok": True},
            "ledger": {"ok": True, "checked": False},
            "migrations": {"ok": True, "pending": 0},
        }
        assert report == Report(ready=True, checks=checks)

    @pytest.mark.parametrize(("age_s", "is_ready"), [(90, True), (310, False)])
    async def test_tells_how_the_ledger_was(
        self, desk: DeskOfTest, age_s: int, is_ready: bool
    ) -> None:
        """The last check of the ledger is told with its age.

        Five minutes after it we are not ready, for nobody checks any more.
        """
        await ledger_check.tick(desk.rt)
        desk.clock.advance(3600)  # moves the desk's time only
        progress = ledger_check.PROGRESS.of(desk.rt)
        assert progress.ended is not None
        progress.ended -= age_s
        report = await Readiness(desk.rt).report()
        assert report.ready == is_ready
        assert report.checks["ledger"] == {
            "ok": is_ready,
            "checked": True,
            "violations": 0,
            "age_s": pytest.approx(age_s, abs=30),
        }

    async def test_says_which_part_is_not(self, desk: DeskOfTest) -> None:
        """A part that raises makes us not ready, by the error's name and nothing more."""

        async def broken() -> object:
            raise ConnectionRefusedError("to a secret place")

        report = await Readiness(desk.rt, {"disk": broken}).report()
        assert not report.ready
        assert report.checks["disk"] == {"ok": False, "error": "ConnectionRefusedError"}

    async def test_says_that_nothing_can_be_written(self, desk: DeskOfTest) -> None:
        """A database that only answers reads makes us not ready.

        When it takes writes again, so are we, by itself.
        """
        await break_writes(desk.pool, "settings", "53100")
        report = await Readiness(desk.rt).report()
        assert (report.ready, report.checks["database"]) == (
            False,
            {"ok": False, "error": "Unavailable"},
        )
        await fix_writes(desk.pool, "settings")
        assert not (
            await Readiness(desk.rt).report()
        ).ready  # what was tried out a moment ago still counts
        desk.rt.memory.forget("installation.writes")
        assert (await Readiness(desk.rt).report()).ready

    async def test_tries_writes_out_once_a_second(self, desk: DeskOfTest) -> None:
        """However many ask at once, the database is written to once."""
        await count_writes(desk.pool, "settings")
        await asyncio.gather(*(Readiness(desk.rt).report() for _ in range(20)))
        assert await writes_counted(desk.pool) == 1


class TestMounts:
    """Applications below a prefix."""

    def mounted(self, desk: DeskOfTest, app: App) -> HttpApp:
        return make_app(
            desk.rt,
            dialects=[Toy(done).dialect()],
            mounts={"/console": app, "/console/deep/": _plain("deep")},
        )

    async def test_answer_below_their_prefix(self, desk: DeskOfTest) -> None:
        """A mounted Starlette application sees its own paths, the longest prefix wins, and our
        request id is added."""

        async def page(request: Any) -> PlainTextResponse:
            return PlainTextResponse(f"page {request.path_params['name']}")

        app = self.mounted(desk, Starlette(routes=[StarletteRoute("/pages/{name}", page)]))
        answer = await Exchange("GET", "/console/pages/one", {"x-request-id": "client-1234"}).run(
            app
        )
        assert (answer.body, answer.header("x-request-id")) == (b"page one", "client-1234")
        assert (await Exchange("GET", "/console/deep/er").run(app)).body == b"deep"
        assert (await Exchange("GET", "/consoles").run(app)).status == 404

    async def test_fail_without_a_trace(self, desk: DeskOfTest) -> None:
        """A mounted application that fails before it answered gets a plain 500."""

        async def broken(scope: Any, receive: Any, send: Any) -> None:
            raise RuntimeError("secret things")

        answer = await Exchange("GET", "/console/x").run(self.mounted(desk, broken))
        assert (answer.status, answer.body) == (500, b"Internal Server Error\n")
        assert answer.header("x-request-id")

    async def test_are_cut_when_they_fail_in_the_middle(self, desk: DeskOfTest) -> None:
        """Once an answer has begun, the failure is the server's to see: it ends the connection."""

        async def half(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            raise RuntimeError("too late")

        with pytest.raises(RuntimeError):
            await Exchange("GET", "/console/x").run(self.mounted(desk, half))


class TestOtherScopes:
    """What is not HTTP."""

    async def test_close_web_sockets(self, app: HttpApp) -> None:
        """Nothing here speaks web sockets."""
        sent: list[Any] = []

        async def receive() -> dict[str, str]:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await app({"type": "websocket", "path": "/toy/do"}, receive, send)
        assert sent == [{"type": "websocket.close", "code": 1000}]


def _plain(text: str) -> App:
    """Returns an application that always says the same."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse(text)(scope, receive, send)

    return app
