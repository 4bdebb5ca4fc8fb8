"""PaymentGateway: a company that takes customers' payments for us. What it says is believed only when we asked for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol


class PaymentStatus(StrEnum):
    """A payment's state in our words; every gateway's own words are translated by its adapter. An unknown word is WAITING."""

    WAITING = "waiting"  # no transaction yet, or not enough of it and more may come
    SEEN = "seen"  # a transaction that is not settled yet
    UNDERPAID = "underpaid"  # settled and closed, with less than was due
    PAID = "paid"  # settled with what was due, or more
    EXPIRED = "expired"  # closed without money; it may still come
    FAILED = "failed"
    HELD = "held"  # the gateway keeps it back (a check of its origin)
    REFUNDING = "refunding"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True)
class Intent:
    """What we want to be paid: `reference` is ours ([A-Za-z0-9_-], at most 32) and names one intent for ever.

    `amount` is in whole units of `currency` ("450.00" EUR); `callback_url` is where the gateway tells us of changes, `return_url` where
    the customer is sent afterwards (either may be None).
    """

    reference: str
    amount: Decimal
    currency: str
    lifetime_s: int
    callback_url: str | None
    return_url: str | None = None


@dataclass(frozen=True, slots=True)
class Invoice:
    """What a gateway made of an intent: its own id, and the page where the customer pays."""

    gateway_id: str
    reference: str
    amount: Decimal
    currency: str
    payment_url: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Payment:
    """One deposit (or the wait for it) as the gateway tells it when asked.

    `payment_id` is the gateway's id of the deposit, `invoice_id` that of its invoice (equal where the gateway has one id for both),
    `parent_id` the deposit that this one repeats. `amount` and `currency` are what was asked; `due` and `paid` are in the payer's own
    currency (`payer_currency`), None until known. `fee` is the gateway's commission in `currency`, None where it does not say.
    `settled` is what the gateway credits us for it, in `settled_currency`. `wrong_asset` says that it came in another coin or network than
    asked.
    """

    payment_id: str
    invoice_id: str
    reference: str
    status: PaymentStatus
    gateway_status: str
    amount: Decimal
    currency: str
    due: Decimal | None = None
    paid: Decimal | None = None
    payer_currency: str | None = None
    fee: Decimal | None = None
    settled: Decimal | None = None
    settled_currency: str | None = None
    parent_id: str | None = None
    wrong_asset: bool = False
    txid: str | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PaymentHint:
    """All that is taken from a callback: which payment of which intent may have changed. Amounts in a callback are never read."""

    reference: str
    invoice_id: str | None
    payment_id: str | None


class CallbackRefused(ValueError):
    """A callback that does not verify, or is no callback; the text says which rule it broke and never holds its body."""


class PaymentGateway(Protocol):
    """Every method but `read_callback` may raise ProviderError and nothing else."""

    #: What an invoice must come to at least, by currency, in whole units; the operator's settings may ask for more.
    minimum: Mapping[str, Decimal]

    async def create(self, intent: Intent) -> Invoice:
        """Makes the invoice of an intent, or finds the one that was made for the same reference; never two for one reference."""
        ...

    async def look_up(self, *, invoice_id: str, reference: str, since: datetime) -> Sequence[Payment]:
        """Returns every deposit of an invoice as it stands now (one that waits counts as one); empty when the gateway knows none.

        `since` is when the invoice was made, for gateways that can only be asked for a span of time.
        """
        ...

    async def find(self, *, reference: str, since: datetime) -> Invoice | None:
        """Returns the invoice that was made for a reference whose `create` had no answer, None when there is none."""
        ...

    async def payments(self, *, since: datetime, until: datetime) -> Sequence[Payment]:
        """Returns all deposits that were made or changed in a span of time, for the nightly comparison."""
        ...

    def read_callback(self, headers: Mapping[str, str], body: bytes) -> PaymentHint:
        """Verifies a callback (header names in lower case) and returns what it is about. Raises CallbackRefused."""
        ...
