"""Webhooks of the partner API: bodies that JavaScript's parse and stringify leave as they are, signed inside and outside.

The vendor's receiver checks `HMAC(JSON.stringify(req.body))` and refuses what is older than five minutes by the header, so every attempt
has a time and signatures of its own; `webhookId` stays the same, so that a receiver knows a repetition.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from numdesk.dialects.partner.money import EUR
from numdesk.dialects.partner.render import iso, phone
from numdesk.dialects.partner.signing import sign, stringify
from numdesk.domain.rentals.lifecycle import RentType
from numdesk.ports.rendering import EventFacts, Post

#: Of a signature, as many characters as make an id that nobody meets twice.
_ID_CHARS = 16
_lone_surrogate = re.compile("[\ud800-\udfff]")


class PartnerEvents:
    """Renders events; see `ports/rendering.py`."""

    timeout_s = 10.0
    #: Three attempts in all.
    retry_delays_s = (30.0, 120.0)
    #: A partner cannot switch its webhook on again, so it is switched off only when nobody can be there any more.
    failures_max = 1000
    disabled_reason = "too_many_failures"

    def post(
        self, facts: EventFacts, *, secret: bytes | None, delivery_id: str, wall: datetime
    ) -> Post | None:
        """Returns what is sent in an attempt at this real time, or None for an event without a word here, or without a secret."""
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
        """Returns None: without the time of the attempt there is no body."""
        return None

    def headers(self, body: bytes, *, secret: bytes | None, delivery_id: str) -> Mapping[str, str]:  # noqa: ARG002 - the port's
        """Returns none: they are made with the body."""
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


#: Our events in the vendor's words, and what each tells.
EVENTS: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "rental.message": ("sms.received", _message),
    "rental.expired": ("number.expired", _expired),
    "balance.low": ("balance.low", _low),
    "payment.completed": ("payment.completed", _completed),
    "payment.failed": ("payment.failed", _failed),
}


def _webhook_id(secret: bytes, delivery_id: str) -> str:
    """Returns the same id at every attempt, which tells nobody how many deliveries there are."""
    return (
        "wh_"
        + hmac.digest(secret, b"webhook id\0" + delivery_id.encode(), "sha256").hex()[:_ID_CHARS]
    )


def _euros(cents: int) -> float:
    """Returns an amount as the double whose shortest digits JavaScript writes: 27, not 27.00."""
    return cents / 100


def _at(epoch_s: float) -> str:
    return iso(datetime.fromtimestamp(epoch_s, UTC))


def _well_formed(text: str) -> str:
    """Returns a text without halves of surrogate pairs, which do not survive a receiver's own parsing."""
    return _lone_surrogate.sub("\ufffd", text)
