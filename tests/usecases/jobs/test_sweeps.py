"""One item that cannot be done stops no other: it is set aside, named, and done when its fault is
gone."""

from __future__ import annotations

import pytest
from tests.support import rentals as shop
from tests.support.breakage import break_row, break_writes, fix_writes
from tests.support.desk import DeskOfTest
from tests.support.gateway import open_till

from numdesk.domain.errors import Unavailable
from numdesk.domain.orders.lifecycle import LIFETIME, State
from numdesk.usecases import retention
from numdesk.usecases.customers import guard
from numdesk.usecases.jobs import sweeps
from numdesk.usecases.orders import ending as order_ending
from numdesk.usecases.orders import lifecycle as order_lifecycle
from numdesk.usecases.payments import polling
from numdesk.usecases.rentals import ending
from numdesk.workers.jobs import ASKING, TIMETABLE


async def test_orders_expire_beside_one_that_cannot(desk: DeskOfTest) -> None:
    """The others expire at once, the bad one is not tried again and again, and it expires by itself
    when it can."""
    caller = await desk.customer()
    found = [await desk.order(caller) for _ in range(5)]
    await break_row(desk.pool, "orders", found[2].id)
    desk.clock.advance(LIFETIME.total_seconds() + 1)
    assert await order_ending.expire_due(desk.rt) == 4
    (aside,) = await sweeps.every(desk.rt)
    assert (aside.sweep, aside.item, aside.failures) == ("orders.expire", str(found[2].id), 1)
    assert "is broken" in aside.reason
    assert await order_ending.expire_due(desk.rt) == 0
    assert (await sweeps.every(desk.rt))[0].failures == 1
    desk.clock.advance(61)
    assert await order_ending.expire_due(desk.rt) == 0
    (aside,) = await sweeps.every(desk.rt)
    assert (aside.failures, (aside.again_at - desk.clock.now()).total_seconds()) == (2, 120)
    await fix_writes(desk.pool, "orders")
    desk.clock.advance(121)
    assert await order_ending.expire_due(desk.rt) == 1
    assert await sweeps.every(desk.rt) == []
    assert (await order_lifecycle.read(desk.rt, caller, found[2].id)).state is State.EXPIRED


async def test_rentals_expire_beside_one_that_cannot(rental_desk: DeskOfTest) -> None:
    """Likewise with rentals and with numbers whose quarantine is over."""
    desk = rental_desk
    renter = await shop.renter(desk)
    for _ in range(3):
        await shop.rent(desk, renter, units=1)
    await break_row(desk.pool, "rentals", await desk.pool.fetchval("select min(id) from rentals"))
    desk.clock.advance(86_401)
    assert await ending.expire_due(desk.rt) == 2
    assert [one.sweep for one in await sweeps.every(desk.rt)] == ["rentals.expire"]
    await desk.pool.execute("drop trigger out_of_order on rentals; drop function out_of_order")
    await break_row(
        desk.pool,
        "numbers",
        await desk.pool.fetchval("select min(id) from numbers where state = 2"),
    )
    desk.clock.advance(3600)
    assert await order_ending.release_quarantined(desk.rt) == 1
    assert {one.sweep for one in await sweeps.every(desk.rt)} == {
        "rentals.expire",
        "stock.release_quarantined",
    }


async def test_a_customer_who_cannot_be_reviewed_stops_nobody(
    desk: DeskOfTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard looks at the others, and later at that one, too."""
    seen: list[int] = []

    async def hours(_tx: object, customer_id: int, **_: object) -> list[object]:
        if customer_id == 2 and 2 not in seen:
            seen.append(2)
            raise ValueError("broken")
        seen.append(customer_id)
        return []

    monkeypatch.setattr(guard.rows, "hours", hours)
    await guard.review(desk.rt, [1, 2, 3])
    assert [(one.sweep, one.item) for one in await sweeps.every(desk.rt)] == [
        ("customers.review", "2")
    ]
    desk.clock.advance(61)
    await guard.review(desk.rt, [3])
    assert (seen, await sweeps.every(desk.rt)) == ([1, 2, 3, 2, 3], [])


async def test_a_top_up_that_cannot_be_settled_is_named(
    desk: DeskOfTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are asked about all the same; it is named until it can be settled."""
    till = await open_till(desk)
    bad, good = await till.order(), await till.order()
    asked: list[int] = []

    async def settle(_rt: object, topup_id: int) -> None:
        asked.append(topup_id)
        if topup_id == bad.id and len(asked) <= 2:
            raise ValueError("broken")

    monkeypatch.setattr(polling, "settle", settle)
    desk.clock.advance(61)
    await till.poll()
    assert (set(asked), [(one.sweep, one.item) for one in await sweeps.every(desk.rt)]) == (
        {bad.id, good.id},
        [("payments.poll", str(bad.id))],
    )
    desk.clock.advance(3600)
    await till.poll()
    assert await sweeps.every(desk.rt) == []


async def test_top_ups_are_polled_beside_one_that_cannot_be_put_off(desk: DeskOfTest) -> None:
    """The others are asked about, and the bad one when its row can be written."""
    till = await open_till(desk)
    found = [await till.order() for _ in range(4)]
    await break_row(desk.pool, "topups", found[1].id)
    desk.clock.advance(61)
    assert await till.poll() == 3
    assert [(one.sweep, one.item) for one in await sweeps.every(desk.rt)] == [
        ("payments.poll", str(found[1].id))
    ]
    await fix_writes(desk.pool, "topups")
    desk.clock.advance(61)
    await till.poll()
    assert await sweeps.every(desk.rt) == []


async def test_an_outage_is_no_items_fault(desk: DeskOfTest) -> None:
    """When the database cannot write, the sweep ends and nothing is set aside."""
    await desk.order(await desk.customer())
    desk.clock.advance(LIFETIME.total_seconds() + 1)
    await break_writes(desk.pool, "orders", "53100")
    with pytest.raises(Unavailable):
        await order_ending.expire_due(desk.rt)
    assert await sweeps.every(desk.rt) == []
    await fix_writes(desk.pool, "orders")
    assert await order_ending.expire_due(desk.rt) == 1


#: Lines of the timetable that go on without an item that they cannot do, and the tests of that.
BY_ITEM = {
    "orders.expire": "test_orders_expire_beside_one_that_cannot",
    "rentals.expire": "test_rentals_expire_beside_one_that_cannot",
    "stock.release_quarantined": "test_rentals_expire_beside_one_that_cannot",
    "inbound.join_overdue": "test_inbound.py: test_gives_up_waiting_beside_messages_that_cannot_be_taken",
    "payments.poll": "test_top_ups_are_polled_beside_one_that_cannot_be_put_off, test_a_top_up_that_cannot_be_settled_is_named",
    **{one.name: "test_sweeps_of_retention.py" for one in (retention.KEYS, *retention.SWEEPS)},
}
#: Lines that have no items, and why one bad row cannot stop others. A failure is logged, counted,
#: and holds up that line alone.
WHOLE = {
    "ledger.tick": "a check sees all or nothing",
    "ledger.tick_full": "a check sees all or nothing",
    "catalogue.refresh_supplier": "a supplier's failure is noted as its health",
    "catalogue.refresh_scores": "one statement counts a day",
    "rates.refresh": "one pair",
    "payments.audit": "a list is compared whole; a top-up that cannot be settled is logged, and told again the next night",
}


def test_every_line_of_the_timetable_says_how_it_fails() -> None:
    """A new line of the timetable is done by item, or has a reason why it is not."""
    assert {line.name for line in (*TIMETABLE, *ASKING)} == BY_ITEM.keys() | WHOLE.keys()
