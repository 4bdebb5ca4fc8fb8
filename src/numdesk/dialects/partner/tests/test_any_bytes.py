"""Tests of the partner API with whatever a customer signs."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.dialects.cases import read_cases
from tests.dialects.pay_page import PayPage
from tests.support.desk import DeskOfTest

from numdesk.asgi import HttpApp
from numdesk.dialects import is_parameter
from numdesk.dialects.partner.routes import ROUTES
from numdesk.dialects.partner.signing import is_nothing, sign
from numdesk.runtime import ProcessState
from numdesk.usecases.customers import accounts

CASES = read_cases(Path(__file__).parent / "cases")
FIELDS = st.sampled_from(
    sorted(
        {
            name
            for case in CASES
            for step in case.steps
            for name in re.findall(r'"(\w+)":', step.body)
        }
    )
)
WORDS = st.sampled_from(
    [
        "Spain",
        "Germany",
        "LONG",
        "short",
        "google",
        "7",
        "cryptomus",
        "days",
        "\x00",
        "\ud800",
        "a" * 3000,
    ]
)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.integers(-2, 40)
    | st.floats()
    | st.text(max_size=30)
    | WORDS
    | st.lists(st.sampled_from(["google", "WhatsApp", "", "\x00"]) | st.integers(), max_size=3)
    | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
)
DEEP = [
    b"[" * 100_000,
    b'{"period":' * 5000,
    b'{"period":' + b"[" * 700 + b"]" * 700 + b"}",
    b"9" * 5000,
    b'{"amount":1e400}',
    b'{"period":NaN}',
]
BODIES = (
    st.binary(max_size=200)
    | st.sampled_from([b"", b"null", b"{}", *DEEP])
    | st.dictionaries(FIELDS, VALUES, max_size=6).map(lambda found: json.dumps(found).encode())
)
PARAMETERS = st.sampled_from(["page", "limit", "order", "status", "country", "rentType", "type"])
TEXTS = (
    st.text(max_size=6)
    | st.integers().map(str)
    | st.sampled_from(["Spain", "LONG", "asc", "inactive", "\x00", "9" * 5000])
)
QUERIES = st.binary(max_size=40) | st.dictionaries(PARAMETERS, TEXTS, max_size=4).map(
    lambda found: str(httpx.QueryParams(found)).encode()
)
SEGMENTS = st.sampled_from(["num_0000", "active", "\x00", "%2e", "a" * 300]) | st.text(
    min_size=1, max_size=12
)


_CUSTOMER = ProcessState[dict[str, accounts.NewCustomer]](lambda _: {})


class TestAnyBytes:
    """Whatever a customer signs."""

    @settings(
        max_examples=60,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(data=st.data())
    async def test_never_are_a_fault(
        self, data: st.DataObject, rental_desk: DeskOfTest, app: HttpApp
    ) -> None:
        """No path, query or body that is well signed makes an answer of 500; what is no request is
        refused in the vendor's envelope.
        """
        new = _CUSTOMER.of(rental_desk.rt).get("any")
        if new is None:
            new = await accounts.register(
                rental_desk.rt,
                name="Any",
                dialect="partner",
                currency="EUR",
                signed=True,
                credit=10**7,
            )
            _CUSTOMER.of(rental_desk.rt)["any"] = new
            rental_desk.rt.payments = {"cryptomus": PayPage()}
            rental_desk.rt.settings = replace(rental_desk.rt.settings, rate_limits=False)
        for _ in range(data.draw(st.integers(1, 8))):
            route = data.draw(st.sampled_from(ROUTES))
            path = "/".join(
                data.draw(SEGMENTS).replace("/", "x") if is_parameter(part) else part
                for part in route.path.split("/")
            )
            query, body = data.draw(QUERIES), data.draw(BODIES)
            said = str(int(rental_desk.clock.wall().timestamp() * 1000)).encode()
            target = path.encode("utf-8", "surrogatepass") + (b"?" + query if query else b"")
            assert new.secret is not None
            text = said + route.method.encode() + target + (b"{}" if is_nothing(body) else body)
            sent = await _call(
                app,
                route.method,
                path,
                query,
                body,
                {
                    b"x-api-key": new.token.encode(),
                    b"x-timestamp": said,
                    b"x-signature": sign(new.secret.encode(), text).encode(),
                },
            )
            assert sent[0]["status"] not in (401, 500), f"{route.method} {path} {body[:100]!r}"
            if sent[0]["status"] != 200:
                assert list(json.loads(sent[1]["body"])) == ["success", "error", "requestId"]
            rental_desk.clock.advance(1)


async def _call(
    app: HttpApp, method: str, path: str, query: bytes, body: bytes, headers: dict[bytes, bytes]
) -> list[Any]:
    """Return what the application sends in answer to raw bytes."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    raw = path.encode("utf-8", "surrogatepass")
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": raw,
        "query_string": query,
        "headers": list(headers.items()),
        "client": ("192.0.2.7", 5),
        "root_path": "",
    }
    await app(scope, receive, send)
    return sent
