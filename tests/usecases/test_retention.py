"""Deleting what nobody needs any longer."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.desk import DeskOfTest
from tests.support.old_rows import insert_old

from numdesk.domain.orders.lifecycle import State
from numdesk.usecases import retention
from numdesk.usecases.orders import ending, lifecycle

SWEEPS = {one.name: one for one in retention.SWEEPS}


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a handful of rows take several batches."""
    monkeypatch.setattr(retention, "BATCH", 3)


async def test_forgets_keys_that_are_too_old_to_be_replayed(desk: DeskOfTest) -> None:
    """A recorded key goes after eight days, in batches.

    A younger one and one still in progress stay.
    """
    caller = await desk.customer()
    now = desk.clock.now()
    old, young = now - retention.KEYS_KEPT - timedelta(seconds=1), now - timedelta(days=7)
    await desk.pool.execute(
        """insert into idempotency (customer_id, namespace, key, fingerprint, state, outcome,
            created_at)
           select $1::int, 0, 'old' || n, ''::bytea, 2, '{}'::jsonb, $2::timestamptz
             from generate_series(1, 10) n
           union all select $1, 0, 'young', '', 2, '{}', $3::timestamptz
           union all select $1, 0, 'open', '', 1, null, $2""",
        caller.customer_id,
        old,
        young,
    )
    assert await retention.sweep(desk.rt, one=retention.KEYS) == 10
    left = [row[0] for row in await desk.pool.fetch("select key from idempotency order by key")]
    assert left == ["open", "young"]


async def test_forgets_webhooks_that_ended_long_ago(desk: DeskOfTest) -> None:
    """An ended delivery goes with its attempts and its event.

    One still due, one that ended lately and other events stay.
    """
    await desk.pool.execute(
        """insert into events (customer_id, dialect, kind, document, at)
             select 1, 'smscode', 'e' || n, '{}', $1 from generate_series(1, 13) n""",
        desk.clock.now() - timedelta(days=100),
    )
    await desk.pool.execute(
        """insert into webhook_deliveries (id, endpoint_id, state, due_at, ended_at)
             select e.id, 1, case n when 1 then 0 else 2 end, e.at, case n when 1 then null when 2
               then $1::timestamptz else e.at end
               from (select id, at, row_number() over (order by id) as n from events) e
                 where n <= 12""",
        desk.clock.now() - timedelta(days=89),
    )
    await desk.pool.execute(
        """insert into webhook_attempts (delivery_id, attempt, at, elapsed_ms)
             select id, 1, due_at, 1 from webhook_deliveries where state <> 0"""
    )
    assert await retention.sweep(desk.rt, one=SWEEPS["webhooks.forget"]) == 10
    assert [row[0] for row in await desk.pool.fetch("select kind from events order by id")] == [
        "e1",
        "e2",
        "e13",
    ]
    assert await desk.pool.fetchval("select count(*) from webhook_deliveries") == 2
    assert await desk.pool.fetchval("select count(*) from webhook_attempts") == 1


async def test_forgets_events_without_a_delivery(desk: DeskOfTest) -> None:
    """An old event that nobody wanted to hear of goes.

    One that has a delivery goes with that, and a young one stays.
    """
    await desk.pool.execute(
        """insert into events (customer_id, dialect, kind, document, at)
             select 1, 'smscode', 'e' || n, '{}', $1::timestamptz + case when n > 10
               then interval '20 days' else interval '0' end
               from generate_series(1, 12) n""",
        desk.clock.now() - timedelta(days=100),
    )
    await desk.pool.execute(
        """insert into webhook_deliveries (id, endpoint_id, state, due_at, ended_at)
             select id, 1, case kind when 'e2' then 0 else 2 end, at, case kind when 'e2' then null
               else at end
               from events where kind in ('e2', 'e5')"""
    )
    await retention.sweep(desk.rt, one=SWEEPS["events.forget"])
    left = "select kind from events order by id"
    assert [row[0] for row in await desk.pool.fetch(left)] == ["e2", "e5", "e11", "e12"]
    desk.clock.advance(timedelta(days=11).total_seconds())
    for name in ("events.forget", "webhooks.forget"):
        await retention.sweep(desk.rt, one=SWEEPS[name])
    assert [row[0] for row in await desk.pool.fetch(left)] == ["e2"]


