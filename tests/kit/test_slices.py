"""Tests of lists in slices: nothing is lost, nothing changes places, and other requests get their
turns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from operator import itemgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.turns import turns_during

from numdesk.kit.slices import SLICE, slices, sort


async def listed(rows: AsyncIterator[list[int]]) -> list[int]:
    """Returns all rows."""
    return [row async for part in rows for row in part]


class TestSlices:
    @given(st.lists(st.integers(), max_size=30), st.integers(1, 7))
    async def test_hold_every_row_once(self, rows: list[int], length: int) -> None:
        """The slices together are the rows in their order."""
        assert await listed(slices(rows, length=length)) == rows

    @pytest.mark.parametrize("count", [0, 1, SLICE, 10 * SLICE])
    async def test_let_others_take_turns(self, count: int) -> None:
        """Between two slices the loop turns, and not for a short list."""
        turns = await turns_during(listed(slices(range(count))))
        assert max(count - 1, 0) // SLICE <= turns <= 2 * count // SLICE + 2

    async def test_of_many_lists_take_turns_of_their_own(self) -> None:
        """However many lists are made at once, no turn of the loop makes more than one slice, and
        each list gets its share."""
        turn, made = 0, []
        all_made = asyncio.Event()

        async def count_turns() -> None:
            nonlocal turn
            while not all_made.is_set():
                turn += 1
                await asyncio.sleep(0)

        async def make(name: str) -> None:
            made.extend([(turn, name) async for _ in slices(range(10 * SLICE))])

        counting = asyncio.create_task(count_turns())
        await asyncio.gather(*(make(name) for name in "abcd"))
        all_made.set()
        await counting
        assert len({at for at, _ in made}) == len(made) == 40
        assert {name for _, name in sorted(made)[:8]} == set("abcd")


class TestSort:
    @given(st.lists(st.tuples(st.integers(0, 3), st.integers())), st.booleans())
    async def test_is_that_of_python(self, rows: list[tuple[int, int]], reverse: bool) -> None:
        """Rows that compare equal keep their order, whichever way is sorted."""
        many = rows * 30
        assert await sort(many, key=itemgetter(0), reverse=reverse) == sorted(
            many, key=itemgetter(0), reverse=reverse
        )

    async def test_lets_others_take_turns(self) -> None:
        """A long list is sorted and merged in slices."""
        rows = [(number * 7919) % 10_007 for number in range(40 * SLICE)]
        assert await sort(rows, key=int) == sorted(rows)
        assert await turns_during(sort(rows, key=int)) >= 40
