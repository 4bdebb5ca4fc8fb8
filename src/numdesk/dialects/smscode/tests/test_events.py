"""Tests of the smscode webhooks: closed bodies and signatures that the vendor's SDK verifies."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from smscode.webhook import WEBHOOK_EVENTS, parse_webhook_event, verify_webhook_signature

from numdesk.dialects.smscode.events import EVENTS, SmscodeEvents
from numdesk.domain.orders.lifecycle import State
from numdesk.ports.rendering import EventFacts

NOW = datetime(2026, 3, 1, 12, 5, 0, 123_456, tzinfo=UTC)
KEYS = [
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
    "can_finish",
    "can_resend",
    "can_cancel",
    "can_replace",
    "can_reactivate",
    "resend_available_at",
    "cancel_available_at",
    "replace_available_at",
]
DOCUMENT = {
    "v": 1,
    "id": 9,
    "state": 2,
    "offer": 142,
    "catalogue": 87,
    "country": "Indonesia",
    "service": "WhatsApp",
    "operator": None,
    "operator_name": None,
    "msisdn": 62_000_000_001,
    "currency": "IDR",
    "price": 15_000,
    "created_at": NOW.timestamp() - 60,
    "expires_at": NOW.timestamp() + 1140,
    "otp_code": "482913",
    "otp_message": "Code ✓ 482913",
    "sms_revision": 2,
    "first_sms_at": NOW.timestamp() - 5,
    "resend_at": None,
    "ended_at": None,
    "reactivatable": True,
}
STATES = {
    "order.received": State.RECEIVED,
    "order.completed": State.COMPLETED,
    "order.canceled": State.CANCELED,
    "order.expired": State.EXPIRED,
}


def body_of(kind: str, **changes: Any) -> bytes:
    """Return the body of an event of this kind."""
    document = {**DOCUMENT, "state": int(STATES[kind]), **changes} if kind in STATES else changes
    body = SmscodeEvents().render(EventFacts(1, kind, NOW, document))
    assert body is not None
    return body


class TestRender:
    """The bodies."""

    @pytest.mark.parametrize("kind", STATES)
    def test_has_all_keys_of_an_order(self, kind: str) -> None:
        """Every event of an order has the same 19 keys in their order, and the SDK knows its
        name.
        """
        event = parse_webhook_event(body_of(kind))
        assert list(event) == ["event", "timestamp", "data"]
        assert event["timestamp"] == "2026-03-01T12:05:00+00:00"
        assert list(event["data"]) == KEYS

    def test_tells_the_revision_with_messages_only(self) -> None:
        """The revision says which message this is, so an ending has none."""
        revisions = {kind: json.loads(body_of(kind))["data"]["sms_revision"] for kind in STATES}
        assert revisions == {
            "order.received": 2,
            "order.completed": None,
            "order.canceled": None,
            "order.expired": None,
        }

    def test_tells_what_could_be_done_at_the_moment(self) -> None:
        """Capabilities are those of the event's moment, whenever it is rendered."""
        received = json.loads(body_of("order.received"))["data"]
        assert (received["can_finish"], received["can_resend"], received["can_cancel"]) == (
            True,
            True,
            False,
        )
        assert json.loads(body_of("order.completed"))["data"]["can_reactivate"] is True
        assert (
            json.loads(body_of("order.received", resend_at=NOW.timestamp() + 30))["data"][
                "can_resend"
            ]
            is False
        )

    def test_keeps_the_text_exactly(self) -> None:
        """The message is told as it came, also beyond ASCII and without a code."""
        data = json.loads(body_of("order.received", otp_code=None))["data"]
        assert (data["otp_message"], data["otp_code"]) == ("Code ✓ 482913", None)

    def test_renders_a_test(self) -> None:
        """The test event carries its message and nothing else."""
        assert parse_webhook_event(body_of("webhook.test", message="hello"))["data"] == {
            "message": "hello"
        }

    def test_has_no_body_for_words_unknown_to_the_sdk(self) -> None:
        """An event that the vendor has no word for has no body."""
        assert set(EVENTS.values()) == WEBHOOK_EVENTS
        assert SmscodeEvents().render(EventFacts(1, "order.created", NOW, DOCUMENT)) is None

    def test_repeats_the_same_bytes(self) -> None:
        """A retry sends the same bytes, so its signature stays good."""
        assert body_of("order.received") == body_of("order.received")


class TestHeaders:
    """What goes with the body."""

    def test_are_signed_so_that_the_sdk_verifies(self) -> None:
        """The SDK accepts the signature, and no other body or secret."""
        body = body_of("order.received")
        headers = SmscodeEvents().headers(body, secret=b"s3cret", delivery_id="whd_1")
        assert verify_webhook_signature(body, headers["X-Webhook-Signature"], "s3cret")
        assert not verify_webhook_signature(body + b" ", headers["X-Webhook-Signature"], "s3cret")
        assert not verify_webhook_signature(body, headers["X-Webhook-Signature"], "other")
        assert headers["X-Webhook-Delivery"] == "whd_1"

    def test_have_no_signature_without_a_secret(self) -> None:
        """Without a secret there is nothing to sign with."""
        assert "X-Webhook-Signature" not in SmscodeEvents().headers(
            b"{}", secret=None, delivery_id="whd_1"
        )
