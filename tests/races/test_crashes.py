"""The process dies before or after any transaction or call of a purchase: a new one brings it to
the end that it would have had."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest
from tests.races.processes import another, open_desks
from tests.support.desk import PRICE, REMOTE_OFFER, REMOTE_PRICE, DeskOfTest
from tests.support.ledger import assert_clean
from tests.support.mortal import Died, Life, MortalDatabase, MortalUpstream
from tests.support.server import TestServer

from numdesk.domain.customers.callers import Caller
from numdesk.domain.errors import Refusal, RequestInProgress
from numdesk.domain.orders.lifecycle import State
from numdesk.domain.orders.refusals import SupplierFailed
from numdesk.ports.suppliers import NumberSupplier
from numdesk.runtime import Runtime
from numdesk.usecases.orders import ending, lifecycle, reactivation
from numdesk.usecases.stock import catalogue

CREDIT = 1_000_000


Act = Callable[[Runtime, Caller], Coroutine[Any, Any, Any]]


@dataclass(frozen=True)
class Flow:
    """What a customer does, what the supplier does meanwhile, what stands ready, and how it ends:
    orders by state, held, spent."""

    name: str
    act: Act
    script: tuple[str, ...] = ()
    ready: Callable[[DeskOfTest, Caller], Awaitable[None]] | None = None
    end: tuple[dict[int, int], int, int] = ({1: 1}, REMOTE_PRICE, 0)


async def completed(desk: DeskOfTest, caller: Caller) -> None:
    """An order of the supplier's that is done with."""
    order = await desk.order(caller, REMOTE_OFFER)
    await desk.message(order.msisdn)
    await ending.finish(desk.rt, caller, order.id)
    await ending.release_at_supplier(desk.rt, {"order": order.id})


async def ripe(desk: DeskOfTest, caller: Caller) -> None:
    """An order of the supplier's that may be cancelled."""
    await desk.order(caller, REMOTE_OFFER)
    desk.clock.advance(115)


async def buy(
    rt: Runtime, caller: Caller, *, offer_id: int | None = REMOTE_OFFER, quantity: int = 1
) -> Any:
    """Buys with a key."""
    desk = DeskOfTest(rt, None, None, None)  # type: ignore[arg-type] - it only buys
    return await desk.buy(
        caller, offer_id, catalogue_id=None if offer_id else 1, quantity=quantity, key="k"
    )


async def buy_again(rt: Runtime, caller: Caller) -> Any:
    """Buys the number of the customer's first order again."""
    first = min(
        order.id for order in await lifecycle.listing(rt, caller, states=None, limit=9, offset=0)
    )
    return await reactivation.reactivate(
        rt, caller, reactivation.ReactivateRequest("k", b"f", first, None, None)
    )


async def cancel(rt: Runtime, caller: Caller) -> Any:
    """Cancels the customer's only order, unless that is done."""
    (order,) = await lifecycle.listing(rt, caller, states=None, limit=9, offset=0)
    return (
        order
        if order.state is State.CANCELED
        else await ending.cancel(rt, caller, order.id, show=None)
    )


FLOWS = (
    Flow("buy", buy),
    Flow("buy, answer lost", buy, script=("late_ok",)),
    Flow("reactivate", buy_again, ready=completed, end=({1: 1, 4: 1}, REMOTE_PRICE, REMOTE_PRICE)),
    Flow(
        "reactivate, answer lost",
        buy_again,
        script=("late_ok",),
        ready=completed,
        end=({1: 1, 4: 1}, REMOTE_PRICE, REMOTE_PRICE),
    ),
    Flow("cancel", cancel, ready=ripe, end=({5: 1}, 0, 0)),
)


