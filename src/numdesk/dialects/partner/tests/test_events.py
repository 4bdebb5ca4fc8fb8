"""Tests of the partner webhooks: bodies that survive JavaScript, both signatures, a time per
attempt.
"""

from __future__ import annotations

import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from numdesk.dialects.partner.events import EVENTS, PartnerEvents
from numdesk.dialects.partner.javascript_json import parse, stringify
from numdesk.ports.rendering import EventFacts, EventRenderer, Post, StampedRenderer

AT = datetime(2026, 3, 1, 12, 5, 0, 123_456, tzinfo=UTC)
WALL = datetime(2026, 3, 2, 9, 0, 0, 250_000, tzinfo=UTC)
SECRET = b"sk_test_secret"
EPOCH = int(AT.timestamp())
PAYMENT = {
    "v": 1,
    "invoice": "inv_1",
    "provider": "cryptomus",
    "amount": 50_000,
    "final_amount": 45_000,
}
PAYMENT_JSON = (
    '"invoiceId":"inv_1","provider":"cryptomus","amount":500,"finalAmount":450,"currency":"EUR"'
)
DOCUMENTS: dict[str, dict[str, Any]] = {
    "rental.message": {
        "v": 1,
        "rental": "num_1",
        "msisdn": 34600000001,
        "sender": "Google",
        "text": 'G-"é✓',
        "received_at": EPOCH,
    },
    "rental.expired": {
        "v": 1,
        "rental": "num_1",
        "msisdn": 34600000001,
        "country": "Spain",
        "rent_type": 1,
        "expired_at": EPOCH,
    },
    "balance.low": {"v": 1, "balance": 950, "available": 905, "threshold": 1000},
    "payment.completed": {**PAYMENT, "transaction": "tx_1", "paid_at": EPOCH},
    "payment.failed": {**PAYMENT, "reason": "expired"},
}


def post_of(
    kind: str, *, wall: datetime = WALL, delivery_id: str = "whd_7", **changes: Any
) -> Post:
    """Return what an attempt at an event of this kind sends."""
    facts = EventFacts(1, kind, AT, {**DOCUMENTS[kind], **changes})
    post = PartnerEvents().post(facts, secret=SECRET, delivery_id=delivery_id, wall=wall)
    assert post is not None
    return post


def signature(body: str) -> str:
    """Return the signature that the vendor's receiver computes."""
    return hmac.new(SECRET, body.encode(), "sha256").hexdigest()


class TestBodies:
    """What each event tells."""

    @pytest.mark.parametrize(
        ("kind", "data"),
        [
            (
                "rental.message",
                '{"numberId":"num_1","number":"+34600000001","from":"Google","message":"G-\\"é✓","receivedAt":"2026-03-01T12:05:00Z"}',
            ),
            (
                "rental.expired",
                '{"numberId":"num_1","number":"+34600000001","country":"Spain","rentType":"LONG","expiredAt":"2026-03-01T12:05:00Z"}',
            ),
            ("balance.low", '{"balance":9.5,"available":9.05,"threshold":10,"currency":"EUR"}'),
            (
                "payment.completed",
                f'{{{PAYMENT_JSON},"status":"completed","transactionId":"tx_1","paidAt":"2026-03-01T12:05:00Z"}}',
            ),
            (
                "payment.failed",
                f'{{{PAYMENT_JSON},"status":"failed","reason":"expired"}}',
            ),
        ],
    )
    def test_are_the_vendors(self, kind: str, data: str) -> None:
        """Event, data, id, time and signature stand in the vendor's order, byte for byte."""
        post = post_of(kind)
        body = json.loads(post.body)
        start = (
            f'{{"event":"{EVENTS[kind][0]}","data":{data},'
            f'"webhookId":"{body["webhookId"]}","timestamp":"1772442000250"'
        )
        assert post.body.decode() == f'{start},"signature":"{signature(start + "}")}"}}'

    @pytest.mark.parametrize("kind", DOCUMENTS)
    def test_survive_javascript(self, kind: str) -> None:
        """Parsed and written again they are the same bytes, which is what receivers sign."""
        body = post_of(kind).body.decode()
        assert stringify(parse(body)) == body

    def test_hold_no_halves_of_characters(self) -> None:
        """Half a surrogate pair would be changed by a receiver's parser, and is replaced."""
        assert (
            json.loads(post_of("rental.message", text="a\ud800b").body)["data"]["message"]
            == "a\ufffdb"
        )

    def test_are_not_made_of_other_events(self) -> None:
        """What the vendor has no word for is not sent, and nothing unsigned is."""
        events = PartnerEvents()
        assert (
            events.post(
                EventFacts(1, "order.received", AT, {}),
                secret=SECRET,
                delivery_id="whd_7",
                wall=WALL,
            )
            is None
        )
        assert (
            events.post(
                EventFacts(1, "balance.low", AT, DOCUMENTS["balance.low"]),
                secret=None,
                delivery_id="whd_7",
                wall=WALL,
            )
            is None
        )

    def test_need_the_time_of_the_attempt(self) -> None:
        """The renderer is one of those that make body and headers together."""
        events = PartnerEvents()
        assert isinstance(events, StampedRenderer)
        plain: EventRenderer = events
        assert plain.render(EventFacts(1, "balance.low", AT, DOCUMENTS["balance.low"])) is None
        assert plain.headers(b"", secret=SECRET, delivery_id="whd_7") == {}


class TestAttempts:
    """One delivery, several attempts."""

    def test_are_signed_over_the_final_bytes(self) -> None:
        """The header signs all of the body; without its last field the body's own signature
        holds.
        """
        post = post_of("rental.message")
        assert post.headers == {
            "Content-Type": "application/json",
            "X-Webhook-Signature": signature(post.body.decode()),
            "X-Webhook-Timestamp": "1772442000250",
        }
        body = json.loads(post.body)
        inner = body.pop("signature")
        assert inner == signature(stringify(body))
        assert body["timestamp"] == post.headers["X-Webhook-Timestamp"]

    def test_differ_in_time_and_signatures_only(self) -> None:
        """A later attempt has a new time and new signatures, and the id of the first; another
        delivery has another id.
        """
        first, second = (
            json.loads(post_of("balance.low", wall=WALL + timedelta(seconds=s)).body)
            for s in (0, 30)
        )
        assert {key for key in first if first[key] != second[key]} == {"timestamp", "signature"}
        other = json.loads(post_of("balance.low", delivery_id="whd_8").body)
        assert other["webhookId"] != first["webhookId"]
        assert first["webhookId"].startswith("wh_")
        assert len(first["webhookId"]) == 19

    def test_are_three(self) -> None:
        """The vendor promises at most three attempts."""
        assert len(PartnerEvents.retry_delays_s) == 2
