"""Top-ups through the real adapters, to the gateways' fakes and back: credits are right, and no lie
of a list goes unseen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from tests.support.desk import DeskOfTest
from tests.support.gateways import Served, serving_gateway

from numdesk.domain.customers.callers import Caller
from numdesk.domain.payments.topups import TopUp, TopUpState
from numdesk.providers import find_providers
from numdesk.providers.cryptomus.fake_lies import LIES
from numdesk.usecases.customers import accounts, callers
from numdesk.usecases.payments import audit, settlement, topups

GATEWAYS = ("cryptomus", "nowpayments")
#: What a list does that goes by other times than ours; it is no lie.
LISTS_GO_BY_OTHER_TIMES = "late"


@pytest.fixture(params=GATEWAYS)
async def served(
    request: pytest.FixtureRequest, desk: DeskOfTest, tmp_path: Path
) -> AsyncIterator[Served]:
    """The desk with one gateway."""
    slug = request.param
    async with serving_gateway(find_providers()[slug], tmp_path, clock=desk.clock) as made:
        desk.rt.payments = {slug: made.gateway}
        desk.rt.provider_titles = {slug: slug}
        yield made


@pytest.fixture
async def payer(desk: DeskOfTest) -> Caller:
    """A customer with an empty wallet."""
    made = await accounts.register(
        desk.rt, name="Payer", dialect="partner", currency="EUR", signed=True
    )
    return await callers.authenticate(desk.rt, made.token.encode(), dialect="partner")


async def order(desk: DeskOfTest, payer: Caller) -> TopUp:
    """Wants 500.00."""
    (slug,) = desk.rt.payments
    return (
        await topups.create_topup(desk.rt, payer, topups.TopUpRequest(None, b"", slug, 50_000))
    )[0]


async def settled(desk: DeskOfTest, topup: TopUp, served: Served) -> TopUp:
    """Settles by what callbacks named, as our door would."""
    hints = [
        served.gateway.read_callback(headers, body) for _, headers, body in served.catcher.caught
    ]
    await settlement.settle(
        desk.rt, topup.id, payment_ids=[hint.payment_id for hint in hints if hint.payment_id]
    )
    return (await topups.read(desk.rt, topup.public_id))[0]


async def differences(desk: DeskOfTest) -> list[str]:
    """Compares the day around now."""
    now = desk.clock.now()
    found = await audit.compare(
        desk.rt, since=now - timedelta(days=1), until=now + timedelta(days=1)
    )
    return [one.fault for one in found]


class TestTopUp:
    """From the invoice to the credit."""

    @pytest.mark.parametrize(("coin", "share"), [("USDT", "1"), ("BTC", "1"), ("USDT", "1.05")])
    async def test_credits_what_was_paid(
        self, desk: DeskOfTest, payer: Caller, served: Served, coin: str, share: str
    ) -> None:
        """Whatever the coin, the cents are those that were bought.

        What is a little more is credited, too.
        """
        topup = await order(desk, payer)
        price = Decimal(topup.final_amount) / 100 * Decimal(share)
        worth = {"USDT": Decimal("0.8"), "BTC": Decimal(50_000)}[coin]
        await served.fake.pay(topup.public_id, amount=price / worth, currency=coin)
        found = await settled(desk, topup, served)
        assert found.state is TopUpState.CREDITED
        assert found.credited == int(50_000 * Decimal(share))
        assert await differences(desk) == []

    async def test_credits_both_parts(
        self, desk: DeskOfTest, payer: Caller, served: Served
    ) -> None:
        """What is paid in two parts comes to the whole as one payment that grows.

        As two of their own, each is rounded down to a cent.
        """
        topup = await order(desk, payer)
        await served.fake.pay(topup.public_id, amount=Decimal(100), currency="EUR")
        await settled(desk, topup, served)
        await served.fake.pay(topup.public_id)
        found = await settled(desk, topup, served)
        assert found.credited == (50_000 if "cryptomus" in desk.rt.payments else 49_999)
        assert await differences(desk) == []


class TestComparison:
    """What the list says against what is booked."""

    @pytest.mark.parametrize("lie", [lie for lie in LIES if lie != LISTS_GO_BY_OTHER_TIMES])
    async def test_finds_what_the_gateway_lies_about(
        self, desk: DeskOfTest, payer: Caller, served: Served, lie: str
    ) -> None:
        """A lie that is told by the list and the read-back alike is found.

        The honest neighbour is left alone.
        """
        liar, honest = await order(desk, payer), await order(desk, payer)
        for topup in (liar, honest):
            await served.fake.pay(topup.public_id)
            await settled(desk, topup, served)
        assert await differences(desk) == []
        await served.fake.lie(liar.public_id, lie)
        assert await differences(desk)

    async def test_is_silent_about_a_list_that_goes_by_other_times(
        self, desk: DeskOfTest, payer: Caller, served: Served
    ) -> None:
        """What is missing from its day's list is asked for by itself before it is called
        missing."""
        topup = await order(desk, payer)
        await served.fake.pay(topup.public_id)
        await settled(desk, topup, served)
        await served.fake.lie(topup.public_id, LISTS_GO_BY_OTHER_TIMES, place="list")
        assert await differences(desk) == []