@dataclass
class Place:
    """A desk, a customer, and what can be seen from outside."""

    desk: DeskOfTest
    caller: Caller
    pool: asyncpg.Pool

    async def live(self, act: Act, life: Life) -> object:
        """Lets a fresh process with this life do the act; returns what the customer heard.

        Raises Died.
        """
        rt = another(self.desk.rt, MortalDatabase(self.desk.rt.database, life))
        await catalogue.catalogue(self.desk.rt, self.caller.currency)
        rt.memory = self.desk.rt.memory  # the catalogue was read long ago: not a step of this flow
        rt.suppliers = {
            "simulator": cast("NumberSupplier", MortalUpstream(self.desk.simulator, life))
        }
        return await life.lead(act(rt, self.caller))

    async def die(self, act: Act, life: Life) -> Runtime:
        """Lets a fresh process die of the act, or at least its customer hear nothing good, and
        returns the next process."""
        with suppress(Died, Refusal):
            await self.live(act, life)
        return another(self.desk.rt, self.desk.rt.database)

    async def resolve(self, rt: Runtime) -> None:
        """Does the jobs that the dead process left."""
        await self.desk.resolve_by_jobs(rt)

    async def sight(self) -> tuple[dict[int, int], int, int]:
        """Returns the customer's orders by state (but the failed), what is held and what is
        spent."""
        rows = await self.pool.fetch(
            "select state, count(*) from orders where customer_id = $1 and state <> 7 group by 1",
            self.caller.customer_id,
        )
        balance, held = await self.pool.fetchrow(
            "select balance, held from accounts where id = $1", self.caller.wallet_id
        )
        return {row[0]: row[1] for row in rows}, held, CREDIT - balance

    async def check_supplier(self) -> None:
        """Nothing is in use at the supplier that no open order of ours has."""
        open_there = sum((await self.desk.simulator._world.open_sales()).values())
        assert open_there == await self.pool.fetchval(
            "select count(*) from orders where provider = 'simulator' and state in (1, 2, 3)"
        )


@asynccontextmanager
async def place(server: TestServer, folder: Path, flow: Flow | None) -> AsyncIterator[Place]:
    """Yields a desk on a database of its own, made ready for the flow.

    Checks the ledger at the end.
    """
    await asyncio.to_thread(folder.mkdir)
    async with server.create_database() as url, open_desks(url, folder, processes=1) as (desk,):
        here = Place(desk, await desk.customer(CREDIT), desk.pool)
        if flow is not None and flow.ready is not None:
            await flow.ready(desk, here.caller)
        if flow is not None:
            await desk.simulator.script(flow.script)
        yield here


@pytest.mark.timeout(600)
@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
async def test_ends_as_if_it_had_not_died(server: TestServer, tmp_path: Path, flow: Flow) -> None:
    """Whatever step a process dies at, the same request at a new one leads to the same orders and
    the same money."""
    life = Life()
    async with place(server, tmp_path / "whole", flow) as here:
        await here.live(flow.act, life)
        assert await here.sight() == flow.end
        await here.check_supplier()
    assert life.taken >= 4
    for death in life.deaths():
        async with place(server, tmp_path / str(death), flow) as here:
            survivor = await here.die(flow.act, death)
            try:
                await flow.act(survivor, here.caller)
            except RequestInProgress:
                await here.resolve(survivor)
                await flow.act(survivor, here.caller)
            await here.resolve(survivor)
            assert await here.sight() == flow.end, death
            await here.check_supplier()
            await flow.act(survivor, here.caller)
            assert await here.sight() == flow.end


@pytest.mark.timeout(600)
async def test_a_mixed_request_charges_for_what_its_answer_names(
    server: TestServer, tmp_path: Path
) -> None:
    """A request for numbers from two sources may get fewer after a death, but pays for exactly
    those that its answer names."""
    act: Act = lambda rt, caller: buy(rt, caller, offer_id=None, quantity=22)  # noqa: E731 - twenty of ours, two of the supplier's
    life = Life()
    async with place(server, tmp_path / "whole", None) as here:
        await here.live(act, life)
        assert await here.sight() == ({1: 22}, 20 * PRICE + 2 * REMOTE_PRICE, 0)
    for death in life.deaths():
        async with place(server, tmp_path / str(death), None) as here:
            survivor = await here.die(act, death)
            await here.resolve(survivor)
            document = (await act(survivor, here.caller)).document
            states, held, spent = await here.sight()
            assert (states, held, spent) == (
                {1: len(document.orders)},
                sum(order.price for order in document.orders),
                0,
            )
            assert document.failed == 22 - len(document.orders)
            await here.check_supplier()
            await assert_clean(survivor)


async def test_a_lost_refusal_charges_nothing(server: TestServer, tmp_path: Path) -> None:
    """A supplier that gave nothing costs nothing wherever the process dies.

    The key holds the refusal or is free.
    """
    flow = Flow("refused", buy, script=("no_numbers",))
    life = Life()
    async with place(server, tmp_path / "whole", flow) as here:
        with pytest.raises(SupplierFailed):
            await here.live(flow.act, life)
    for death in life.deaths():
        async with place(server, tmp_path / str(death), flow) as here:
            survivor = await here.die(flow.act, death)
            await here.resolve(survivor)
            assert await here.sight() == ({}, 0, 0)
            await here.check_supplier()
