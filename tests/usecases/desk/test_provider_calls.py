"""Every question to a provider ends: one that hangs counts as one that failed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from tests.support.desk import REMOTE_ONLY_OFFER, DeskOfTest
from tests.support.gateway import open_till

from numdesk.domain.orders.refusals import SupplierFailed
from numdesk.ports.errors import ProviderError
from numdesk.usecases import rates
from numdesk.usecases.desk import provider_calls
from numdesk.usecases.orders import ending, lifecycle
from numdesk.usecases.payments import audit, invoices, settlement
from numdesk.usecases.stock import catalogue


async def hang(*_: object, **__: object) -> Any:
    """Never answers."""
    await asyncio.Event().wait()


def hurry(monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> None:
    """Lets a use case wait for its provider hardly at all."""

    async def answered(call: Awaitable[Any], **_: object) -> Any:
        return await provider_calls.answered(call, within_s=0.01)

    monkeypatch.setattr(module, "answered", answered)


async def test_one_that_hangs_has_failed_with_an_unknown_outcome() -> None:
    """Nothing is bought again before the provider was asked, and the reason says how long was
    waited."""
    with pytest.raises(ProviderError, match=r"no answer within 0\.01 s") as caught:
        await provider_calls.answered(hang(), within_s=0.01)
    assert caught.value.unknown


async def test_a_supplier_that_hangs_is_not_sold_from(
    desk: DeskOfTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its price list that does not come is one that cannot be had."""
    hurry(monkeypatch, catalogue)
    desk.rt.suppliers = {"simulator": SimpleNamespace(tiers=hang)}  # type: ignore[dict-item]
    assert await catalogue.refresh_supplier(desk.rt, provider="simulator") is None
    assert not await desk.pool.fetchval("select healthy from providers where slug = 'simulator'")


async def test_a_source_of_rates_that_hangs_leaves_it_to_the_next(
    desk: DeskOfTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first that answers wins."""
    hurry(monkeypatch, rates)

    async def know(_pair: str) -> int:
        return 16_300

    desk.rt.rate_sources = {"stuck": SimpleNamespace(rate=hang), "well": SimpleNamespace(rate=know)}  # type: ignore[dict-item]
    assert await rates.refresh(desk.rt) == 1


async def test_a_gateway_that_hangs_ends_a_settlement_and_a_comparison(
    desk: DeskOfTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Staff who ask get the reason instead of waiting for ever."""
    till = await open_till(desk)
    topup = await till.order()
    till.gateway.hangs_until = asyncio.Event()
    hurry(monkeypatch, invoices)
    hurry(monkeypatch, audit)
    with pytest.raises(ProviderError, match="no answer"):
        await settlement.settle(desk.rt, topup.id)
    now = desk.clock.now()
    with pytest.raises(ProviderError, match="no answer"):
        await audit.compare(desk.rt, since=now, until=now)


async def test_a_supplier_that_hangs_holds_no_customer_up(
    desk: DeskOfTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who cancels or wants one more message hears that the supplier failed, and the order stays as
    it was."""
    caller = await desk.customer()
    order, heard = (
        await desk.order(caller, REMOTE_ONLY_OFFER),
        await desk.order(caller, REMOTE_ONLY_OFFER),
    )
    await desk.message(heard.msisdn)
    before = await lifecycle.read(desk.rt, caller, heard.id)
    desk.clock.advance(121)
    hurry(monkeypatch, lifecycle)
    monkeypatch.setattr(desk.simulator, "release", hang)
    monkeypatch.setattr(desk.simulator, "resend", hang)
    with pytest.raises(SupplierFailed):
        await ending.cancel(desk.rt, caller, order.id, show=None)
    with pytest.raises(SupplierFailed):
        await lifecycle.resend(desk.rt, caller, heard.id)
    assert [await lifecycle.read(desk.rt, caller, one.id) for one in (order, heard)] == [
        order,
        before,
    ]


async def test_each_is_awaited_to_its_end() -> None:
    """One that fails stops none of the others, and its error is raised when all have ended."""
    ended: list[int] = []

    async def work(number: int) -> int:
        if number == 1:
            raise ValueError("one")
        await asyncio.sleep(0)
        ended.append(number)
        return number

    with pytest.raises(ValueError, match="one"):
        await provider_calls.each(work(number) for number in range(4))
    assert ended == [0, 2, 3]
    assert await provider_calls.each(work(number) for number in (5, 6)) == [5, 6]