async def test_forgets_what_sms_said(desk: DeskOfTest) -> None:
    """Texts and codes leave orders that ended and events when their days are over.

    Order, event and money stay as they are.
    """
    caller = await desk.customer()
    old, young, waiting = [await desk.order(caller) for _ in range(3)]
    for order in (old, young, waiting):
        await desk.message(order.msisdn)
    await ending.finish(desk.rt, caller, old.id)
    desk.clock.advance(600)
    await ending.finish(desk.rt, caller, young.id)
    before = await desk.pool.fetch("select id, kind, at from events order by id")
    desk.clock.advance(timedelta(days=30).total_seconds() - 300)
    for name in ("messages.forget", "orders.forget_texts", "events.forget_texts"):
        await retention.sweep(desk.rt, one=SWEEPS[name])
    shown = await lifecycle.read(desk.rt, caller, old.id)
    assert (shown.state, shown.otp_code, shown.otp_message, shown.sms_revision) == (
        State.COMPLETED,
        None,
        None,
        1,
    )
    assert [
        (await lifecycle.read(desk.rt, caller, order.id)).otp_code for order in (young, waiting)
    ] == ["482913", "482913"]
    assert await desk.pool.fetch("select id, kind, at from events order by id") == before
    left = await desk.pool.fetch(
        "select order_id from events where document ->> 'otp_message' is not null"
    )
    assert {row[0] for row in left} == {young.id}
    assert await desk.pool.fetchval("select count(*) from messages") == 0


async def test_goes_on_where_it_ended_with_events(desk: DeskOfTest) -> None:
    """An event is looked at once; one that is about to be sent again keeps what it has to say."""
    await desk.pool.execute(
        """insert into events (customer_id, dialect, kind, document, at)
             select 1, 'smscode', 'e' || n, '{"otp_code": "1", "otp_message": "t", "id": 7}', $1
               from generate_series(1, 10) n""",
        desk.clock.now() - timedelta(days=31),
    )
    await desk.pool.execute(
        "insert into webhook_deliveries (id, endpoint_id, state, due_at) select max(id), 1, 0, "
        "now() from events"
    )
    assert await retention.sweep(desk.rt, one=SWEEPS["events.forget_texts"]) == 10
    assert await retention.sweep(desk.rt, one=SWEEPS["events.forget_texts"]) == 0
    left = [
        row[0]
        for row in await desk.pool.fetch(
            "select kind from events where document ->> 'otp_code' is not null"
        )
    ]
    assert left == ["e10"]
    assert (
        await desk.pool.fetchval("select count(*) from events where document ->> 'id' = '7'") == 10
    )


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("messages.forget", timedelta(days=30)),
        ("messages.forget_parts", retention.PARTS_KEPT),
        ("stock.forget_uses", timedelta()),
        ("customers.forget_hours", retention.HOURS_KEPT),
        ("routes.forget", retention.DECISIONS_KEPT),
        ("limits.forget", retention.COUNTS_KEPT),
    ],
)
async def test_forgets_what_is_too_old(desk: DeskOfTest, name: str, kept: timedelta) -> None:
    """Of each table the rows that are older than it keeps them go, in batches.

    Younger ones and those still in use stay.
    """
    table = await insert_old(desk, SWEEPS[name], kept=kept)
    assert await retention.sweep(desk.rt, one=SWEEPS[name]) == 10
    assert await desk.pool.fetchval(f"select count(*) from {table}") == 2  # noqa: S608 - a name from above


async def test_forgets_receipts_of_transactions(desk: DeskOfTest) -> None:
    """Nobody asks for the outcome of a transaction that began long ago."""
    await desk.pool.execute(
        "insert into receipts select gen_random_uuid(), $1::timestamptz - $2::interval from "
        "generate_series(1, 10)",
        desk.clock.wall(),
        retention.RECEIPTS_KEPT + timedelta(seconds=2),
    )
    assert await retention.sweep(desk.rt, one=SWEEPS["receipts.forget"]) == 10
    assert await desk.pool.fetchval("select count(*) from receipts") > 0
