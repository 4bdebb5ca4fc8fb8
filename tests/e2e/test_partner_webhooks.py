"""Webhooks of the partner API at a receiver written in JavaScript, as its integrators write it: it
takes what was sent, no other."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest
from tests.support.node import Node
from tests.support.partner import Keys, new_partner, send, webhooks, with_event
from tests.support.serving import Server
from tests.support.waiting import eventually

from numdesk.kit.clock import Clock

pytestmark = pytest.mark.xdist_group("e2e")

EVENTS = ("sms.received", "number.expired", "balance.low", "payment.completed", "payment.failed")
#: What other writers of JSON would escape, or the receiver's parser might change.
TEXT = 'Код 482913 "caf\u00e9" \u2028 </b> \\ \U0001f44b \u007f 27.00'
A_DAY_S = 24 * 3600
MINUTES_5_MS = 5 * 60 * 1000
BOX = "partner"

Item = Mapping[str, Any]


@pytest.fixture(scope="module")
def partner(sandbox: Server) -> Keys:
    """A partner with a webhook and little money."""
    return new_partner(sandbox, balance=13_00, webhook_url=sandbox.inbox_url(BOX))


@pytest.fixture(scope="module")
def sent(sandbox: Server, node: Node, partner: Keys) -> dict[str, dict[str, Any]]:
    """A webhook of every event, with its bytes and headers: a rental hears, ends and costs the last
    money; one invoice is paid, one not."""
    hour = {"country": "Spain", "rentType": "SHORT", "serviceIds": ["google"]}
    day = {"country": "Spain", "rentType": "LONG", "serviceIds": ["google"], "period": "1"}
    invoice = {"amount": 500, "provider": "cryptomus"}
    rental, _, paid, _ = send(
        node,
        partner,
        ("POST", "/numbers/rent", hour),
        ("POST", "/numbers/rent", day),
        ("POST", "/wallet/topup", invoice),
        ("POST", "/wallet/topup", {**invoice, "amount": 100.5}),
    )
    sandbox.message(rental["data"]["number"], TEXT, sender="Google")
    sandbox.ask("POST", f"/topups/{paid['data']['invoiceId']}/pay", {})
    webhooks(sandbox, BOX, "sms.received", "balance.low", "payment.completed")
    sandbox.advance(2 * A_DAY_S)
    return webhooks(sandbox, BOX, *EVENTS)


@pytest.fixture(scope="module")
def receiver(node: Node, partner: Keys) -> Iterator[str]:
    """The receiver with the partner's secret."""
    with node.receiver(partner["secret_key"]) as url:
        yield url


@pytest.fixture(scope="module")
def resend(receiver: str) -> Callable[..., int]:
    """Sends a webhook on to the receiver, with changes, and returns its status."""

    def send_on(
        item: Item, *, to: str = "/webhooks", body: str | None = None, **headers: str
    ) -> int:
        said = {**lower(item), **{name.replace("_", "-"): value for name, value in headers.items()}}
        kept = {
            name: value
            for name, value in said.items()
            if name.startswith("x-") or name == "content-type"
        }
        return post(receiver + to, item["body"] if body is None else body, kept)

    return send_on


def post(url: str, body: str, headers: Mapping[str, str]) -> int:
    """Posts text and returns the status of the answer."""
    return httpx.post(
        url, content=body.encode(), headers=dict(headers), timeout=60, trust_env=False
    ).status_code


def lower(item: Item) -> dict[str, str]:
    """Returns the headers of a webhook by their names in lower case."""
    return {name.lower(): value for name, value in item["headers"].items()}


