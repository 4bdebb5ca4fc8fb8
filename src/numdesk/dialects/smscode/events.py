"""Webhooks of the smscode API: the body and the headers of each event."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from numdesk.dialects.smscode.render import iso, order_capabilities, phone
from numdesk.domain.orders.lifecycle import Order, State
from numdesk.ports.rendering import EventFacts

#: Our events in the vendor's words. Its SDK raises on an unknown word, so other events are not
#: sent.
EVENTS: Mapping[str, str] = {
    "order.received": "order.otp_received",
    "order.completed": "order.completed",
    "order.canceled": "order.canceled",
    "order.expired": "order.expired",
    "webhook.test": "webhook.test",
}

_encode = msgspec.json.Encoder().encode


class SmscodeEvents:
    """The renderer of events; see `ports/rendering.py`."""

    timeout_s = 3.0
    #: Thirteen tries over two days: a receiver that fails three times of ten misses one event in
    #: six million.
    retry_delays_s = (
        5.0,
        30.0,
        120.0,
        300.0,
        900.0,
        1800.0,
        3600.0,
        7200.0,
        14400.0,
        28800.0,
        43200.0,
        43200.0,
    )
    failures_max = 10
    disabled_reason = "consecutive_failed_user_endpoint"

    def render(self, facts: EventFacts) -> bytes | None:
        """Return the body, or None for an event that this API does not have."""
        event = EVENTS.get(facts.kind)
        if event is None:
            return None
        data = (
            {"message": facts.document["message"]}
            if event == "webhook.test"
            else _order_data(facts)
        )
        return _encode({"event": event, "timestamp": iso(facts.at), "data": data})

    def headers(self, body: bytes, *, secret: bytes | None, delivery_id: str) -> Mapping[str, str]:
        """Return the headers; the delivery's id is the same on every try.

        Without a secret there is no signature.
        """
        headers = {"Content-Type": "application/json", "X-Webhook-Delivery": delivery_id}
        if secret is not None:
            headers["X-Webhook-Signature"] = "sha256=" + hmac.digest(secret, body, "sha256").hex()
        return headers


def _order_data(facts: EventFacts) -> dict[str, Any]:
    """Return the data of an order; a message's event has the revision, a count of messages."""
    document = facts.document
    return {
        "order_id": document["id"],
        "phone_number": phone(document["msisdn"]),
        "otp_code": document["otp_code"],
        "otp_message": document["otp_message"],
        "sms_revision": document["sms_revision"] if facts.kind == "order.received" else None,
        "product_id": document["offer"],
        "catalog_product_id": document["catalogue"],
        "country": document["country"],
        "platform": document["service"],
        "operator_id": document["operator"],
        "operator_name": document["operator_name"],
        **order_capabilities(_order(document), now=facts.at),
    }


def _order(document: Mapping[str, Any]) -> Order:
    """Return the order at the moment of the event, as far as its capabilities depend on it."""
    return Order(
        id=document["id"],
        customer_id=0,
        dialect="smscode",
        state=State(document["state"]),
        offer_id=document["offer"],
        catalogue_id=document["catalogue"],
        country_id=0,
        service_id=0,
        operator_id=document["operator"],
        operator_name=document["operator_name"],
        provider="",
        provider_ref=None,
        msisdn=document["msisdn"],
        currency=document["currency"],
        price=document["price"],
        cost=0,
        created_at=_moment(document["created_at"]),
        expires_at=_moment(document["expires_at"]),
        otp_code=document["otp_code"],
        otp_message=document["otp_message"],
        sms_revision=document["sms_revision"],
        first_sms_at=_optional(document["first_sms_at"]),
        resend_at=_optional(document["resend_at"]),
        ended_at=_optional(document["ended_at"]),
        failed_reason=None,
        reactivatable=document["reactivatable"],
        number_free=True,
        revision=0,
    )


def _moment(epoch_s: float) -> datetime:
    return datetime.fromtimestamp(float(epoch_s), UTC)


def _optional(epoch_s: float | None) -> datetime | None:
    return None if epoch_s is None else _moment(epoch_s)
