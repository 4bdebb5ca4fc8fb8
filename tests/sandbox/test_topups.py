"""The payer's hand in the sandbox."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.support.desk import DeskOfTest
from tests.support.gateway import PROVIDER, Till, open_till

from numdesk.domain.errors import InvalidInput, NotFound
from numdesk.ports.simulation import UnknownInvoice, UnknownMoney
from numdesk.sandbox import topups
from numdesk.sandbox.topups import Paid


class Hand:
    """A make-believe gateway that only notes what it was told to see."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Decimal | None, str | None, int]] = []
        self.knows = True

    async def pay(
        self,
        invoice: str,
        *,
        amount: Decimal | None = None,
        currency: str | None = None,
        times: int = 1,
    ) -> int:
        """Notes a payment."""
        if currency == "XYZ":
            raise UnknownMoney(currency)
        if not self.knows:
            raise UnknownInvoice(invoice)
        self.seen.append((invoice, amount, currency, times))
        return times


@pytest.fixture
async def till(desk: DeskOfTest) -> Till:
    """A customer about to pay."""
    return await open_till(desk)


class TestPay:
    """POST /topups/{invoice_id}/pay."""

    async def test_pays_at_the_gateway_of_the_top_up(self, till: Till) -> None:
        """Everything that was said reaches the gateway; how the top-up stands is told."""
        topup, hand = await till.order(), Hand()
        paid = Paid(amount=Decimal("9.90"), currency="USDT", times=7)
        assert await topups.pay(till.rt, {PROVIDER: hand}, topup.public_id, paid) == 7  # type: ignore[dict-item] - it has the hand
        assert hand.seen == [(topup.public_id, Decimal("9.90"), "USDT", 7)]
        assert await topups.show(till.rt, topup.public_id) == {
            "invoice_id": topup.public_id,
            "status": "awaiting",
            "credited": 0,
            "currency": "EUR",
        }

    async def test_refuses_what_cannot_be_paid(self, till: Till) -> None:
        """No such top-up, no such invoice at the gateway, no make-believe gateway, or no money."""
        topup, hand = await till.order(), Hand()
        hands = {PROVIDER: hand}
        with pytest.raises(NotFound):
            await topups.pay(till.rt, hands, "inv_none", Paid())  # type: ignore[arg-type] - the same
        with pytest.raises(InvalidInput):
            await topups.pay(till.rt, {}, topup.public_id, Paid())
        with pytest.raises(InvalidInput):
            await topups.pay(till.rt, hands, topup.public_id, Paid(amount=Decimal("NaN")))  # type: ignore[arg-type] - the same
        for absurd in (
            Paid(amount=Decimal(10**12 + 1)),
            Paid(amount=Decimal("1e99")),
            Paid(currency="XYZ"),
        ):
            with pytest.raises(InvalidInput):
                await topups.pay(till.rt, hands, topup.public_id, absurd)  # type: ignore[arg-type] - the same
        assert hand.seen == []
        hand.knows = False
        with pytest.raises(NotFound):
            await topups.pay(till.rt, hands, topup.public_id, Paid())  # type: ignore[arg-type] - the same
