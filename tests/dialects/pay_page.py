"""A payment gateway for tests of dialects that invoice top-ups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from numdesk.ports.errors import Cause, ProviderError
from numdesk.ports.payments import Intent, Invoice, Payment, PaymentHint


class PayPage:
    """A payment gateway that gives invoices, which nobody pays, unless it is closed."""

    minimum: Mapping[str, Decimal] = {}
    repeatable = True
    is_set_up = True

    def __init__(self) -> None:
        """Begin open."""
        self.is_open = True

    async def create(self, intent: Intent) -> Invoice:
        """Return an invoice."""
        if not self.is_open:
            raise ProviderError(Cause.PROVIDER_UNAVAILABLE, "closed")
        ends = datetime(2026, 3, 1, 13, 0, tzinfo=UTC)
        url = f"https://pay.example/{intent.reference}"
        return Invoice(
            f"g-{intent.reference}", intent.reference, intent.amount, intent.currency, url, ends
        )

    async def look_up(
        self, *, invoice_id: str, reference: str, since: datetime, payment_ids: Sequence[str] = ()
    ) -> Sequence[Payment]:
        """Return no payment."""
        return []

    async def find(self, *, reference: str, since: datetime) -> Invoice | None:
        """Return no invoice."""
        return None

    async def payments(self, *, since: datetime, until: datetime) -> Sequence[Payment]:
        """Return no payment."""
        return []

    def read_callback(self, headers: Mapping[str, str], body: bytes) -> PaymentHint:
        """Refuse to be called."""
        raise NotImplementedError
