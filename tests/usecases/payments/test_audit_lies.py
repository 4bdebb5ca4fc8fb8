"""The nightly comparison against both gateways as they really speak: their stand-ins lie in every
way they know."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.desk import DeskOfTest
from tests.support.gateways import Served, serving_gateway

from numdesk.domain.customers.callers import Caller
from numdesk.domain.payments.audit import Difference
from numdesk.domain.payments.topups import TopUp, TopUpState
from numdesk.providers import Provider, cryptomus, nowpayments
from numdesk.providers.cryptomus.fake_lies import LIES as CRYPTOMUS_LIES
from numdesk.providers.nowpayments.fake_lies import LIES as NOWPAYMENTS_LIES
from numdesk.usecases.customers import accounts, callers
from numdesk.usecases.payments import audit, settlement
from numdesk.usecases.payments import topups as payment_topups
from numdesk.usecases.payments.topups import TopUpRequest

#: A list by other times than ours is none: what is not in it is asked for by itself, and is there.
NO_LIE = "late"
CASES = [
    *((cryptomus.PROVIDER, lie) for lie in CRYPTOMUS_LIES if lie != NO_LIE),
    *((nowpayments.PROVIDER, lie) for lie in NOWPAYMENTS_LIES if lie != NO_LIE),
]


@dataclass
class Shop:
    """A desk, one gateway, and a customer."""

    desk: DeskOfTest
    served: Served
    slug: str
    caller: Caller

    async def paid(self) -> TopUp:
        """A top-up that was paid and settled."""
        topup, _ = await payment_topups.create_topup(
            self.desk.rt, self.caller, TopUpRequest(None, b"", self.slug, 50_000)
        )
        await self.served.fake.pay(topup.public_id)
        await settlement.settle(self.desk.rt, topup.id)
        found, _ = await payment_topups.read(self.desk.rt, topup.public_id)
        assert found.state is TopUpState.CREDITED
        return found

    async def compare(self) -> list[Difference]:
        """Compares the days around now."""
        now = self.desk.clock.now()
        return await audit.compare(
            self.desk.rt, since=now - timedelta(days=1), until=now + timedelta(days=1)
        )


@pytest.fixture
async def shop(
    desk: DeskOfTest, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Shop]:
    """A shop with the gateway that the test names."""
    provider: Provider = request.param
    (tmp_path / "gateway").mkdir()
    async with serving_gateway(provider, tmp_path / "gateway", clock=desk.clock) as served:
        desk.rt.payments = {provider.slug: served.gateway}
        made = await accounts.register(
            desk.rt, name="Payer", dialect="partner", currency="EUR", signed=True
        )
        yield Shop(
            desk,
            served,
            provider.slug,
            await callers.authenticate(desk.rt, made.token.encode(), dialect="partner"),
        )


@pytest.mark.parametrize(
    ("shop", "lie"),
    CASES,
    indirect=["shop"],
    ids=[f"{provider.slug}-{lie}" for provider, lie in CASES],
)
async def test_finds_every_lie(shop: Shop, lie: str) -> None:
    """Each of twenty lies about one of three payments is found and named.

    The honest two are not.
    """
    topups = [await shop.paid() for _ in range(3)]
    await shop.served.fake.lie(topups[1].public_id, lie)
    found = await shop.compare()
    assert found, lie
    named = {one.invoice for one in found}
    assert named <= {topups[1].public_id, None}
    await shop.served.fake.lie(topups[1].public_id, None)
    assert await shop.compare() == []


@pytest.mark.parametrize(
    "shop",
    [cryptomus.PROVIDER, nowpayments.PROVIDER],
    indirect=True,
    ids=["cryptomus", "nowpayments"],
)
async def test_a_late_list_is_no_lie(shop: Shop) -> None:
    """What a list does not have today is asked for by itself, and is there."""
    topup = await shop.paid()
    await shop.served.fake.lie(topup.public_id, NO_LIE)
    assert await shop.compare() == []


@pytest.mark.parametrize(
    "shop",
    [cryptomus.PROVIDER, nowpayments.PROVIDER],
    indirect=True,
    ids=["cryptomus", "nowpayments"],
)
async def test_the_clearing_account_holds_what_the_gateway_owes(shop: Shop) -> None:
    """What came in less the gateway's commission, and neither customer nor gateway is given
    more."""
    await shop.paid()
    rows = await shop.desk.pool.fetch(
        """select a.kind, a.label, sum(e.amount)::int units from entries e join accounts a
            on a.id = e.account_id
             where a.currency = 'EUR' group by 1, 2"""
    )
    units = {row["label"] or row["kind"]: row["units"] for row in rows}
    assert units["wallet"] == 50_000
    assert units["topup_discount"] == -5_000
    assert units[shop.slug] + units.get(f"fee:{shop.slug}", 0) == -45_000
