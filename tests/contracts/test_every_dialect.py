"""Tests that every dialect must pass, found by folder: complete manifests, total tables, honest
papers, and no fault for any bytes."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from importlib import import_module, resources
from pathlib import Path
from typing import Any

import grimp
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.dialects.cases import REAL_NUMBER, REAL_TOKEN, Case, read_cases
from tests.support.desk import DeskOfTest

from numdesk.asgi import HttpApp, make_app
from numdesk.dialects import Dialect, Request, Route, call_table, find_dialects, is_parameter
from numdesk.domain import errors
from numdesk.domain.money import DECIMALS
from numdesk.domain.orders.lifecycle import State
from numdesk.runtime import ProcessState
from numdesk.usecases.customers import accounts

DIALECTS = find_dialects()
_TOKENS = ProcessState[dict[str, bytes]](lambda _: {})
ROUTES = [(dialect, route) for dialect in DIALECTS for route in dialect.routes]
each_dialect = pytest.mark.parametrize(
    "dialect", DIALECTS, ids=[dialect.slug for dialect in DIALECTS]
)
each_route = pytest.mark.parametrize(
    ("dialect", "route"),
    ROUTES,
    ids=[f"{dialect.slug} {route.method} {route.path}" for dialect, route in ROUTES],
)


def folder_of(dialect: Dialect) -> Path:
    """Returns the folder of a dialect."""
    return Path(str(resources.files("numdesk.dialects") / dialect.slug))


def cases_of(dialect: Dialect) -> list[Case]:
    """Returns the cases of a dialect."""
    return read_cases(folder_of(dialect) / "tests" / "cases")


def answers_of(dialect: Dialect, route: Route) -> set[int]:
    """Returns the statuses that the cases hold for a route."""
    pattern = re.compile(
        "/".join(
            "[^/]+" if is_parameter(part) else re.escape(part) for part in route.path.split("/")
        )
    )
    taken = {other.path for other in dialect.routes} - {route.path}
    return {
        step.status
        for case in cases_of(dialect)
        for step in case.steps
        if step.method == route.method
        and (path := step.path.partition("?")[0]) not in taken
        and pattern.fullmatch(path)
    }


class TestManifest:
    """The value DIALECT of each folder."""

    @each_dialect
    def test_is_complete(self, dialect: Dialect) -> None:
        """Slug and folder agree, every route lies below a prefix and has a limit, and the currency
        is known."""
        assert folder_of(dialect).name == dialect.slug
        assert dialect.currency in DECIMALS
        assert dialect.docs.startswith("https://")
        for route in dialect.routes:
            assert any(
                route.path == prefix or route.path.startswith(prefix + "/")
                for prefix in dialect.prefixes
            )
            assert dialect.limits[route.group] > 0
            assert route.summary

    @each_dialect
    def test_refuses_in_every_way(self, dialect: Dialect) -> None:
        """Each refusal of the areas served has an answer, and none of them is a fault of ours."""
        needed = dialect.needed_refusals()
        assert set(dialect.refusals) >= set(needed)
        request = Request(
            {"client": None, "method": "GET", "path": "/", "query_string": b""}, {}, (), "id"
        )
        for refusal in needed:
            assert dialect.refuse(refusal(), request).status not in (500, 502)

    @each_dialect
    def test_answers_nothing_that_cannot_occur(self, dialect: Dialect) -> None:
        """The table names refusals of the areas served, of no area, and of the dialect itself."""
        served = {f"numdesk.domain.{area}.refusals" for area in dialect.areas}
        for kind in dialect.refusals:
            module = kind.__module__
            assert module in {errors.__name__, *served} or module.startswith(
                f"numdesk.dialects.{dialect.slug}."
            ), kind

    @each_dialect
    def test_declares_the_areas_that_it_reaches(self, dialect: Dialect) -> None:
        """An area with refusals that a call of the dialect may come to is declared; no other is."""
        graph = grimp.build_graph("numdesk")
        graph.remove_module(f"numdesk.dialects.{dialect.slug}.refusals")
        reached = graph.find_upstream_modules(f"numdesk.dialects.{dialect.slug}", as_package=True)
        areas = (re.fullmatch(r"numdesk\.domain\.(\w+)\.refusals", name) for name in reached)
        assert {area[1] for area in areas if area} == dialect.areas

    @each_dialect
    def test_has_a_word_for_every_state(self, dialect: Dialect) -> None:
        """A status table of orders, where there is one, is total."""
        table = getattr(import_module(f"numdesk.dialects.{dialect.slug}.wire"), "STATUS", None)
        assert table is None or set(table) == set(State)

    @each_dialect
    def test_is_what_the_readme_says(self, dialect: Dialect) -> None:
        """The README holds the table of calls as the manifest makes it."""
        assert call_table(dialect) in (folder_of(dialect) / "README.md").read_text("utf-8")


class TestCases:
    """The case files of each folder."""

    @each_route
    def test_hold_a_good_and_a_refused_answer(self, dialect: Dialect, route: Route) -> None:
        """Every call is shown succeeding and being refused."""
        statuses = answers_of(dialect, route)
        assert any(status < 300 for status in statuses), (
            f"no good case of {route.method} {route.path}"
        )
        assert any(status >= 400 for status in statuses), (
            f"no refused case of {route.method} {route.path}"
        )

    @each_dialect
    def test_hold_nothing_real(self, dialect: Dialect) -> None:
        """No case holds a token or anybody's telephone number."""
        for case in cases_of(dialect):
            text = case.path.read_text("utf-8")
            assert not REAL_TOKEN.search(text), case.path.name
            assert not REAL_NUMBER.search(re.sub(r'(?:"id": |/orders/)[0-9]+', "", text)), (
                case.path.name
            )

    @each_dialect
    def test_say_their_rule(self, dialect: Dialect) -> None:
        """Every case begins with one sentence."""
        for case in cases_of(dialect):
            assert case.rule.endswith("."), case.path.name
            assert "\n" not in case.rule, case.path.name


