"""A supplier's answer that comes after we gave its call up: what it bought is given back, for as
long as that may happen."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from tests.support.desk import REMOTE_ONLY_OFFER, DeskOfTest

from numdesk.domain.orders.lifecycle import State
from numdesk.domain.orders.refusals import SupplierFailed
from numdesk.ports.errors import ProviderError
from numdesk.ports.suppliers import Reserved
from numdesk.providers.simulator.adapter import Simulator
from numdesk.usecases.orders import lifecycle, supplier_answers


class LateSupplier(Simulator):
    """The simulator on a day on which a call is carried out long after its caller has left: until
    then it knows nothing of it."""

    async def look_up(self, reference: str) -> None:
        """Knows nothing."""


async def given_up(desk: DeskOfTest) -> None:
    """Buys a number whose call has no answer, is unknown when it is asked about, and is carried out
    after all."""
    desk.simulator.__class__ = LateSupplier
    await desk.simulator.script(["late_ok"])
    with pytest.raises(SupplierFailed):
        await desk.buy(await desk.customer(), REMOTE_ONLY_OFFER)


async def look(desk: DeskOfTest) -> timedelta | None:
    """Does what the job that waits to look again would do, and returns how long it has waited.

    None when there is none.
    """
    row = await desk.pool.fetchrow(
        "delete from jobs where kind = 'orders.look_again' returning payload::text, run_at"
    )
    if row is None:
        return None
    waited = row[1] - desk.clock.now()
    desk.clock.advance(waited.total_seconds())
    await supplier_answers.look_again(desk.rt, json.loads(row[0]))
    return waited


class TestLookAgain:
    async def test_gives_back_what_was_bought_after_all(self, desk: DeskOfTest) -> None:
        """A number that nobody has is released at the supplier as soon as it is seen, and nobody is
        asked any more."""
        await given_up(desk)
        assert await look(desk) == timedelta(minutes=1)
        assert len(await desk.simulator._world.open_sales()) == 1
        desk.hear()
        assert await look(desk) == timedelta(minutes=5)
        await desk.release_by_jobs()
        assert await desk.simulator._world.open_sales() == {}
        assert await look(desk) is None

    async def test_comes_to_an_end(self, desk: DeskOfTest) -> None:
        """After the last look the call is believed to have come to nothing."""
        await given_up(desk)
        assert [await look(desk) for _ in range(5)] == [
            timedelta(minutes=minutes) for minutes in (1, 5, 15, 60)
        ] + [None]

    async def test_waits_for_a_supplier_that_cannot_be_asked(self, desk: DeskOfTest) -> None:
        """A supplier that is away is no answer: the job is tried again."""
        await given_up(desk)
        desk.deafen()
        with pytest.raises(ProviderError):
            await look(desk)

    async def test_leaves_a_number_alone_that_an_order_has(self, desk: DeskOfTest) -> None:
        """A supplier that names the reservation of another order does not make us release that
        one's number."""
        caller = await desk.customer()
        order = await desk.order(caller, REMOTE_ONLY_OFFER)
        await given_up(desk)
        reserved = await Simulator.look_up(desk.simulator, supplier_answers.reference(order.id))
        assert reserved is not None

        async def mistaken(reference: str) -> Reserved | None:
            return reserved

        desk.simulator.look_up = mistaken
        await look(desk)
        assert (
            await desk.pool.fetchval("select count(*) from jobs where kind = 'orders.release'") == 0
        )
        assert (await lifecycle.read(desk.rt, caller, order.id)).state is State.ACTIVE


async def test_a_request_of_several_rounds_is_given_time_for_each(desk: DeskOfTest) -> None:
    """The job that ends a request of a crashed process does not disturb a long one that is still
    being bought."""
    caller = await desk.customer()
    for quantity, minutes in [(1, 1), (10, 1), (11, 2)]:
        await desk.buy(caller, REMOTE_ONLY_OFFER, quantity=quantity)
        run_at = await desk.pool.fetchval(
            "delete from jobs where kind = 'orders.resolve' returning run_at"
        )
        assert run_at - desk.clock.now() == timedelta(minutes=minutes)
