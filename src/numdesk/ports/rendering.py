"""EventRenderer: a dialect's own shape of a webhook."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, Protocol, runtime_checkable


class EventFacts(NamedTuple):
    """One event as it was stored: `document` is the versioned snapshot of the moment (see
    `order_document_v1`)."""

    id: int
    kind: str
    at: datetime
    document: Mapping[str, Any]


class Post(NamedTuple):
    """The request of one attempt."""

    body: bytes
    headers: Mapping[str, str]


class EventRenderer(Protocol):
    """Pure: the same facts give the same bytes, today and at a retry next week."""

    #: How long one delivery may take, in seconds.
    timeout_s: float
    #: Delays before the second, third... attempt, in seconds (jitter is added by the sender).
    retry_delays_s: tuple[float, ...]
    #: After so many failed deliveries in a row the endpoint is switched off, with this reason.
    failures_max: int
    disabled_reason: str

    def render(self, facts: EventFacts) -> bytes | None:
        """Return the body, or None when this dialect has no word for the event."""
        ...

    def headers(self, body: bytes, *, secret: bytes | None, delivery_id: str) -> Mapping[str, str]:
        """Return the headers that go with the body, the signature among them."""
        ...


@runtime_checkable
class StampedRenderer(Protocol):
    """An EventRenderer whose body bears the time of the attempt, so that every attempt has a body
    and signatures of its own."""

    def post(
        self, facts: EventFacts, *, secret: bytes | None, delivery_id: str, wall: datetime
    ) -> Post | None:
        """Return the request of an attempt at this real time, or None when this dialect has no word
        for the event."""
        ...
