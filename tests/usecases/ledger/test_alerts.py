"""Customers are told of a low balance once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.desk import DeskOfTest

from numdesk.usecases.customers import accounts
from numdesk.usecases.ledger import alerts, wallets

if TYPE_CHECKING:
    from numdesk.storage.database.pool import Tx


async def _told(desk: DeskOfTest, customer_id: int) -> list[tuple[int, int, int]]:
    """Look at the customer's balance and return what was told so far: balance, available,
    threshold."""

    async def work(tx: Tx) -> None:
        await alerts.look(
            tx, customer_ids=[customer_id], dialect="partner", currency="EUR", now=desk.clock.now()
        )

    await desk.rt.run("test.look", work)
    rows = await desk.pool.fetch(
        """select (document->>'balance')::int, (document->>'available')::int,
            (document->>'threshold')::int
             from events where customer_id = $1 and kind = 'balance.low' order by id""",
        customer_id,
    )
    return [tuple(row) for row in rows]


async def test_tells_again_after_staff_helped_out(desk: DeskOfTest) -> None:
    """A credit or bonus from staff that lifts the balance above the mark makes the next fall below
    it worth an event, at once."""
    made = await accounts.register(
        desk.rt, name="A", dialect="partner", currency="EUR", signed=True, credit=5000
    )
    count = (
        "select count(*) from events where customer_id = $1 and kind = 'balance.low' and dialect "
        "= 'partner'"
    )
    for turn, give in enumerate((wallets.adjust, wallets.give_bonus), 1):
        await wallets.adjust(
            desk.rt,
            customer_id=made.customer_id,
            currency="EUR",
            units=-4500,
            reason_ref=f"down {turn}",
        )
        assert await desk.pool.fetchval(count, made.customer_id) == turn
        await give(
            desk.rt,
            customer_id=made.customer_id,
            currency="EUR",
            units=4500,
            reason_ref=f"up {turn}",
        )
    await wallets.give_bonus(
        desk.rt, customer_id=made.customer_id, currency="EUR", units=-4500, reason_ref="down 3"
    )
    assert await desk.pool.fetchval(count, made.customer_id) == 3


async def test_tells_once_for_each_crossing(desk: DeskOfTest) -> None:
    """Below the mark one event is written, and the next one only after the balance was above it."""
    made = await accounts.register(
        desk.rt, name="A", dialect="partner", currency="EUR", signed=True, credit=5000
    )
    who = made.customer_id

    async def credit(units: int, ref: str) -> None:
        await wallets.adjust(desk.rt, customer_id=who, currency="EUR", units=units, reason_ref=ref)

    assert await _told(desk, who) == []
    await credit(-4500, "a")
    assert await _told(desk, who) == [(500, 500, 1000)]
    await credit(-100, "b")
    assert len(await _told(desk, who)) == 1
    await wallets.give_bonus(desk.rt, customer_id=who, currency="EUR", units=5000, reason_ref="c")
    assert len(await _told(desk, who)) == 1
    await accounts.set_option(desk.rt, who, name="low_balance", value="6000")
    assert (await _told(desk, who))[1:] == [(5400, 5400, 6000)]
    await accounts.set_option(desk.rt, who, name="low_balance", value="0")
    assert len(await _told(desk, who)) == 2
