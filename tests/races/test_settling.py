"""The job that settles a request meets the process that is still at it: what is bought is in the
answer, or is not bought."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.support.desk import LOCAL_OFFER, PRICE, REMOTE_ONLY_OFFER, DeskOfTest

from numdesk.domain.errors import RequestInProgress
from numdesk.domain.stock.routing import Wish
from numdesk.ports.errors import Cause, ProviderError
from numdesk.ports.suppliers import Reserved, Wanted
from numdesk.usecases.orders.purchases import Outcome


async def test_buys_nothing_for_a_request_that_was_settled(desk: DeskOfTest) -> None:
    """When the job settles a slow request between two candidates, the slow process does not go on
    to the next candidate."""
    await desk.pool.execute("update offer_prices set price = 20000 where offer_id = 1")
    caller = await desk.customer()

    async def slow(wanted: Wanted) -> Reserved:
        await desk.resolve_by_jobs()
        raise ProviderError(Cause.NO_NUMBERS)

    desk.simulator.reserve = slow  # the job is quicker
    with pytest.raises(RequestInProgress):
        await desk.buy(caller, catalogue_id=1, key="k", wish=Wish())
    assert await desk.pool.fetchval("select count(*) from orders where state <> 7") == 0
    assert await desk.available(caller) == 1_000_000
    assert len((await desk.buy(caller, LOCAL_OFFER, key="k")).document.orders) == 1
    assert await desk.available(caller) == 1_000_000 - 20_000


async def test_gives_back_what_came_after_the_job(desk: DeskOfTest) -> None:
    """A number that arrives when the job has given its order up is released at the supplier, and
    its money is back."""
    caller = await desk.customer()
    reserve = desk.simulator.reserve

    async def slow(wanted: Wanted) -> Reserved:
        await desk.resolve_by_jobs()
        return await reserve(wanted)

    desk.simulator.reserve = slow  # the job is quicker
    with pytest.raises(RequestInProgress):
        await desk.buy(caller, REMOTE_ONLY_OFFER, key="k")
    await desk.release_by_jobs()
    assert await desk.simulator._world.open_sales() == {}
    assert await desk.available(caller) == 1_000_000


async def test_two_settle_once(desk: DeskOfTest) -> None:
    """The job and the process that settle at the same time record one outcome."""
    caller = await desk.customer()
    outcome, *_ = await asyncio.gather(
        desk.buy(caller, catalogue_id=1, key="k", quantity=22),
        *(_eager(desk) for _ in range(20)),
        return_exceptions=True,
    )
    held = await desk.pool.fetchval("select held from accounts where id = $1", caller.wallet_id)
    row = await desk.pool.fetchrow("select state, outcome::text from idempotency where key = 'k'")
    made = json.loads(row[1])["orders"] if row and row[1] else []
    assert held == sum(order["price"] for order in made) <= 22 * PRICE * 2
    assert (
        (len(outcome.document.orders) == len(made))
        if isinstance(outcome, Outcome)
        else isinstance(outcome, RequestInProgress)
    )


async def _eager(desk: DeskOfTest) -> None:
    """Tries to settle as soon as there is something to settle."""
    while not await desk.pool.fetchval(
        "select count(*), pg_sleep(0.001) from jobs where kind = 'orders.resolve'"
    ):
        pass
    try:
        await desk.resolve_by_jobs()
    except (RequestInProgress, ProviderError):
        return
