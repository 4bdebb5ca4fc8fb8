"""A signature belongs to the key that it came with first."""

from __future__ import annotations

import asyncio

from tests.support.desk import DeskOfTest

from numdesk.domain.customers import Caller
from numdesk.usecases import customers, replays


async def _caller(desk: DeskOfTest) -> Caller:
    made = await customers.register(desk.rt, name="Toy", dialect="partner", currency="EUR", signed=True)
    return await customers.authenticate(desk.rt, made.token.encode(), dialect="partner")


async def test_the_first_key_of_a_signature_stays(desk: DeskOfTest) -> None:
    """Another key, later, changes nothing; another signature and another customer have keys of their own."""
    one, two = await _caller(desk), await _caller(desk)
    assert await replays.bind(desk.rt, one, signature=b"a" * 32, key="first") == "first"
    assert await replays.bind(desk.rt, one, signature=b"a" * 32, key="second") == "first"
    assert await replays.bind(desk.rt, one, signature=b"b" * 32, key="second") == "second"
    assert await replays.bind(desk.rt, two, signature=b"a" * 32, key="third") == "third"


async def test_one_key_wins_where_many_come_at_once(desk: DeskOfTest) -> None:
    """A signed request sent twenty times at once, each time under another key, gets one key."""
    caller = await _caller(desk)
    keys = await asyncio.gather(*(replays.bind(desk.rt, caller, signature=b"a" * 32, key=f"k-{n}") for n in range(20)))
    assert len(set(keys)) == 1