@pytest.mark.parametrize("event", EVENTS)
class TestEveryEvent:
    """Each kind of event, from the server's bytes to the receiver's word."""

    def test_is_accepted(
        self, sent: Mapping[str, Item], resend: Callable[..., int], event: str
    ) -> None:
        """The signature in the header is over the whole body as Express reads it, the one inside
        over the body without it."""
        assert resend(sent[event]) == 200
        assert resend(sent[event], to="/inner") == 200

    def test_has_the_vendors_form(self, sent: Mapping[str, Item], event: str) -> None:
        """Keys in order, one time in body and header, bare hex of 64 letters: with a prefix
        timingSafeEqual would throw."""
        body, headers = json.loads(sent[event]["body"]), lower(sent[event])
        assert list(body) == ["event", "data", "webhookId", "timestamp", "signature"]
        assert (body["event"], body["timestamp"]) == (event, headers["x-webhook-timestamp"])
        assert re.fullmatch(r"[0-9]{13}", body["timestamp"])
        assert re.fullmatch(r"wh_\w+", body["webhookId"])
        for signature in (body["signature"], headers["x-webhook-signature"]):
            assert re.fullmatch(r"[0-9a-f]{64}", signature)
        assert headers["content-type"] == "application/json"

    def test_is_refused_when_it_was_altered(
        self, sent: Mapping[str, Item], resend: Callable[..., int], event: str
    ) -> None:
        """Another event, another value or one key more is 401."""
        body = sent[event]["body"]
        assert resend(sent[event], body=body.replace(event, "payment.refunded")) == 401
        assert (
            resend(sent[event], body=body.replace('"webhookId":"wh_', '"webhookId":"wh_0')) == 401
        )
        assert resend(sent[event], body=body.replace('"data":{', '"data":{"admin":true,')) == 401

    def test_is_refused_when_it_is_old(
        self, sent: Mapping[str, Item], resend: Callable[..., int], event: str
    ) -> None:
        """More than five minutes by the header, in either direction from when it is received, is
        401."""
        for off in (-MINUTES_5_MS, MINUTES_5_MS):
            received_at = int(Clock().wall().timestamp() * 1000)  # it was sent some time ago
            assert resend(sent[event], x_webhook_timestamp=str(received_at + off + off // 5)) == 401

    def test_is_refused_when_other_json_was_signed(
        self, sent: Mapping[str, Item], resend: Callable[..., int], partner: Keys, event: str
    ) -> None:
        """Who signs JSON with spaces is refused, as the receiver signs what JavaScript writes.

        The server never sends such.
        """
        spaced = json.dumps(json.loads(sent[event]["body"]), ensure_ascii=False)
        signature = hmac.new(
            partner["secret_key"].encode(), spaced.encode(), hashlib.sha256
        ).hexdigest()
        assert resend(sent[event], body=spaced, x_webhook_signature=signature) == 401
        assert resend(sent[event], body=spaced) == 200, (
            "the space itself does no harm: the receiver does not see it"
        )


def test_tells_what_happened(sent: Mapping[str, Item], partner: Keys, node: Node) -> None:
    """Data have the vendor's keys and values; amounts are in euros as JavaScript writes numbers."""
    data = {event: json.loads(sent[event]["body"])["data"] for event in EVENTS}
    message = data["sms.received"]
    assert list(message) == ["numberId", "number", "from", "message", "receivedAt"]
    assert (message["from"], message["message"]) == ("Google", TEXT)
    expired = data["number.expired"]
    assert (expired["numberId"], expired["number"]) == (message["numberId"], message["number"])
    assert (expired["country"], expired["rentType"]) == ("Spain", "SHORT")
    assert data["balance.low"] == {
        "balance": 9.7,
        "available": 9.7,
        "threshold": 10,
        "currency": "EUR",
    }
    paid = data["payment.completed"]
    assert (paid["amount"], paid["finalAmount"], paid["currency"], paid["status"]) == (
        500,
        450,
        "EUR",
        "completed",
    )
    unpaid = data["payment.failed"]
    assert (unpaid["amount"], unpaid["finalAmount"], unpaid["status"]) == (100.5, 95.48, "failed")
    [history] = send(node, partner, ("GET", "/wallet/transactions"))
    assert paid["transactionId"] in [
        line["id"] for line in history["data"] if line["type"] == "topup"
    ]


async def test_each_of_three_attempts_is_fresh(sandbox: Server, node: Node) -> None:
    """A receiver that fails is tried three times: one webhookId, but a time and signatures of the
    attempt's own, so none is too old."""
    box = "failing-partner"
    partner = new_partner(sandbox, webhook_url=sandbox.inbox_url(box, "?status=503"))
    [rental] = send(
        node,
        partner,
        (
            "POST",
            "/numbers/rent",
            {"country": "Spain", "rentType": "SHORT", "serviceIds": ["google"]},
        ),
    )
    sandbox.message(rental["data"]["number"], TEXT)

    async def three() -> list[dict[str, Any]]:
        found = [one for one in sandbox.inbox(box) if with_event(one)["event"] == "sms.received"]
        if len(found) < 3:
            sandbox.advance(30)
        assert len(found) == 3
        return found

    await eventually(three)
    sandbox.advance(A_DAY_S)
    attempts = await three()
    bodies = [json.loads(one["body"]) for one in attempts]
    assert len({body["webhookId"] for body in bodies}) == 1
    assert len({body["timestamp"] for body in bodies}) == 3
    with node.receiver(partner["secret_key"]) as url:
        for one in attempts:
            assert post(f"{url}/webhooks", one["body"], lower(one)) == 200
