"""The process dies before or after any statement of an act on a rental: done again with the same
key, it ends as if it had not died."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.races.processes import another, open_desks
from tests.support import rentals as shop
from tests.support.desk import DeskOfTest
from tests.support.mortal import Died, Life, MortalDatabase
from tests.support.server import TestServer

from numdesk.domain.customers.callers import Caller
from numdesk.storage.database.pool import Database
from numdesk.usecases.rentals import ending, prices, reading

WEEK_S = 7 * 86_400
CREDIT, BONUS = 50_00, 5_00


@dataclass(frozen=True)
class Place:
    """A desk, a customer, and the rental that stands ready."""

    desk: DeskOfTest
    caller: Caller
    rental_id: str

    def by(self, database: Database) -> DeskOfTest:
        """Returns the desk as another process has it, with the price list read long ago."""
        rt = another(self.desk.rt, database)
        rt.memory = self.desk.rt.memory
        return DeskOfTest(rt, self.desk.clock, self.desk.simulator, self.desk.pool)

    async def sight(self) -> dict[str, Any]:
        """Returns all that can be told apart from outside."""
        counts = await self.desk.pool.fetchrow(
            """select (select array_agg(state order by id) from rentals),
                      (select array_agg(state order by id) from numbers where country_id = $1),
                      (select array_agg(ends_at - starts_at order by id)
                        from rental_terms), (select count(*) from messages),
                      (select array_agg(price order by id)
                        from rental_charges), (select array_agg(kind order by id) from events),
                      (select array_agg(reason order by id) from journals
                        where reason like 'rental%'),
                      (select array_agg(messages order by id)
                        from rentals), (select array_agg(used_ids::text order by id)
                        from rentals)""",
            shop.SPAIN,
        )
        return {"rows": tuple(counts), "money": await shop.money(self.desk, self.caller)}


Act = Callable[[DeskOfTest, Place], Coroutine[Any, Any, Any]]


@dataclass(frozen=True)
class Flow:
    """What is done, what stands ready for it, and what money is left."""

    name: str
    act: Act
    left: tuple[int, int]
    lapsed: bool = False


async def _message(desk: DeskOfTest, here: Place) -> None:
    rental = await reading.read(here.desk.rt, here.caller, here.rental_id)
    assert (await shop.message(desk, rental.msisdn, message_id="one")).status in ("taken", "seen")


FLOWS = (
    Flow(
        "rent",
        lambda desk, here: shop.rent(desk, here.caller, services=["google", "whatsapp"], key="k"),
        (16_00, 0),
    ),
    Flow(
        "extend",
        lambda desk, here: shop.extend(desk, here.caller, here.rental_id, key="k"),
        (31_00, 0),
    ),
    Flow(
        "rerent",
        lambda desk, here: shop.rerent(desk, here.caller, here.rental_id, key="k"),
        (31_00, 0),
        lapsed=True,
    ),
    Flow(
        "cancel",
        lambda desk, here: shop.cancel(desk, here.caller, here.rental_id, key="k"),
        (CREDIT, BONUS),
    ),
    Flow("message", _message, (43_00, 0)),
    Flow("expire", lambda desk, here: ending.expire_due(desk.rt), (43_00, 0), lapsed=True),
)


async def _place(desk: DeskOfTest, flow: Flow) -> Place:
    """Makes a customer with a rental, whose bonus paid the first part of it."""
    await shop.open_shop(desk, numbers=2)
    await prices.price_list(desk.rt)
    caller = await shop.renter(desk, credit=CREDIT, bonus=BONUS)
    rental_id = (await shop.rent(desk, caller)).rental.id
    if flow.lapsed:
        desk.clock.advance(WEEK_S)
    return Place(desk, caller, rental_id)


async def _once(server: TestServer, folder: Path, flow: Flow, life: Life) -> dict[str, Any]:
    """Lets a process with this life act, then one that does not die, twice.

    Returns what is there in the end.
    """
    await asyncio.to_thread(folder.mkdir)
    async with server.create_database() as url, open_desks(url, folder, processes=1) as (desk,):
        here = await _place(desk, flow)
        try:
            await life.lead(
                flow.act(here.by(MortalDatabase(desk.rt.database, life, by_statement=True)), here)
            )
        except Died:
            await flow.act(here.by(desk.rt.database), here)
        found = await here.sight()
        await flow.act(here.by(desk.rt.database), here)
        assert await here.sight() == found, "doing it again changes nothing"
        return found


@pytest.mark.timeout(600)
@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
async def test_ends_as_if_it_had_not_died(server: TestServer, tmp_path: Path, flow: Flow) -> None:
    """Whatever statement a process dies at, the same request at a new one leads to the same rental
    and the same money."""
    life = Life()
    whole = await _once(server, tmp_path / "whole", flow, life)
    assert whole["money"] == flow.left
    assert life.taken >= 2
    for death in life.deaths():
        assert await _once(server, tmp_path / str(death), flow, death) == whole, death
