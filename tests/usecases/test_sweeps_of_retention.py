"""A row that cannot be forgotten keeps no other: it is set aside, named, and forgotten when its
fault is gone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from structlog.testing import capture_logs
from tests.support.breakage import break_rows, fix_writes
from tests.support.desk import DeskOfTest
from tests.support.old_rows import insert_old

from numdesk.usecases import retention
from numdesk.usecases.jobs import sweeps

SWEEPS = (retention.KEYS, *retention.SWEEPS)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Makes a handful of rows take several batches, and prints no stack traces: that would take
    most of the time."""
    monkeypatch.setattr(retention, "BATCH", 3)
    with capture_logs():
        yield


async def rows_of(desk: DeskOfTest, table: str) -> list[str]:
    """Returns what stands in a table, a row a text, the oldest first."""
    age = (
        "case jsonb_typeof(to_jsonb(t) -> 'id') when 'number' then (to_jsonb(t) ->> 'id')::bigint "
        "end, ctid"
    )
    return [
        row[0]
        for row in await desk.pool.fetch(
            f"select to_jsonb(t)::text from {table} t order by {age}"  # noqa: S608
        )
    ]


async def test_rows_are_forgotten_beside_one_that_cannot(desk: DeskOfTest) -> None:
    """Of each table the other rows go at once, in batches that leave the bad one out, and that goes
    by itself when it can."""
    for one in SWEEPS:
        table = await insert_old(
            desk, one, kept=timedelta(days=30) if one.kept is None else one.kept
        )
        before = await rows_of(desk, table)
        bad = before[-8]
        await break_rows(desk.pool, table, f"to_jsonb(old) = '{bad}'::jsonb", on="delete or update")
        await retention.sweep(desk.rt, one=one)
        (aside,) = await sweeps.every(desk.rt)
        assert (aside.sweep, aside.failures, "row is broken" in aside.reason) == (one.name, 1, True)
        assert set(await rows_of(desk, table)) & set(before[-12:]) == {bad, *before[-2:]}, one.name
        assert await retention.sweep(desk.rt, one=one) == 0, one.name
        await fix_writes(desk.pool, table)
        desk.clock.advance(61)
        await retention.sweep(desk.rt, one=one)
        assert bad not in await rows_of(desk, table), one.name
        assert await sweeps.every(desk.rt) == []


async def test_items_that_cannot_be_set_aside_stop_no_sweep(desk: DeskOfTest) -> None:
    """When that an item failed cannot be written down either, the others are done all the same, and
    no event is passed over."""
    (one,) = [sweep for sweep in SWEEPS if sweep.name == "events.forget_texts"]
    table = await insert_old(desk, one, kept=timedelta(days=30))
    before = await rows_of(desk, table)
    await break_rows(
        desk.pool, table, f"to_jsonb(old) = '{before[1]}'::jsonb", on="delete or update"
    )
    await desk.pool.execute("alter table set_aside add constraint full_up check (item = '')")
    await retention.sweep(desk.rt, one=one)
    assert set(before) - set(await rows_of(desk, table)) == {before[0], before[2]}
    await fix_writes(desk.pool, table)
    await retention.sweep(desk.rt, one=one)
    assert len(set(before) - set(await rows_of(desk, table))) == 10


async def test_many_items_that_are_set_aside_hold_up_none_behind_them(desk: DeskOfTest) -> None:
    """A whole batch and more of bad rows does not keep younger ones from being forgotten."""
    (one,) = [sweep for sweep in SWEEPS if sweep.name == "messages.forget"]
    await insert_old(desk, one, kept=timedelta(days=30))
    await break_rows(desk.pool, "messages", "old.id <= 7", on="delete")
    assert await retention.sweep(desk.rt, one=one) == 3
    assert len(await sweeps.every(desk.rt)) == 7
