"""A system clock that is set back while money moves, and one that was ahead and is corrected."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from structlog.testing import capture_logs
from tests.support import rentals as shop
from tests.support.desk import DeskOfTest
from tests.support.gateway import open_till

from numdesk.domain.errors import Refusal, Unavailable
from numdesk.domain.orders.lifecycle import LIFETIME, State
from numdesk.domain.rentals.lifecycle import RentalState
from numdesk.kit.clock import SET_BACK_MAX, FakeClock
from numdesk.usecases import ledger_check
from numdesk.usecases.desk import clock
from numdesk.usecases.jobs import queue
from numdesk.usecases.orders import ending
from numdesk.usecases.orders import lifecycle as order_lifecycle
from numdesk.usecases.rentals import reading
from numdesk.workers import runner

SECOND, HOUR, DAYS = 1, 3600, 3 * 86_400
YEARS = 5 * 366 * 86_400
#: Every time that the books have, by table; those of one table follow each other by id.
BOOKED = {
    "journals": "at",
    "orders": "created_at",
    "rental_charges": "at",
    "events": "at",
    "ledger_blocks": "at",
}


async def booked(desk: DeskOfTest) -> dict[str, list[datetime]]:
    """Returns the times of the books in the order in which they were written."""
    order = {table: "number" if table == "ledger_blocks" else "id" for table in BOOKED}
    return {
        table: [
            row[0]
            for row in await desk.pool.fetch(
                f"select {column} from {table} order by {order[table]}"  # noqa: S608
            )
        ]
        for table, column in BOOKED.items()
    }


async def trade(desk: DeskOfTest) -> None:
    """Does everything that moves money, and sees that each is answered."""
    buyer, renter = await desk.customer(), await shop.renter(desk)
    bought = [await desk.order(buyer) for _ in range(3)]
    await desk.message(bought[0].msisdn)
    await ending.finish(desk.rt, buyer, bought[0].id)
    long = await shop.rent(desk, renter)
    await shop.extend(desk, renter, long.rental.id)
    await shop.cancel(desk, renter, long.rental.id)
    again = await shop.rerent(desk, renter, long.rental.id)
    assert again.starts_at <= desk.rt.clock.now().timestamp() + 1
    await ledger_check.extend_chain(desk.rt)
    await ledger_check.extend_chain(desk.rt)
    desk.clock.advance(300)  # half of it, while the clock catches up
    await ending.cancel(desk.rt, buyer, bought[1].id, show=None)
    desk.clock.advance(3 * LIFETIME.total_seconds())
    await runner.run_due(desk.rt)
    assert (await order_lifecycle.read(desk.rt, buyer, bought[2].id)).state is State.EXPIRED


@pytest.mark.parametrize("seconds", [SECOND, HOUR, DAYS])
async def test_books_never_go_back(rental_desk: DeskOfTest, seconds: float) -> None:
    """Set back by a second, an hour or three days between any two acts, everything is answered and
    no time is before the one before."""
    for _ in range(2):
        await trade(rental_desk)
        rental_desk.clock.set_back(seconds)
    await trade(rental_desk)
    for table, times in (await booked(rental_desk)).items():
        assert times == sorted(times), table


async def test_a_restart_goes_on_where_the_books_are(rental_desk: DeskOfTest) -> None:
    """A process that starts after the clock was set back does not book before what others have
    booked."""
    await trade(rental_desk)
    was = rental_desk.clock.now()
    rental_desk.clock = rental_desk.rt.clock = FakeClock(was - timedelta(hours=2))
    assert await clock.heed_books(rental_desk.rt) > timedelta(hours=1)
    await trade(rental_desk)
    for table, times in (await booked(rental_desk)).items():
        assert times == sorted(times), table


async def test_everybody_rents_after_a_correction_by_years(rental_desk: DeskOfTest) -> None:
    """Books of a clock that was years ahead are no fault to anybody: numbers that have terms in
    that future rest, others are rented."""
    desk = rental_desk
    renters = [await shop.renter(desk) for _ in range(4)]
    early = [await shop.rent(desk, renters[0]) for _ in range(3)]
    for one in early[:2]:
        await shop.cancel(desk, renters[0], one.rental.id)
    desk.clock.set_back(-YEARS)
    for renter in renters:
        rented = await shop.rent(desk, renter)
        await shop.cancel(desk, renter, rented.rental.id)
    desk.clock.advance(3600)
    await runner.run_due(desk.rt)
    desk.clock.set_back(YEARS)
    answers = await asyncio.gather(
        *(shop.rent(desk, renter) for renter in renters for _ in range(3)), return_exceptions=True
    )
    assert [type(answer).__name__ for answer in answers if isinstance(answer, BaseException)] == []
    with pytest.raises(Unavailable):
        await shop.rerent(desk, renters[0], early[2].rental.id)
    desk.clock.advance(60)
    await trade(desk)


async def test_a_number_whose_term_ends_later_is_not_chosen(rental_desk: DeskOfTest) -> None:
    """Numbers that are free again while a term of theirs ends later are passed over, and nobody
    else's are left."""
    desk = rental_desk
    renter = await shop.renter(desk)
    for _ in range(shop.NUMBERS - 1):
        await shop.rent(desk, renter)
    await desk.pool.execute(
        "update rentals set state = 1, ended_at = expires_at; update numbers set state = 0, "
        "rental_id = null"
    )
    last = await shop.rent(desk, renter)
    assert last.rental.msisdn
    with pytest.raises(Refusal, match="No number"):
        await shop.rent(desk, renter)
    found = await reading.active(desk.rt, renter, page=1, limit=50, states=frozenset(RentalState))
    assert len({one.msisdn for one in found.items}) == shop.NUMBERS
    await desk.pool.execute(
        "update numbers n set state = 4, rental_id = r.id from rentals r where r.number_id = n.id"
    )
    await desk.pool.execute(
        "alter table rentals disable trigger all; update rentals set state = 0, ended_at = null"
    )


