"""Deliver, cancel, expire and finish meet on one order: it ends once, and its money moves once."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.races.processes import open_desks, shelve
from tests.support.desk import PRICE, REMOTE_OFFER, DeskOfTest

from numdesk.domain.customers.callers import Caller
from numdesk.domain.errors import Refusal, StateForbids
from numdesk.domain.orders.lifecycle import LIFETIME, State
from numdesk.ports.suppliers import Outcome
from numdesk.usecases.orders import ending, lifecycle

ROUND, CUSTOMERS = 2_000, 40
ENDED = {
    State.COMPLETED: "order.completed",
    State.CANCELED: "order.canceled",
    State.EXPIRED: "order.expired",
}
#: After everything an order has seen, what its hold must have come to: posted, voided or expired.
HOLD = {State.COMPLETED: 1, State.CANCELED: 2, State.EXPIRED: 3}


@dataclass
class Story:
    """One order and what its actors were told."""

    caller: Caller
    order_id: int
    msisdn: int
    told: Counter[str] = field(default_factory=Counter)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("rounds", [2, pytest.param(5, marks=pytest.mark.soak)])
async def test_thousands_of_orders_end_once(database_url: str, tmp_path: Path, rounds: int) -> None:
    """Whatever order two processes run the acts in, while the order's time runs out, state, hold,
    journal, events and answers agree."""
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    async with open_desks(database_url, tmp_path, processes=2) as desks:
        for number in range(rounds):
            await shelve(desks[0].pool, ROUND, first=62_200_000_000 + number * ROUND)
            desks[0].rt.memory.forget("catalogue")
            stories = await _stories(desks[0])
            await _play(desks, stories, chance)
            desks[0].clock.advance(LIFETIME.total_seconds())
            await ending.expire_due(desks[0].rt)
            faults = await _faults(desks[0], stories)
            assert not faults, f"seed {seed}, round {number}: {faults[:5]}"


async def test_a_message_that_commits_before_the_cancel_wins(
    database_url: str, tmp_path: Path
) -> None:
    """A message that comes while the supplier is told of the cancel keeps the order and its
    price."""
    async with open_desks(database_url, tmp_path, processes=1) as (desk,):
        caller = await desk.customer()
        order = await desk.order(caller, REMOTE_OFFER)
        desk.clock.advance(115)
        release = desk.simulator.release

        async def while_told(provider_ref: str, outcome: Outcome) -> None:
            assert (await desk.message(order.msisdn)).status == "taken"
            await release(provider_ref, outcome)

        desk.simulator.release = while_told  # a message in between
        with pytest.raises(StateForbids):
            await ending.cancel(desk.rt, caller, order.id, show=None)
        assert (await lifecycle.read(desk.rt, caller, order.id)).state is State.RECEIVED
        assert await desk.available(caller) == 1_000_000 - order.price


async def _stories(desk: DeskOfTest) -> list[Story]:
    """Buys a round of orders."""
    callers = [await desk.customer(PRICE * ROUND) for _ in range(CUSTOMERS)]
    stories: list[Story] = []
    for caller in callers:
        document = (await desk.buy(caller, quantity=ROUND // CUSTOMERS)).document
        stories += [Story(caller, made.id, made.msisdn) for made in document.orders]
    assert len(stories) == ROUND
    return stories


async def _play(desks: list[DeskOfTest], stories: list[Story], chance: random.Random) -> None:
    """Runs two to four random acts on each order, shuffled, while the orders' time runs out in the
    middle."""

    async def move_on() -> None:
        desks[0].clock.advance(1)

    desks[0].clock.advance(LIFETIME.total_seconds() - 0.5)
    works: list[Coroutine[object, object, object]] = [
        _act(chance.choice(desks), story, chance.choice(["deliver", "cancel", "finish"]))
        for story in stories
        for _ in range(chance.randint(2, 4))
    ]
    chance.shuffle(works)
    works.insert(len(works) // 2, move_on())
    for _ in range(20):
        works.insert(chance.randrange(len(works)), ending.expire_due(chance.choice(desks).rt))
    gate = asyncio.Semaphore(64)  # what waits behind it has not looked at the clock yet

    async def begun(work: Coroutine[object, object, object]) -> None:
        async with gate:
            await work

    await asyncio.gather(*(begun(work) for work in works))


async def _act(desk: DeskOfTest, story: Story, name: str) -> None:
    """Does one thing to an order, and writes down what its actor was told."""
    try:
        if name == "deliver":
            name = (await desk.message(story.msisdn, message_id=uuid.uuid4().hex)).status
        elif name == "cancel":
            await ending.cancel(desk.rt, story.caller, story.order_id, show=None)
        else:
            await ending.finish(desk.rt, story.caller, story.order_id)
    except Refusal as refusal:
        name += f" {refusal.code}"
    story.told[name] += 1


async def _faults(desk: DeskOfTest, stories: list[Story]) -> list[str]:
    """Returns every disagreement between an order, its hold, its journal, its events and what the
    actors were told."""
    rows = await desk.pool.fetch(
        """select o.id, o.state, h.state, o.sms_revision,
                  (select count(*) from journals where reason = 'order.earn'
                    and ref = 'ord:' || o.id),
                  (select coalesce(array_agg(kind order by id), '{}') from events
                    where order_id = o.id)
             from orders o join holds h on h.kind = 'order' and h.ref = o.id
               where o.id = any($1)""",
        [story.order_id for story in stories],
    )
    found = {row[0]: row for row in rows}
    faults = []
    for story in stories:
        _, code, hold, revision, journals, kinds = found[story.order_id]
        state, told = State(code), story.told
        agrees = (
            state in ENDED
            and (hold, journals) == (HOLD[state], int(state is State.COMPLETED))
            and kinds == ["order.received"] * revision + [ENDED[state]]
            and (told["taken"], told["cancel"]) == (revision, int(state is State.CANCELED))
            and (revision > 0) == (state is State.COMPLETED)
            and told["finish"] <= int(state is State.COMPLETED)
            and not any("unavailable" in word for word in told)
        )
        if not agrees:
            faults.append(f"{story.order_id} {state.name} {hold=}, {journals=}, {kinds=}, {told=}")
    for caller in {story.caller.customer_id: story.caller for story in stories}.values():
        earned = sum(
            State(found[s.order_id][1]) is State.COMPLETED for s in stories if s.caller is caller
        )
        balance, held = await desk.pool.fetchrow(
            "select balance, held from accounts where id = $1", caller.wallet_id
        )
        if (balance, held) != (PRICE * (ROUND - earned), 0):
            faults.append(
                f"customer {caller.customer_id}: has {balance}, holds {held}, {earned} orders "
                f"earned"
            )
    return faults
