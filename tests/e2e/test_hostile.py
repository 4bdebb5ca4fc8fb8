"""Hostile requests: whatever is sent, the server answers in its own words within seconds, never
with a fault, and lives on."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from tests.support.hostile import (
    BODIES,
    HEADERS,
    NUMBERS,
    PATHS,
    QUERY_NUMBERS,
    RAW,
    STRINGS,
    TOKENS,
)
from tests.support.serving import Customer, Server
from tests.support.waiting import eventually

from numdesk.dialects import BODY_BYTES_MAX

pytestmark = pytest.mark.xdist_group("e2e")

#: Nothing may take longer, the machine being busy or not. What makes a server think or sleep for
#: long would take longer still.
PATIENCE_S = 60.0
#: What the front of the server answers to what is no HTTP request of ours, in plain text and
#: without an id.
FRONT = frozenset({400, 405, 408, 413, 414, 431, 503, 505})
UNLIMITED = {"NUMDESK_RATE_LIMITS": "off"}


@dataclass(frozen=True, slots=True)
class Target:
    """The server and one customer of it."""

    server: Server
    customer: Customer
    client: httpx.Client

    def send(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, Any] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """Sends as the customer, unless other headers say otherwise."""
        return self.client.request(
            method, path, headers={**self.customer.headers, **(headers or {})}, content=content
        )


@pytest.fixture(scope="module")
def target(start_server: Any) -> Iterator[Target]:
    """A server of this module's own, alive and with its books in order when everything was thrown
    at it."""
    server = start_server(env=UNLIMITED)
    customer = server.customer()
    with httpx.Client(base_url=server.base_url, timeout=PATIENCE_S, trust_env=False) as client:
        yield Target(server, customer, client)
    assert server.is_running()
    assert server.is_ready()
    assert "Traceback" not in server.output()


def assert_answered(answer: httpx.Response) -> None:
    """Fails unless the answer is a success or a refusal in the API's envelope, or a short no of the
    front."""
    assert answer.status_code < 500, answer.text
    if answer.status_code in FRONT and "x-request-id" not in answer.headers:
        assert answer.headers["connection"] == "close"
        return
    assert answer.headers["x-request-id"]
    assert answer.headers["x-request-id"].isascii()
    assert "<script>" not in answer.headers["x-request-id"]
    if answer.headers["content-type"].startswith("text/plain"):
        assert not answer.request.url.path.startswith(("/v1/", "/v2/"))
        return
    envelope = answer.json()
    if answer.status_code == 200:
        assert envelope["success"] is True
    else:
        assert envelope.keys() == {"success", "error"}
        assert envelope["success"] is False
        assert {"code", "message"} <= envelope["error"].keys() <= {"code", "message", "details"}


def field(name: str, value: str) -> bytes:
    """Returns a body of one field; Python's escapes let half a surrogate pair through."""
    return json.dumps({name: value}).encode()


@pytest.mark.parametrize("name", STRINGS)
@pytest.mark.parametrize(
    "where",
    ["policy", "prefer_provider", "max_price", "webhook_url", "webhook_secret", "query", "key"],
)
def test_strings(target: Target, name: str, where: str) -> None:
    """A text of any kind, wherever a text may stand, is taken or refused."""
    text = STRINGS[name]
    if where.startswith("webhook"):
        assert_answered(target.send("PATCH", "/v1/webhook", content=field(where, text)))
        assert_answered(target.send("GET", "/v2/webhook"))
    elif where == "query":
        query = httpx.QueryParams(
            {
                "sort": text.encode("utf-8", "replace").decode()[:1500],
                "status": text.encode("utf-8", "replace").decode()[:500],
            }
        )
        assert_answered(target.send("GET", f"/v1/orders?{query}"))
        assert_answered(target.send("GET", f"/v1/catalog/products?limit=1&{query}"))
    elif where == "key":
        key = (
            text.encode("utf-8", "replace")
            .replace(b"\r", b"")
            .replace(b"\n", b"")
            .replace(b"\0", b"")[:20_000]
        )
        assert_answered(
            target.send(
                "POST",
                "/v1/orders/create",
                headers={"idempotency-key": key},
                content=b'{"product_id":1}',
            )
        )
    else:
        body = json.dumps({"catalog_product_id": 1, where: text}).encode()
        answer = target.send("POST", "/v2/orders/create", content=body)
        assert_answered(answer)
        assert answer.status_code in ((422, 200) if len(body) <= BODY_BYTES_MAX else (413,))


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "where", ["product_id", "catalog_product_id", "quantity", "operator_id", "max_price", "id"]
)
def test_numbers(target: Target, name: str, where: str) -> None:
    """A number of any size or spelling, wherever a number may stand, is taken or refused, never
    rounded into another."""
    path, body = "/v1/orders/create", '{"product_id":2000000000,"%s":%s}'
    if where in ("product_id", "catalog_product_id"):
        body = '{"%s":%s}'
    elif where in ("operator_id", "max_price"):
        body = '{"catalog_product_id":2000000000,"%s":%s}'
    elif where == "id":
        path, body = "/v1/orders/cancel", '{"%s":%s}'
    answer = target.send("POST", path, content=(body % (where, NUMBERS[name])).encode())
    assert_answered(answer)
    assert answer.status_code in (404, 422)