async def test_top_ups_and_jobs_go_on(desk: DeskOfTest) -> None:
    """A top-up is opened, asked about and credited after the clock was set back.

    The lease of a job that died is not held for longer.
    """
    till = await open_till(desk)
    await till.order()
    desk.clock.set_back(HOUR)
    paid = await till.order()
    till.gateway.pay(paid)
    await till.settle(paid)
    await desk.pool.execute(
        "insert into jobs (kind, payload, run_at, lease_until) values ('orders.release', '{}', "
        "$1, $2)",
        desk.clock.now(),
        desk.clock.now() + timedelta(seconds=40),
    )
    desk.clock.advance(100)
    assert len(await queue.take(desk.rt, kinds={"orders.release": (1, 40.0)})) == 1


async def test_need_not_be_waited_for(rental_desk: DeskOfTest) -> None:
    """After a clock that was days ahead was corrected, a desk that is told to wait for nothing
    keeps the right time and trades on."""
    desk = rental_desk
    await trade(desk)
    desk.clock.set_back(DAYS)
    await clock.heed_books(desk.rt)
    assert desk.rt.clock.now() > desk.clock.wall()
    desk.clock.set_back_max = timedelta(0)
    await clock.heed_books(desk.rt)
    assert desk.rt.clock.now() == desk.clock.wall()
    await shop.shelve(desk, numbers=shop.NUMBERS, first=34_700_000_000)
    await trade(desk)


async def test_is_said(desk: DeskOfTest) -> None:
    """A system clock behind the books is told in the log while it is, whether its time is followed
    or not, and not any more afterwards."""
    await desk.order(await desk.customer())
    for seconds, word in ((60, "half speed"), (SET_BACK_MAX.total_seconds() + 60, "at once")):
        desk.clock.set_back(seconds)
        with capture_logs() as lines:
            await clock.heed_books(desk.rt)
        assert [line["log_level"] for line in lines] == ["error"]
        assert word in lines[0]["reason"]
        desk.clock.set_back(-seconds)
        desk.clock.advance(1)
        await clock.heed_books(desk.rt)
        with capture_logs() as lines:
            await clock.heed_books(desk.rt)
        assert lines == []
