"""A provider that hangs or fails holds up its own work, and nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import asyncpg
import pytest
from tests.support.desk import REMOTE_OFFER, REMOTE_ONLY_OFFER, DeskOfTest
from tests.support.gateway import Till, callback_of, open_till
from tests.support.waiting import eventually
from tests.support.working import working

from numdesk.domain.errors import Refusal, RequestInProgress
from numdesk.domain.orders.lifecycle import LIFETIME
from numdesk.domain.orders.refusals import SupplierFailed
from numdesk.domain.payments.audit import Fault
from numdesk.ports.errors import Cause, ProviderError
from numdesk.ports.suppliers import Outcome, Reserved, Tier, Wanted
from numdesk.storage.jobs import queue
from numdesk.usecases.orders import ending, from_suppliers, lifecycle
from numdesk.usecases.payments import audit, callbacks
from numdesk.usecases.payments.polling import POLL_PARALLEL
from numdesk.workers import runner
from numdesk.workers.jobs import ASKING, KINDS


class SupplierOfTiers:
    """A supplier that can only be asked what it sells.

    Without an answer when it `hangs_until` something.
    """

    def __init__(self, hangs_until: asyncio.Event | None = None) -> None:
        self.hangs_until = hangs_until
        self.asked = 0

    async def tiers(self) -> Sequence[Tier]:
        """Returns nothing for sale, in the end."""
        self.asked += 1
        if self.hangs_until is not None:
            await self.hangs_until.wait()
        return []


class SupplierThatHangs:
    """A supplier that loses the answer of every purchase, and answers no question before
    `until`."""

    def __init__(self, until: asyncio.Event) -> None:
        self._run_until = until
        self.hanging = 0

    async def reserve(self, wanted: Wanted) -> Reserved:
        """Fails with an unknown outcome."""
        raise ProviderError(Cause.PROVIDER_UNAVAILABLE, wanted.reference, unknown=True)

    async def look_up(self, reference: str) -> Reserved | None:
        """Knows nothing of it, in the end."""
        await self._hang()
        return None

    async def release(self, provider_ref: str, outcome: Outcome) -> None:
        """Takes note, in the end."""
        await self._hang()

    async def _hang(self) -> None:
        self.hanging += 1
        await self._run_until.wait()


@pytest.fixture
async def released() -> AsyncIterator[asyncio.Event]:
    """What the hanging providers of a test wait for.

    Set at its end, so that nothing is left waiting.
    """
    event = asyncio.Event()
    yield event
    event.set()


def ask_only(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Lets the workers ask providers for one thing only, round after round without a pause."""
    monkeypatch.setattr(
        runner, "ASKING", tuple(replace(item, every_s=0.01) for item in ASKING if item.name == name)
    )


async def open_tills(desk: DeskOfTest, released: asyncio.Event) -> tuple[Till, Till]:
    """Gives the desk two gateways, the first of which hangs with more top-ups due than are asked
    about at a time."""
    desk.rt.settings = replace(desk.rt.settings, topup_open_max=100)
    stuck, well = await open_till(desk, provider="stuck"), await open_till(desk, provider="well")
    for _ in range(POLL_PARALLEL + 1):
        await stuck.order()
    stuck.gateway.hangs_until = released
    return stuck, well


