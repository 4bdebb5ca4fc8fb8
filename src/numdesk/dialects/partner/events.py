"""Webhooks of the partner API, signed inside and outside.

The vendor's receiver checks `HMAC(JSON.stringify(req.body))`, so JavaScript's parse and stringify
must leave a body unchanged. It refuses a header time older than five minutes, so every attempt has
its own time and signatures; `webhookId` stays the same, so that a receiver recognises a repetition.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from numdesk.dialects.partner.javascript_json import stringify
from numdesk.dialects.partner.money import EUR
from numdesk.dialects.partner.render import iso, phone
from numdesk.dialects.partner.signing import sign
from numdesk.domain.rentals.lifecycle import RentType
from numdesk.ports.rendering import EventFacts, Post

#: Characters of a signature in an id; enough that two ids never collide.
_ID_CHARS = 16
_lone_surrogate = re.compile("[\ud800-\udfff]")


class PartnerEvents:
    """The renderer of events; see `ports/rendering.py`."""

    timeout_s = 10.0
    #: Three attempts in all.
    retry_delays_s = (30.0, 120.0)
    #: A partner cannot enable its webhook again, so it is disabled only after a long silence.
    failures_max = 1000
    disabled_reason = "too_many_failures"

    def post(
        self, facts: EventFacts, *, secret: bytes | None, delivery_id: str, wall: datetime
    ) -> Post | None:
        """Return the request of an attempt at this real time.

        None for an event that this API does not have, or without a secret.
        """
        known = EVENTS.get(facts.kind)
        if known is None or secret is None:
            return None
        event, data = known
        said = str(int(wall.timestamp() * 1000))
        unsigned = stringify(
            {
                "event": event,
                "data": data(facts.document),
                "webhookId": _webhook_id(secret, delivery_id),
                "timestamp": said,
            }
        )
        body = f'{unsigned[:-1]},"signature":"{sign(secret, unsigned.encode())}"}}'.encode()
        headers = {
            "Content-Type": "application/json",
            "X-Webhook-Signature": sign(secret, body),
            "X-Webhook-Timestamp": said,
        }
        return Post(body, headers)

    def render(self, facts: EventFacts) -> bytes | None:  # noqa: ARG002 - the port's
        """Return None: a body depends on the attempt's time."""
        return None

    def headers(self, body: bytes, *, secret: bytes | None, delivery_id: str) -> Mapping[str, str]:  # noqa: ARG002 - the port's
        """Return no headers: `post` makes them with the body."""
        return {}


def _message(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "numberId": facts["rental"],
        "number": phone(facts["msisdn"]),
        "from": _well_formed(facts["sender"]),
        "message": _well_formed(facts["text"]),
        "receivedAt": _at(facts["received_at"]),
    }


def _expired(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "numberId": facts["rental"],
        "number": phone(facts["msisdn"]),
        "country": facts["country"],
        "rentType": RentType(facts["rent_type"]).name,
        "expiredAt": _at(facts["expired_at"]),
    }


def _low(facts: Mapping[str, Any]) -> dict[str, Any]:
    amounts = {name: _euros(facts[name]) for name in ("balance", "available", "threshold")}
    return {**amounts, "currency": EUR}


def _completed(facts: Mapping[str, Any]) -> dict[str, Any]:
    ended = {
        "status": "completed",
        "transactionId": facts["transaction"],
        "paidAt": _at(facts["paid_at"]),
    }
    return {**_payment(facts), **ended}


def _failed(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {**_payment(facts), "status": "failed", "reason": facts["reason"]}


def _payment(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "invoiceId": facts["invoice"],
        "provider": facts["provider"],
        "amount": _euros(facts["amount"]),
        "finalAmount": _euros(facts["final_amount"]),
        "currency": EUR,
    }


#: Our events in the vendor's words, and the data of each.
EVENTS: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "rental.message": ("sms.received", _message),
    "rental.expired": ("number.expired", _expired),
    "balance.low": ("balance.low", _low),
    "payment.completed": ("payment.completed", _completed),
    "payment.failed": ("payment.failed", _failed),
}


def _webhook_id(secret: bytes, delivery_id: str) -> str:
    """Return the same id for every attempt; it does not reveal the number of deliveries."""
    return (
        "wh_"
        + hmac.digest(secret, b"webhook id\0" + delivery_id.encode(), "sha256").hex()[:_ID_CHARS]
    )


def _euros(cents: int) -> float:
    """Return an amount as the double whose shortest digits JavaScript writes: 27, not 27.00."""
    return cents / 100


def _at(epoch_s: float) -> str:
    return iso(datetime.fromtimestamp(epoch_s, UTC))


def _well_formed(text: str) -> str:
    """Return a text without lone surrogates, which a receiver's parser would change."""
    return _lone_surrogate.sub("\ufffd", text)