@pytest.mark.parametrize("number", QUERY_NUMBERS, ids=lambda number: number[:12])
@pytest.mark.parametrize(
    "where",
    [
        "orders?limit",
        "orders?offset",
        "catalog/products?limit",
        "catalog/products?page",
        "catalog/products?country_id",
        "catalog/operators?platform_id=1&country_id",
    ],
)
def test_query_numbers(target: Target, number: str, where: str) -> None:
    """A number in a query is taken, moved to the nearest allowed, or refused."""
    answer = target.send("GET", f"/v2/{where}={number}")
    assert_answered(answer)
    assert answer.status_code in (200, 422, 400)


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/orders/create"),
        ("POST", "/v2/orders/reactivate"),
        ("POST", "/v1/orders/finish"),
        ("PATCH", "/v1/webhook"),
    ],
)
def test_bodies(target: Target, name: str, method: str, path: str) -> None:
    """A body that is no such object is refused as a whole."""
    answer = target.send(
        method, path, content=BODIES[name], headers={"content-type": "application/json"}
    )
    assert_answered(answer)
    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize("name", HEADERS)
def test_headers(target: Target, name: str) -> None:
    """Odd headers change nothing about what is asked."""
    assert_answered(target.send("GET", "/v1/balance", headers=HEADERS[name]))
    assert_answered(
        target.send("POST", "/v1/orders/cancel", headers=HEADERS[name], content=b'{"id":1}')
    )


@pytest.mark.parametrize("name", TOKENS)
def test_credentials(target: Target, name: str) -> None:
    """Whatever is no token of ours is unauthorized, also where the real one stands in the query."""
    token = TOKENS[name]
    answer = target.client.get(
        f"/v1/balance?token={target.customer.token}",
        headers={} if token is None else {b"authorization": token},
    )
    assert_answered(answer)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "UNAUTHORIZED"


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path[:30])
def test_paths(target: Target, path: str) -> None:
    """Another spelling of a path is another path, never a redirect."""
    answer = target.send("GET", path)
    assert_answered(answer)
    assert not answer.is_redirect


@pytest.mark.parametrize(
    "method", ["PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "PROPFIND", "FOO"]
)
def test_methods(target: Target, method: str) -> None:
    """A method that a path does not know is refused."""
    answer = target.send(method, "/v1/orders/create")
    assert_answered(answer)
    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize("name", RAW)
def test_raw_bytes(target: Target, name: str) -> None:
    """Bytes that are no request of ours are answered with a plain no, or with the end of the
    connection, in time."""
    with socket.create_connection(
        ("127.0.0.1", target.server.port), timeout=PATIENCE_S
    ) as connection:
        got = b""
        try:
            connection.sendall(RAW[name])
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65_536):
                got += piece
        except (ConnectionError, BrokenPipeError):
            pass  # sent away before everything was sent
    if got:
        status = int(got.split(b" ", 2)[1])
        assert 200 <= status < 500 or status == 505, got
        assert got.count(b"HTTP/1.1 ") == 1, "one request, one answer"


async def test_a_buyer_who_hangs_up_gets_one_order_or_none(target: Target) -> None:
    """A client that goes away in the middle of buying leaves a whole order or nothing, and the
    balance says which."""
    customer = target.server.customer(balance=1_000_000)
    headers = customer.headers
    product = target.client.get(
        "/v1/catalog/products?country_id=6&platform_id=1", headers=headers
    ).json()["data"][0]
    body = json.dumps({"product_id": product["id"]}).encode()
    authority = f"Host: x\r\nAuthorization: Bearer {customer.token}\r\n"
    head = f"POST /v1/orders/create HTTP/1.1\r\n{authority}Content-Length: {len(body)}\r\n\r\n".encode()
    for cut in range(0, len(head + body) + 1, 23):
        with socket.create_connection(
            ("127.0.0.1", target.server.port), timeout=PATIENCE_S
        ) as connection:
            connection.sendall((head + body)[:cut] if cut else head + body)

    async def the_balance_says() -> None:
        """The last request may still be under way when everybody has gone."""
        orders = target.send("GET", "/v1/orders?limit=100", headers=headers).json()["data"]
        balance = target.send("GET", "/v1/balance", headers=headers).json()["data"]["balance"]
        assert balance == 1_000_000 - len(orders) * product["price"]

    await eventually(the_balance_says)


def test_pipelined_requests_are_answered_in_order(target: Target) -> None:
    """Many requests on one connection are answered one by one, or refused beyond the bound."""
    one = f"GET /v1/balance HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {target.customer.token}\r\n\r\n".encode()
    with socket.create_connection(
        ("127.0.0.1", target.server.port), timeout=PATIENCE_S
    ) as connection:
        connection.sendall(one * 50)
        got = b""
        while got.count(b'"success":true') < 50:
            piece = connection.recv(65_536)
            assert piece, got[-300:]
            got += piece
    assert got.count(b"HTTP/1.1 200 ") == 50