class TestStrangers:
    """Requests without a credential."""

    async def test_get_exactly_the_dialects_answer(self, client: httpx.AsyncClient) -> None:
        """A missing and a wrong credential give the dialect's own refusal on every route."""
        for dialect, route in ROUTES:
            if not route.needs_caller:
                continue
            scope = {
                "client": None,
                "method": route.method,
                "path": route.path,
                "query_string": b"",
            }
            for headers in ({}, {"authorization": "Bearer nobody"}):
                answer = await client.request(route.method, route.path, headers=headers)
                wanted = dialect.refuse(
                    errors.NotAuthenticated(),
                    Request(scope, {}, (), answer.headers["x-request-id"]),
                )
                assert (answer.status_code, answer.content) == (wanted.status, wanted.body), (
                    f"{route.method} {route.path}"
                )


class TestBodies:
    """The bound that each route declares for its body."""

    @each_dialect
    async def test_are_bounded_in_the_dialects_words(
        self, desk: DeskOfTest, dialect: Dialect
    ) -> None:
        """A body of the bound is taken (and then refused for what it holds), one byte more is too
        large, announced or not."""
        desk.rt.settings = replace(desk.rt.settings, rate_limits=False)
        app = make_app(desk.rt, dialects=[dialect], mounts={})
        new = await accounts.register(
            desk.rt,
            name="Any",
            dialect=dialect.slug,
            currency=dialect.currency,
            signed=dialect.signed,
        )
        token = new.token.encode()
        headers = [
            (b"authorization", b"Bearer " + token),
            (b"x-api-key", token),
            (b"x-request-id", b"one-too-many"),
        ]
        for route in dialect.routes:
            if route.method in ("GET", "HEAD", "DELETE") and not dialect.signed:
                continue  # its body is not read
            path = "/".join("1" if is_parameter(part) else part for part in route.path.split("/"))
            scope = {"client": None, "method": route.method, "path": path, "query_string": b""}
            wanted = dialect.refuse(
                errors.BodyTooLarge(limit_bytes=route.body_bytes_max),
                Request(scope, {}, (), "one-too-many"),
            )
            refused = (wanted.status, wanted.body)
            body = b"[" + b" " * (route.body_bytes_max - 2) + b"]"
            taken = await _call(app, route, path, b"", headers, body)
            assert taken[0] < 500, route
            assert taken != refused, route
            announced = [*headers, (b"content-length", b"%d" % (len(body) + 1))]
            assert await _call(app, route, path, b"", headers, body + b" ") == refused, route
            assert await _call(app, route, path, b"", announced, b"") == refused, route

    @each_dialect
    def test_are_short(self, dialect: Dialect) -> None:
        """No route takes so much that reading it could hold the others up."""
        assert all(0 < route.body_bytes_max <= 64 * 1024 for route in dialect.routes)


