"""The bytes of the smscode API: every answer has exactly the keys that its schema closes, and
nothing is null that may be left out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.support.serving import Server
from tests.support.smscode_keys import CAPABILITIES, CREATED, MONEY, STATUS, SUMMARY

pytestmark = pytest.mark.xdist_group("e2e")

FX = {"pair", "rate", "rate_as_of"}
COUNTRY = {"id", "code", "name", "dial_code", "emoji", "active"}
SERVICE = {"id", "code", "name", "active"}
OPERATOR = {"operator_id", "code", "name", "local_name"}
PRODUCT = {
    "id",
    "name",
    "country_id",
    "platform_id",
    "available",
    "price",
    "active",
    "catalog_product_id",
    "operator_id",
    "operator_name",
}
WEBHOOK = {
    "webhook_url",
    "webhook_secret",
    "webhook_disabled_at",
    "webhook_disabled_reason",
    "webhook_consecutive_failures",
}


class Wire:
    """One version of the API, as bytes on a wire."""

    def __init__(self, server: Server, client: httpx.Client, version: int) -> None:
        """Speak this version."""
        self.server = server
        self.is_v2 = version == 2
        self._client = client
        self._prefix = f"/v{version}"

    def __call__(
        self, method: str, path: str, body: object = None, *, meta: set[str] | None = None
    ) -> Any:
        """Calls and returns the data of a success whose envelope has exactly these keys of meta, or
        none at all."""
        answer = self._client.request(
            method, self._prefix + path, content=None if body is None else json.dumps(body)
        )
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-request-id"]
        assert answer.headers["content-type"].startswith("application/json")
        envelope = answer.json()
        assert envelope.keys() == ({"success", "data", "meta"} if meta else {"success", "data"})
        if meta:
            assert envelope["meta"].keys() == meta
            if "fx" in meta:
                assert envelope["meta"]["fx"].keys() == FX
        return envelope["data"]

    @property
    def fx(self) -> set[str] | None:
        """The meta of an answer with money."""
        return {"fx"} if self.is_v2 else None

    def check_money(self, value: Any, *, decimals: int = 4) -> None:
        """Fails unless the value is an amount of this version: an integer, or a closed object whose
        text has so many decimals."""
        if not self.is_v2:
            assert type(value) is int
            return
        assert value.keys() == set(MONEY)
        assert (
            value["currency"],
            value["canonical_currency"],
            type(value["canonical_amount"]),
        ) == ("USD", "IDR", int)
        assert len(value["amount"].partition(".")[2]) == decimals


@pytest.fixture(params=[1, 2], ids=["v1", "v2"])
def wire(request: pytest.FixtureRequest, sandbox: Server) -> Iterator[Wire]:
    """Each version, as a fresh customer."""
    customer = sandbox.customer()
    with httpx.Client(
        base_url=sandbox.base_url, headers=customer.headers, timeout=60, trust_env=False
    ) as client:
        yield Wire(sandbox, client, request.param)


def test_the_catalogue_is_closed(wire: Wire) -> None:
    """Countries, services, operators, products and the rate have their keys and no other."""
    assert {frozenset(one) for one in wire("GET", "/catalog/countries")} == {frozenset(COUNTRY)}
    assert {frozenset(one) for one in wire("GET", "/catalog/services")} == {frozenset(SERVICE)}
    assert {frozenset(one) for one in wire("GET", "/catalog/services?country_id=6")} == {
        frozenset(SERVICE)
    }
    assert {
        frozenset(one) for one in wire("GET", "/catalog/operators?country_id=6&platform_id=1")
    } == {frozenset(OPERATOR)}
    page = {"page", "limit", "count"} | (wire.fx or set())
    products = wire("GET", "/catalog/products?country_id=6", meta=page)
    assert {frozenset(one) for one in products} == {frozenset(PRODUCT)}
    for one in products:
        wire.check_money(one["price"])
    rate = wire("GET", "/catalog/exchange-rate?pair=USD/IDR")
    assert rate.keys() == (
        FX if wire.is_v2 else {"pair", "base_currency", "quote_currency", "rate"}
    )
    assert type(rate["rate"]) is int


def test_the_life_of_an_order_is_closed(wire: Wire) -> None:
    """From the balance to the reactivation, each answer has its keys and no other."""
    balance = wire("GET", "/balance", meta=wire.fx)
    assert balance.keys() == ({"balance"} if wire.is_v2 else {"currency", "balance"})
    wire.check_money(balance["balance"], decimals=2)
    assert wire("GET", "/orders", meta=wire.fx) == []
    product = wire(
        "GET",
        "/catalog/products?country_id=6&platform_id=1",
        meta={"page", "limit", "count"} | (wire.fx or set()),
    )[-1]
    made = wire(
        "POST", "/orders/create", {"product_id": product["id"], "quantity": 2}, meta=wire.fx
    )
    assert made.keys() == {"orders", "failed_count"}
    for order in made["orders"]:
        assert order.keys() == set(CREATED)
        wire.check_money(order["amount"])
        assert order["phone_number"].startswith("+")
        assert order["otp_code"] is order["otp_received_at"] is order["failed_reason"] is None
    heard, silent = made["orders"]
    assert [order.keys() for order in wire("GET", "/orders/active")] == [set(STATUS), set(STATUS)]
    wire.server.message(heard["phone_number"], "Your code is 482913")
    assert wire("POST", "/orders/resend", {"id": heard["id"]}).keys() == {
        "order_id",
        "status",
        "resent",
    }
    assert wire("POST", "/orders/finish", {"id": heard["id"]}) == {
        "order_id": heard["id"],
        "status": "COMPLETED",
    }
    wire.server.advance(121)
    canceled = wire("POST", "/orders/cancel", {"id": silent["id"]}, meta=wire.fx)
    assert canceled.keys() == {"order_id", "status", "refund_amount", "new_balance"}
    wire.check_money(canceled["refund_amount"])
    wire.check_money(canceled["new_balance"], decimals=2)
    assert wire("GET", f"/orders/{heard['id']}/reactivate-options", meta=wire.fx).keys() == {"cost"}
    child = wire("POST", "/orders/reactivate", {"id": heard["id"]}, meta=wire.fx)
    assert child.keys() == {"orders", "failed_count"}
    assert [order.keys() for order in child["orders"]] == [set(CREATED)]
    listed = wire("GET", "/orders", meta=wire.fx)
    assert len(listed) == 3
    for order in [*listed, wire("GET", f"/orders/{heard['id']}", meta=wire.fx)]:
        assert order.keys() == set(SUMMARY)
        wire.check_money(order["amount"])
        assert all(type(order[name]) is bool for name in CAPABILITIES if name.startswith("can_"))


def test_the_webhook_configuration_is_closed_and_has_no_meta(wire: Wire) -> None:
    """Both versions answer the same five keys."""
    assert wire("GET", "/webhook").keys() == WEBHOOK
    changed = wire(
        "PATCH",
        "/webhook",
        {"webhook_url": wire.server.inbox_url("closed"), "webhook_secret": None},
    )
    assert changed.keys() == WEBHOOK
    assert wire("POST", "/webhook/test").keys() == {"status_code"}


def test_a_replay_has_the_same_bytes_and_says_so(wire: Wire, sandbox: Server) -> None:
    """The second answer of a key equals the first byte for byte, the clock and the rate having
    moved meanwhile."""
    customer = sandbox.customer()
    headers = {**customer.headers, "idempotency-key": "twice"}
    path = f"{sandbox.base_url}/v{2 if wire.is_v2 else 1}"
    products = httpx.get(
        f"{path}/catalog/products?country_id=6&platform_id=1",
        headers=headers,
        timeout=60,
        trust_env=False,
    )
    body = {"product_id": products.json()["data"][0]["id"]}

    def create() -> httpx.Response:
        return httpx.post(
            f"{path}/orders/create", json=body, headers=headers, timeout=60, trust_env=False
        )

    first = create()
    sandbox.advance(300)
    sandbox.rate(17_000)
    try:
        again = create()
    finally:
        sandbox.rate(16_250)
    assert (again.status_code, again.content) == (200, first.content)
    assert (first.headers.get("idempotency-replayed"), again.headers["idempotency-replayed"]) == (
        None,
        "true",
    )
    assert first.headers["x-request-id"] != again.headers["x-request-id"]


async def test_a_reader_can_wait_for_the_next_change(sandbox: Server) -> None:
    """GET /orders/{id}?wait= answers at the order's next change."""
    customer = sandbox.customer()
    async with httpx.AsyncClient(
        base_url=sandbox.base_url, headers=customer.headers, timeout=60, trust_env=False
    ) as client:
        product = (await client.get("/v1/catalog/products?country_id=6&platform_id=1")).json()[
            "data"
        ][0]["id"]
        order = (await client.post("/v1/orders/create", json={"product_id": product})).json()[
            "data"
        ]["orders"][0]
        waiting = asyncio.create_task(client.get(f"/v1/orders/{order['id']}?wait=25"))
        for _ in range(50):  # until one of them arrives after the wait has begun
            await asyncio.to_thread(sandbox.message, order["phone_number"], "Your code is 482913")
            if (await asyncio.wait({waiting}, timeout=0.2))[0]:
                break
        answer = await waiting
        assert answer.json()["data"]["otp_code"] == "482913"