async def test_a_gateway_that_hangs_delays_no_other_ones_top_ups(
    desk: DeskOfTest, released: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one gateway answers none of its questions, another's payments are found, round after
    round."""
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
        assert [
            tuple(row)
            for row in await desk.pool.fetch("select distinct provider from payment_audits")
        ] == [("well",)]

    async with working(desk.rt):
        await eventually(compared)
        released.set()


async def test_a_gateway_that_does_not_answer_hides_no_other_ones_differences(
    desk: DeskOfTest,
) -> None:
    """A comparison by hand tells what it found at the others, and which gateway did not answer.

    When none does, it fails.
    """
    away, well = await open_till(desk, provider="away"), await open_till(desk, provider="well")
    paid = await well.order()
    well.gateway.pay(paid)
    away.gateway.failures = [
        ProviderError(Cause.PROVIDER_UNAVAILABLE, "no connection") for _ in range(2)
    ]
    now = desk.clock.now()
    found = await audit.compare(desk.rt, since=now, until=now)
    assert [(one.provider, one.fault, one.invoice) for one in found] == [
        ("away", Fault.UNANSWERED, None),
        ("well", Fault.UNHEARD, paid.public_id),
    ]
    well.gateway.failures = [ProviderError(Cause.PROVIDER_UNAVAILABLE, "no connection")]
    with pytest.raises(ProviderError):
        await audit.compare(desk.rt, since=now, until=now)


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


async def test_callbacks_of_a_gateway_that_hangs_delay_no_other_ones(
    desk: DeskOfTest, released: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A payment is credited at its callback while another gateway answers nothing about more
    callbacks than there are slots."""
    ask_only(monkeypatch, "nothing")
    stuck, well = await open_tills(desk, released)
    hung = await stuck.order()
    for number in range(KINDS["payments.hear"].parallel + 1):
        await callbacks.receive(desk.rt, "stuck", *callback_of(hung, number=number))
    desk.clock.advance(1)
    paid = await well.order()
    well.gateway.pay(paid)
    await callbacks.receive(desk.rt, "well", *callback_of(paid))

    async def credited() -> None:
        assert stuck.gateway.hanging == KINDS["payments.hear"].parallel
        assert await well.balance() == paid.amount

    async with working(desk.rt):
        await eventually(credited)
        released.set()


async def test_orders_at_a_supplier_that_hangs_delay_no_other_ones(
    desk: DeskOfTest, released: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What became of a lost call, and the end of an order, reach one supplier while another answers
    nothing."""
    ask_only(monkeypatch, "nothing")
    stuck = SupplierThatHangs(released)
    desk.rt.suppliers = {**desk.rt.suppliers, "stuck": stuck}  # type: ignore[dict-item]
    await desk.pool.execute(
        "insert into providers (slug) values ('stuck'); update offers set provider = 'stuck' "
        "where id = 4"
    )
    caller = await desk.customer()
    with monkeypatch.context() as hurried:
        hurried.setattr(from_suppliers, "CUSTOMER_WAITS_S", 0.01)
        lost = [
            desk.buy(caller, REMOTE_ONLY_OFFER) for _ in range(KINDS["orders.resolve"].parallel + 1)
        ]
        assert {type(error) for error in await asyncio.gather(*lost, return_exceptions=True)} == {
            RequestInProgress
        }
    for ref in range(KINDS["orders.release"].parallel + 1):
        payload = {"provider": "stuck", "ref": str(ref)}
        await desk.rt.run(
            "t",
            lambda tx, payload=payload: queue.add(
                tx, kind="orders.release", payload=payload, run_at=desk.clock.now()
            ),
        )
    ended = await desk.order(caller, REMOTE_OFFER)
    await desk.message(ended.msisdn)
    desk.deafen()
    await desk.simulator.script(["late_ok"])
    with pytest.raises(RequestInProgress):
        await desk.buy(caller, REMOTE_OFFER, key="lost")
    desk.hear()
    desk.clock.advance(LIFETIME.total_seconds())

    async def told() -> None:
        assert (await desk.buy(caller, REMOTE_OFFER, key="lost")).replayed
        assert (
            await desk.pool.fetchval(
                "select count(*) from jobs where kind = 'orders.release' and lane = 'simulator'"
            )
            == 0
        )
        assert (await lifecycle.read(desk.rt, caller, ended.id)).ended_at

    async with working(desk.rt):
        await eventually(told, but=(AssertionError, Refusal))
        assert stuck.hanging >= KINDS["orders.resolve"].parallel + KINDS["orders.release"].parallel
        released.set()


async def test_every_job_that_asks_a_provider_names_it(
    desk: DeskOfTest, pool: asyncpg.Pool
) -> None:
    """What is written in SQL or in Python has the lane of its provider, so that it takes no slot of
    another."""
    till = await open_till(desk)
    paid, other = await till.order(), await till.order()
    till.gateway.pay(paid)
    till.gateway.truth[f"p-{paid.public_id}"] = replace(
        till.gateway.truth[f"p-{paid.public_id}"], reference=other.public_id
    )
    await callbacks.receive(desk.rt, till.provider, *callback_of(paid))
    await till.settle(paid)
    caller = await desk.customer()
    await desk.order(caller, REMOTE_OFFER)
    await desk.simulator.script(["timeout", "late_ok"])
    with pytest.raises(SupplierFailed):
        await desk.buy(caller, REMOTE_ONLY_OFFER)
    desk.deafen()
    with pytest.raises(RequestInProgress):
        await desk.buy(caller, REMOTE_ONLY_OFFER)
    desk.hear()
    desk.clock.advance(LIFETIME.total_seconds())
    await ending.expire_due(desk.rt)
    await desk.resolve_by_jobs()
    found = await pool.fetch(
        "select distinct kind, lane from jobs where kind <> 'orders.resolve' or lane <> ''"
    )
    assert {tuple(row) for row in found} == {
        (kind, till.provider if kind.startswith("payments") else "simulator") for kind in KINDS
    }