NAMES = st.sampled_from(sorted({
    name for dialect in DIALECTS for case in cases_of(dialect) for step in case.steps
    if step.body.startswith("{") for name in re.findall(r'"(\w+)":', step.body)
} | {"limit", "page", "offset", "status", "country_id", "wait"}))  # fmt: skip
VALUES = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.integers(-2, 5) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=30) | st.sampled_from(["0.5", "cheapest", "\x00", "https://hooks.example.com/", "a" * 3000])
    | st.lists(st.integers(), max_size=3) | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
)  # fmt: skip
BODIES = st.binary(max_size=200) | st.dictionaries(NAMES, VALUES, max_size=5).map(
    lambda found: json.dumps(found).encode()
)
QUERIES = st.binary(max_size=60) | st.dictionaries(
    NAMES, st.text(max_size=8) | st.integers().map(str), max_size=4
).map(lambda found: str(httpx.QueryParams(found)).encode())
SEGMENTS = st.integers(-1, 5).map(str) | st.text(min_size=1, max_size=12).filter(
    lambda text: "/" not in text
)
HEADER_VALUES = st.binary(max_size=40)


class TestAnyBytes:
    """Whatever a client sends."""

    @settings(
        max_examples=40,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(data=st.data())
    async def test_never_are_a_fault(
        self, data: st.DataObject, desk: DeskOfTest, app: HttpApp
    ) -> None:
        """No path, query, header or body makes a dialect answer 500, for a customer (one who signs:
        in the dialect) or a stranger."""
        tokens = _TOKENS.of(desk.rt)
        for dialect in DIALECTS if not tokens else ():
            new = await accounts.register(
                desk.rt, name="Any", dialect=dialect.slug, currency=dialect.currency, credit=10**9
            )
            tokens[dialect.slug] = new.token.encode()
        for dialect, route in data.draw(st.lists(st.sampled_from(ROUTES), min_size=1, max_size=12)):
            path = "/".join(
                data.draw(SEGMENTS) if is_parameter(part) else part
                for part in route.path.split("/")
            )
            status, _ = await _call(app, route, path, data.draw(QUERIES).replace(b"wait", b"w"), [
                (b"authorization", data.draw(st.just(b"Bearer " + tokens[dialect.slug]) | HEADER_VALUES)),
                (b"idempotency-key", data.draw(st.sampled_from([b"one", b"two"]) | HEADER_VALUES)),
                (b"x-request-id", data.draw(HEADER_VALUES)),
            ], data.draw(BODIES))  # fmt: skip
            assert status != 500, f"{route.method} {path}"


async def _call(
    app: HttpApp,
    route: Route,
    path: str,
    query: bytes,
    headers: list[tuple[bytes, bytes]],
    body: bytes,
) -> tuple[int, bytes]:
    """Returns the status and the body that the application answers to raw bytes."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": route.method, "path": path, "raw_path": path.encode(), "query_string": query, "headers": headers,
        "client": ("192.0.2.7", 5), "root_path": "",
    }  # fmt: skip
    await app(scope, receive, send)
    return sent[0]["status"], sent[1]["body"]
