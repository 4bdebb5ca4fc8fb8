"""Buyers of different offers in one batch never get one number."""

from __future__ import annotations

import asyncio

from tests.support.desk import LOCAL_OFFER, LOCAL_OFFER_TWO, DeskOfTest


async def test_a_number_is_sold_once_whatever_it_is_sold_for(desk: DeskOfTest) -> None:
    """Offers of one country share its numbers, also when they are bought by one command."""
    callers = [await desk.customer() for _ in range(20)]
    buying = (
        desk.buy(caller, LOCAL_OFFER if n % 2 else LOCAL_OFFER_TWO)
        for n, caller in enumerate(callers)
    )
    bought = await asyncio.gather(*buying)
    numbers = [order.msisdn for outcome in bought for order in outcome.document.orders]
    assert len(numbers) == len(set(numbers)) == len(callers)
