"""A provider that hangs or fails holds up its own work, and nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest
from tests.support.desk import DeskOfTest
from tests.support.gateway import Till, open_till
from tests.support.waiting import eventually
from tests.support.working import working

from numdesk.ports.suppliers import Tier
from numdesk.usecases.payments import POLL_PARALLEL
from numdesk.workers import runner
from numdesk.workers.jobs import ASKING


class SupplierOfTiers:
    """A supplier that can only be asked what it sells; without an answer when it `hangs_until` something."""

    def __init__(self, hangs_until: asyncio.Event | None = None) -> None:
        self.hangs_until = hangs_until
        self.asked = 0

    async def tiers(self) -> Sequence[Tier]:
        """Returns nothing for sale, in the end."""
        self.asked += 1
        if self.hangs_until is not None:
            await self.hangs_until.wait()
        return []


@pytest.fixture
async def released() -> AsyncIterator[asyncio.Event]:
    """What the hanging providers of a test wait for; set at its end, so that nothing is left waiting."""
    event = asyncio.Event()
    yield event
    event.set()


def ask_only(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Lets the workers ask providers for one thing only, round after round without a pause."""
    monkeypatch.setattr(runner, "ASKING", tuple(replace(item, every_s=0.01) for item in ASKING if item.name == name))


async def open_tills(desk: DeskOfTest, released: asyncio.Event) -> tuple[Till, Till]:
    """Gives the desk two gateways, the first of which hangs with more top-ups due than are asked about at a time."""
    desk.rt.settings = replace(desk.rt.settings, topup_open_max=100)
    stuck, well = await open_till(desk, provider="stuck"), await open_till(desk, provider="well")
    for _ in range(POLL_PARALLEL + 1):
        await stuck.order()
    stuck.gateway.hangs_until = released
    return stuck, well


async def test_a_gateway_that_hangs_delays_no_other_ones_top_ups(
    desk: DeskOfTest, released: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one gateway answers none of its questions, another's payments are found, round after round."""
    ask_only(monkeypatch, "payments.poll")
    stuck, well = await open_tills(desk, released)

    async def credited(units: int) -> None:
        assert stuck.gateway.hanging == POLL_PARALLEL
        assert await well.balance() == units

    async with working(desk.rt):
        for paid in (50_000, 100_000):
            well.gateway.pay(await well.order())
            desk.clock.advance(61)
            await eventually(lambda paid=paid: credited(paid))
        released.set()


async def test_a_gateway_that_hangs_delays_no_other_ones_comparison(
    desk: DeskOfTest, released: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The nightly comparison of one gateway does not wait for another's list."""
    ask_only(monkeypatch, "payments.audit")
    stuck, well = await open_tills(desk, released)
    await well.order()

    async def compared() -> None:
        assert stuck.gateway.hanging
        assert [tuple(row) for row in await desk.pool.fetch("select distinct provider from payment_audits")] == [("well",)]

    async with working(desk.rt):
        await eventually(compared)
        released.set()


async def test_a_supplier_that_hangs_delays_no_other_ones_offers(
    desk: DeskOfTest, released: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What others sell is asked for round after round while one does not answer."""
    ask_only(monkeypatch, "catalogue.refresh_supplier")
    stuck, well = SupplierOfTiers(released), SupplierOfTiers()
    desk.rt.suppliers = {"a-stuck": stuck, "well": well}  # type: ignore[dict-item]

    async def asked() -> None:
        assert (stuck.asked, well.asked > 2) == (1, True)

    async with working(desk.rt):
        await eventually(asked)
        released.set()
