"""Top-ups over real HTTP: our server, the make-believe gateways inside it, and their callbacks back
to its door."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import aiohttp
import asyncpg
import httpx
import pytest
from tests.support.serving import ANSWERED_WITHIN_S, Server
from tests.support.waiting import eventually

from numdesk.kit.clock import Clock
from numdesk.storage.database.cluster import Cluster

pytestmark = pytest.mark.xdist_group("e2e")

StartServer = Callable[..., Server]


class Partner:
    """A customer of the signed API."""

    def __init__(self, server: Server) -> None:
        made = server.ask("POST", "/customers", {"dialect": "partner", "balance": 0})
        self._keys = made["api_key"], made["secret_key"].encode()
        self._server = server

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Makes a signed call and returns its data."""
        text = json.dumps(body, separators=(",", ":")) if body is not None else ""
        stamp = str(int(Clock().wall().timestamp() * 1000))
        signed = f"{stamp}{method}/api/v1{path}{text or '{}'}".encode()
        headers = {
            "X-Api-Key": self._keys[0],
            "X-Timestamp": stamp,
            "X-Signature": hmac.new(self._keys[1], signed, hashlib.sha256).hexdigest(),
            "Content-Type": "application/json",
        }
        answer = httpx.request(
            method,
            f"{self._server.base_url}/api/v1{path}",
            content=text,
            headers=headers,
            timeout=ANSWERED_WITHIN_S,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def top_up(self, amount: int, provider: str) -> str:
        """Wants a top-up and returns its invoice id."""
        return self.call("POST", "/wallet/topup", {"amount": amount, "provider": provider})[
            "invoiceId"
        ]

    def balance(self) -> float:
        """Returns what the wallet holds."""
        return self.call("GET", "/wallet/balance")["balance"]


@pytest.fixture
def partner(sandbox: Server) -> Partner:
    """A customer with an empty wallet."""
    return Partner(sandbox)


@pytest.mark.parametrize("provider", ["cryptomus", "nowpayments"])
class TestPay:
    """A payment, from the invoice to the wallet."""

    async def test_credits_what_was_ordered(
        self, sandbox: Server, partner: Partner, provider: str
    ) -> None:
        """450 euro are due for 500, and bring 500, told by three copies of a callback."""
        invoice = partner.top_up(500, provider)
        paid = sandbox.ask("POST", f"/topups/{invoice}/pay", {"times": 3})
        assert paid["callbacks"] == 3
        await eventually(lambda: has(partner, 500.0))

    async def test_credits_a_part_once_it_is_closed(
        self, sandbox: Server, partner: Partner, provider: str
    ) -> None:
        """A part that may still grow is no credit, one that the gateway has closed brings its
        share; with the rest the whole is there."""
        invoice = partner.top_up(200, provider)
        sandbox.ask("POST", f"/topups/{invoice}/pay", {"amount": "90.00"})
        await eventually(lambda: has(partner, 94.73 if provider == "nowpayments" else 0.0))
        sandbox.ask("POST", f"/topups/{invoice}/pay", {"amount": "100.00"})
        await eventually(lambda: has(partner, 190.0, most=200.0))

    def test_changes_nothing_without_a_signature(
        self, sandbox: Server, partner: Partner, provider: str
    ) -> None:
        """A callback that somebody made up gets 400."""
        invoice = partner.top_up(500, provider)
        body = {
            "order_id": invoice,
            "uuid": "x",
            "status": "paid",
            "payment_status": "finished",
            "sign": "0" * 32,
        }
        headers = {"x-nowpayments-sig": "0" * 128}
        answer = httpx.post(
            f"{sandbox.base_url}/callbacks/{provider}",
            json=body,
            headers=headers,
            timeout=ANSWERED_WITHIN_S,
        )
        assert (answer.status_code, partner.balance()) == (400, 0)


def test_bounds_what_a_callback_may_be(sandbox: Server) -> None:
    """A body above 16 KiB is told so; other methods and gateways have no door."""
    url = f"{sandbox.base_url}/callbacks/cryptomus"
    assert httpx.post(url, content=b"x" * 70_000, timeout=ANSWERED_WITHIN_S).status_code == 413
    assert httpx.get(url, timeout=ANSWERED_WITHIN_S).status_code == 405
    assert (
        httpx.post(
            f"{sandbox.base_url}/callbacks/paypal", content=b"{}", timeout=ANSWERED_WITHIN_S
        ).status_code
        == 404
    )


@pytest.mark.timeout(600)
async def test_a_thousand_callbacks_and_a_hundred_after_a_crash_credit_once(
    start_server: StartServer,
) -> None:
    """A thousand copies at two processes and a hundred more after kill -9 and a restart: eleven
    hundred answers 200, one credit."""
    server = start_server(workers=2)
    partner = Partner(server)
    invoice = partner.top_up(500, "cryptomus")
    assert server.ask("POST", f"/topups/{invoice}/pay", {"times": 1_000})["callbacks"] == 1_000
    body = await _kept_body(server)
    url = f"{server.base_url}/callbacks/cryptomus"
    assert await _post(url, body, times=1_000) == [200] * 1_000
    server.kill9()
    server.start()
    assert await _post(url, body, times=100) == [200] * 100

    async def is_credited() -> None:
        """Whoever was looking into the callback may be dead, and its lease with it: the poller does
        not wait for that."""
        server.advance(7_200)
        await has(partner, 500.0)

    await eventually(is_credited)
    server.advance(7_200)
    assert partner.balance() == 500.0
    assert [line["amount"] for line in partner.call("GET", "/wallet/transactions")] == [500.0]


@pytest.mark.timeout(600)
async def test_kill_9_at_any_moment_of_a_payment_loses_and_doubles_nothing(
    start_server: StartServer,
) -> None:
    """Killed while the gateway calls back and we read back, at one moment after another: each
    top-up is credited once in the end."""
    server = start_server()
    partner = Partner(server)
    for count, moment_s in enumerate((0.0, 0.02, 0.06, 0.15, 0.4), start=1):
        invoice = partner.top_up(500, "cryptomus" if count % 2 else "nowpayments")
        paying = asyncio.ensure_future(
            asyncio.to_thread(server.ask, "POST", f"/topups/{invoice}/pay", {"times": 20})
        )
        await asyncio.wait({paying}, timeout=moment_s)
        server.kill9()
        await asyncio.gather(
            paying, return_exceptions=True
        )  # whether it was answered depends on the moment
        server.start()
        server.ask(
            "POST", f"/topups/{invoice}/pay"
        )  # what is still due: nothing, if the payment outlived the kill

        async def is_credited(total: float = 500.0 * count) -> None:
            """The first poll may meet a gateway that has just begun, too."""
            server.advance(3_700)
            await has(partner, total)

        await eventually(is_credited)
    server.advance(3_700)
    await has(partner, 2500.0)
    server.check_ledger()


async def has(partner: Partner, least: float, *, most: float | None = None) -> None:
    """Fails unless the partner's wallet holds this, or something from `least` to `most`."""
    assert least <= partner.balance() <= (least if most is None else most)


async def _kept_body(server: Server) -> bytes:
    """Returns the callback as it was kept, which must be there once."""
    connection = await asyncpg.connect(Cluster.of(server.data).dsn())
    try:
        (row,) = await connection.fetch("select body from payment_inbox")
        return bytes(row["body"])
    finally:
        await connection.close()


async def _post(url: str, body: bytes, *, times: int) -> list[int]:
    """Posts the same bytes many times at once and returns the statuses."""

    async def one(session: aiohttp.ClientSession) -> int:
        async with session.post(url, data=body) as answer:
            return answer.status

    async with aiohttp.ClientSession() as session:
        return list(await asyncio.gather(*(one(session) for _ in range(times))))
