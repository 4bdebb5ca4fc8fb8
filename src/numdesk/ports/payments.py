"""PaymentGateway: a company that takes customers' payments for us.

What it says is believed only when we asked for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from numdesk.domain.payments.gateway_payments import Payment, PaymentStatus

__all__ = [
    "CallbackRefused",
    "Intent",
    "Invoice",
    "Payment",
    "PaymentGateway",
    "PaymentHint",
    "PaymentStatus",
]


@dataclass(frozen=True, slots=True)
class Intent:
    """The intent of a payment: `reference` is ours ([A-Za-z0-9_-], at most 32) and names one intent
    for ever.

    `amount` is in whole units of `currency` ("450.00" EUR); `callback_url` is where the gateway
    tells us of changes, `return_url` where the customer is sent afterwards (either may be None).
    """

    reference: str
    amount: Decimal
    currency: str
    lifetime_s: int
    callback_url: str | None
    return_url: str | None = None


@dataclass(frozen=True, slots=True)
class Invoice:
    """The invoice of a gateway for an intent: its own id, and the page where the customer pays."""

    gateway_id: str
    reference: str
    amount: Decimal
    currency: str
    payment_url: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class PaymentHint:
    """All that is taken from a callback: which payment of which intent may have changed.

    Amounts in a callback are never read.

    `signed` is the text that its signature covers: a copy is known by it, however its bytes were
    spaced on their way.
    """

    reference: str
    invoice_id: str | None
    payment_id: str | None
    signed: str = field(default="", compare=False)


class CallbackRefused(ValueError):
    """A callback that does not verify, or is no callback.

    The text says which rule it broke and never holds its body.
    """


class PaymentGateway(Protocol):
    """Every method but `read_callback` source of exchange rates. Raises only ProviderError."""

    #: What an invoice must come to at least, by currency, in whole units; the operator's settings
    #: may ask for more.
    minimum: Mapping[str, Decimal]
    #: May `create` be called again for a reference whose answer was lost? Where not, `find` is
    #: asked, and if that knows none, the intent is over: what may have been made nobody was shown.
    repeatable: bool

    async def create(self, intent: Intent) -> Invoice:
        """Make the invoice of an intent, or finds the one that was made for the same reference.

        Never two for one reference.
        """
        ...

    async def look_up(
        self, *, invoice_id: str, reference: str, since: datetime, payment_ids: Sequence[str] = ()
    ) -> Sequence[Payment]:
        """Return every deposit of an invoice as it stands now (one that waits counts as one).

        Empty when the gateway knows none.

        `since` is when the invoice was made, for gateways that can only be asked for a span of
        time. `payment_ids` are deposits that callbacks named: they are read each by itself where a
        list may not hold them. What a deposit says of its invoice and reference is the gateway's
        word, and may be another than asked. A status word that is not in the adapter's table is
        UNKNOWN, with the word itself in `gateway_status` and the amounts as ever: staff are shown
        it where there is money.
        """
        ...

    async def find(self, *, reference: str, since: datetime) -> Invoice | None:
        """Return the invoice that was made for a reference whose `create` had no answer, None when
        there is none."""
        ...

    async def payments(self, *, since: datetime, until: datetime) -> Sequence[Payment]:
        """Return all deposits that were made or changed in a span of time, for the nightly
        comparison."""
        ...

    def read_callback(self, headers: Mapping[str, str], body: bytes) -> PaymentHint:
        """Verify a callback (header names in lower case) and returns what it is about.

        Raises CallbackRefused.
        """
        ...
