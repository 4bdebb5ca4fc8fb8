"""Webhooks under fire: a receiver that fails and a server that is killed lose no event, and what
the vendor's SDK is sent it accepts."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import smscode
from tests.support import flaky_receiver
from tests.support.load import Caller, connections
from tests.support.serving import Customer, Server
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("e2e")

CUSTOMERS = 25
ORDERS_EACH = 4
SENDERS = 16
#: The longest delay before a retry, in the desk's time, with its jitter.
RETRY_S = 2_200
#: A killed process's deliveries are taken up by the next when their leases run out, which takes
#: some twenty seconds of real time.
LEASES_S = 90
LOST = (aiohttp.ClientError, TimeoutError, OSError)
#: Keys of every event of an order.
CAPABILITIES = {
    "can_finish",
    "can_resend",
    "can_cancel",
    "can_replace",
    "can_reactivate",
    "resend_available_at",
    "cancel_available_at",
    "replace_available_at",
}
ORDER_DATA = CAPABILITIES | {
    "order_id",
    "phone_number",
    "otp_code",
    "otp_message",
    "sms_revision",
    "product_id",
    "catalog_product_id",
    "country",
    "platform",
    "operator_id",
    "operator_name",
}

_log = logging.getLogger(__name__)


class Receiver:
    """The flaky receiver's process, and what it wrote."""

    def __init__(self, log: Path) -> None:
        """Start it."""
        self._log = log
        command = [sys.executable, flaky_receiver.__file__, str(log)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def requests(self) -> list[dict[str, Any]]:
        """Returns every request that it read whole."""
        return (
            [json.loads(line) for line in self._log.read_text().splitlines()]
            if self._log.exists()
            else []
        )

    def close(self) -> None:
        """Ends it."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    """A receiver that fails three times in ten."""
    started = Receiver(tmp_path / "received.jsonl")
    yield started
    started.close()


@pytest.mark.parametrize(
    ("events", "kills"),
    [
        pytest.param(1_000, 5, id="1,000 events", marks=pytest.mark.timeout(600)),
        pytest.param(
            10_000, 10, id="10,000 events", marks=[pytest.mark.soak, pytest.mark.timeout(1200)]
        ),
    ],
)
async def test_no_event_is_lost(
    start_server: Callable[..., Server], receiver: Receiver, events: int, kills: int
) -> None:
    """Every event is delivered at least once, with the same body at each try, though receiver and
    server fail all the time."""
    targets = f"127.0.0.1:{receiver.port}"
    server = start_server(
        env={"NUMDESK_RATE_LIMITS": "off", "NUMDESK_SANDBOX_WEBHOOK_TARGETS": targets}
    )
    customers = [
        server.customer(webhook_url=f"http://{targets}/customer/{number}")
        for number in range(CUSTOMERS)
    ]
    async with connections(SENDERS) as session:
        numbers = await _buy(session, customers)
        acknowledged = await _send(server, session, numbers, events=events, kills=kills)
        await _wait_until_delivered(server, receiver, acknowledged)
        for customer in customers:
            config = (await Caller(session, customer).get("/v1/webhook")).data
            assert config["webhook_disabled_at"] is None
    _check(receiver.requests(), acknowledged)


async def _buy(session: aiohttp.ClientSession, customers: list[Customer]) -> list[str]:
    """Buys some numbers for each customer and returns them."""
    caller = Caller(session, customers[0])
    product = (await caller.get("/v1/catalog/products?country_id=6&platform_id=1")).data[0]["id"]
    body = {"product_id": product, "quantity": ORDERS_EACH}
    made = await asyncio.gather(
        *(Caller(session, customer).post("/v1/orders/create", body) for customer in customers)
    )
    return [order["phone_number"] for answer in made for order in answer.data["orders"]]


async def _send(
    server: Server, session: aiohttp.ClientSession, numbers: list[str], *, events: int, kills: int
) -> set[str]:
    """Lets so many messages arrive while the server is killed again and again.

    Returns the texts of those acknowledged.
    """
    acknowledged: set[str] = set()
    serials = itertools.count(1)
    url = f"{server.base_url}/sandbox/v1/messages"

    async def sender(number: int) -> None:
        while len(acknowledged) < events:
            text = f"message {next(serials)}: your code is {number + 100_000}"
            with suppress(*LOST):
                body = {"to": numbers[next(places) % len(numbers)], "from": "Storm", "text": text}
                async with session.post(url, json=body) as answer:
                    if answer.status == 200:
                        acknowledged.add(text)
                        continue
                    assert answer.status == 503, await answer.text()
            await asyncio.sleep(0.02)

    async def killer() -> None:
        for kill in range(1, kills + 1):

            async def enough(wanted: int = events * kill // (kills + 1)) -> None:
                assert len(acknowledged) >= wanted

            await eventually(enough, within_s=120)
            await asyncio.to_thread(server.kill9)
            await asyncio.to_thread(server.start)

    places = itertools.count()
    await asyncio.gather(killer(), *(sender(number) for number in range(SENDERS)))
    return acknowledged


async def _wait_until_delivered(server: Server, receiver: Receiver, acknowledged: set[str]) -> None:
    """Brings retries forward until every acknowledged text was taken once."""

    async def all_there() -> None:
        taken = {_text_of(one) for one in receiver.requests() if one["way"] == "200"}
        if missing := acknowledged - taken:
            await asyncio.to_thread(server.advance, RETRY_S)
        assert not missing, f"{len(missing)} events were not delivered, such as {min(missing)!r}"

    await eventually(all_there, within_s=LEASES_S, every_s=0.2)


def _text_of(request: dict[str, Any]) -> str | None:
    return json.loads(request["body"])["data"]["otp_message"]


def _check(requests: list[dict[str, Any]], acknowledged: set[str]) -> None:
    """Fails when a body changed between tries, or an event has two deliveries."""
    bodies: dict[str, set[str]] = defaultdict(set)
    deliveries: dict[str, set[str]] = defaultdict(set)
    for one in requests:
        bodies[one["delivery"]].add(one["sha256"])
        if json.loads(one["body"])["event"] == "order.otp_received":
            deliveries[str(_text_of(one))].add(one["delivery"])
    ways = Counter(one["way"] for one in requests)
    _log.info(
        "%d events, %d deliveries, %d tries: %s",
        len(acknowledged),
        len(bodies),
        len(requests),
        dict(ways),
    )
    assert {len(digests) for digests in bodies.values()} == {1}
    assert {len(ids) for ids in deliveries.values()} == {1}
    assert 0.15 < 1 - ways["200"] / len(requests) < 0.4, (
        "the receiver was to fail about three times in ten"
    )


class TestBodies:
    """What arrives in the sandbox's inbox."""

    async def test_every_event_is_closed_signed_and_known_to_the_sdk(self, sandbox: Server) -> None:
        """Each event has the keys of its kind and no other, and the SDK verifies its signature and
        parses it."""
        box = "bodies"
        customer = sandbox.customer(webhook_url=sandbox.inbox_url(box))
        with smscode.SmscodeClient(token=customer.token, base_url=sandbox.base_url) as client:
            secret = client.webhook.get().webhook_secret
            assert secret
            client.webhook.test()
            tier = client.v1.catalog.products(country_id=6, platform_id=1).products[0].id
            orders = client.v1.orders.create(product_id=tier, quantity=4).orders
            heard, noted, canceled, expired = (order["id"] for order in orders)
            sandbox.message(orders[0]["phone_number"], "Your code is 482913")
            sandbox.message(orders[1]["phone_number"], "Open https://example.com/confirm to go on")
            client.v1.orders.finish(heard)
            sandbox.advance(121)
            client.v1.orders.cancel(canceled)
            sandbox.advance(20 * 60)
        items = await eventually(lambda: self._seven(sandbox, box))
        found = Counter()
        for item in items:
            body = item["body"].encode()
            assert smscode.verify_webhook_signature(
                body, item["headers"]["x-webhook-signature"], secret
            )
            assert not smscode.verify_webhook_signature(
                body + b" ", item["headers"]["x-webhook-signature"], secret
            )
            event = smscode.parse_webhook_event(body)
            assert list(event) == ["event", "timestamp", "data"]
            assert event["timestamp"].endswith("+00:00")
            if event["event"] == "webhook.test":
                assert event["data"].keys() == {"message"}
                continue
            data = event["data"]
            assert data.keys() == ORDER_DATA
            assert (data["sms_revision"] is None) == (event["event"] != "order.otp_received")
            assert (data["country"], data["platform"]) == ("Indonesia", "Telegram")
            found[event["event"], data["order_id"], data["otp_code"]] += 1
        assert found == {
            ("order.otp_received", heard, "482913"): 1,
            ("order.completed", heard, "482913"): 1,
            ("order.otp_received", noted, None): 1,
            ("order.completed", noted, None): 1,
            ("order.canceled", canceled, None): 1,
            ("order.expired", expired, None): 1,
        }

    async def test_an_endpoint_that_always_fails_is_switched_off(self, sandbox: Server) -> None:
        """Ten failures in a row switch an endpoint off with the vendor's reason, and configuring it
        anew switches it on."""
        customer = sandbox.customer(webhook_url=sandbox.inbox_url("always", "?status=500"))
        with smscode.SmscodeClient(token=customer.token, base_url=sandbox.base_url) as client:
            tier = client.v1.catalog.products(country_id=6, platform_id=1).products[0].id
            order = client.v1.orders.create(product_id=tier).orders[0]
            for number in range(4):
                sandbox.message(order["phone_number"], f"Your code is 48291{number}")

            async def is_off() -> None:
                """Each try after the first waits for the desk's clock."""
                sandbox.advance(RETRY_S)
                config = client.webhook.get()
                assert config.webhook_disabled_reason == "consecutive_failed_user_endpoint"
                assert config.webhook_consecutive_failures >= 10

            await eventually(is_off)
            config = client.webhook.update(webhook_url=sandbox.inbox_url("always"))
            assert (config.webhook_disabled_at, config.webhook_consecutive_failures) == (None, 0)

    @staticmethod
    async def _seven(sandbox: Server, box: str) -> list[dict[str, Any]]:
        """Returns what the box has got, which must be seven events, or moves the clock a little:
        one that failed is tried again."""
        arrived = sandbox.inbox(box)
        # Where an answer came too late for the sender, the same delivery arrives once more.
        items = list({item["headers"]["x-webhook-delivery"]: item for item in arrived}.values())
        if len(items) < 7:
            sandbox.advance(60)
        assert len(items) == 7, f"{len(items)} events arrived: {arrived}"
        return items
