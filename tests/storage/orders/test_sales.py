"""The batched sale: deciding a batch at once comes to what deciding it item by item does."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import cast

import msgspec
import pytest
from tests.support.desk import LOCAL_OFFER, LOCAL_OFFER_TWO, DeskOfTest

from numdesk.domain.customers.callers import Caller
from numdesk.domain.orders.lifecycle import LIFETIME
from numdesk.storage.database.pool import Tx
from numdesk.storage.orders.sales import Sale, SaleStatus, Sold, sell_from_stock

#: Offers of one country, so that they share its numbers.
OFFERS = (LOCAL_OFFER, LOCAL_OFFER_TWO)
BATCHES = 60


async def sell_item_by_item(tx: Tx, sales: Sequence[Sale], *, now: datetime) -> list[Sold]:
    """Sell by the command of the version before, which decides each item after the one before."""
    columns = [
        [getattr(sale, name) for sale in sales]
        for name in (
            *("customer_id", "dialect", "wallet_id", "currency", "key", "fingerprint"),
            *("offer_id", "price", "quantity", "decision_id", "request_id", "context", "pivot"),
        )
    ]
    rows = await tx.fetch(
        """select status, amount, outcome::text from create_orders_v1(
             $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) order by idx""",
        now,
        LIFETIME,
        *columns,
    )
    return [Sold(SaleStatus(row["status"]), row["amount"], row["outcome"]) for row in rows]


def shown(sold: Sold, places: dict[int, int]) -> tuple[object, ...]:
    """Return what must be equal: all but ids and numbers, which stand for their place."""
    if sold.outcome is None:
        return (sold.status, sold.available, None)
    document = msgspec.json.decode(sold.outcome)
    for order in document["orders"]:
        order["id"] = places.setdefault(order["id"], len(places))
        del order["msisdn"]
    return (sold.status, sold.available, document)


class Shop:
    """A desk with few numbers and little money, and random batches of sales."""

    def __init__(self, desk: DeskOfTest, callers: list[Caller], price: dict[int, int]) -> None:
        self.desk = desk
        self.callers = callers
        self.price = price

    def batch(self, chance: random.Random) -> list[Sale]:
        """Make a batch in which items often share a wallet, a key, or the last numbers."""
        return [self.sale(chance) for _ in range(chance.choice((1, 2, 5, 12)))]

    def sale(self, chance: random.Random) -> Sale:
        """Make one sale."""
        caller, offer = chance.choice(self.callers), chance.choice(OFFERS)
        price = self.price[offer] + (chance.random() < 0.1)
        return Sale(
            customer_id=caller.customer_id,
            dialect=caller.dialect,
            wallet_id=caller.wallet_id,
            currency=caller.currency,
            key=f"key {chance.randrange(12)}" if chance.random() < 0.5 else f"{chance.random()}",
            fingerprint=bytes([chance.randrange(2)]),
            offer_id=offer,
            price=price,
            quantity=chance.choice((1, 1, 1, 2, 3)),
            decision_id=None,
            request_id=None,
            context='{"rate": "1.5"}',
            pivot=chance.randrange(2**31 - 1),
        )


@pytest.fixture
async def shop(desk: DeskOfTest) -> Shop:
    """Give some customers money for few orders each."""
    rows = await desk.pool.fetch(
        "select offer_id, price from offer_prices where currency = 'IDR' and offer_id = any($1)",
        list(OFFERS),
    )
    price = {row["offer_id"]: row["price"] for row in rows}
    callers = [await desk.customer(max(price.values()) * (1 + n % 4)) for n in range(6)]
    return Shop(desk, callers, price)


@pytest.mark.parametrize("seed", range(4))
async def test_a_batch_ends_as_its_items_would_one_by_one(shop: Shop, seed: int) -> None:
    """Statuses, amounts and documents are those of the command that decides item by item."""
    chance, now = random.Random(seed), shop.desk.clock.now()
    seen = set[SaleStatus]()
    for _ in range(BATCHES):
        sales = shop.batch(chance)
        async with shop.desk.pool.acquire() as connection:
            tx, trial = cast("Tx", connection), connection.transaction()
            await trial.start()
            one_by_one = await sell_item_by_item(tx, sales, now=now)
            await trial.rollback()
            async with connection.transaction():
                at_once = await sell_from_stock(tx, sales, now=now)
        mine, theirs = dict[int, int](), dict[int, int]()
        assert [shown(sold, mine) for sold in at_once] == [
            shown(sold, theirs) for sold in one_by_one
        ]
        seen.update(sold.status for sold in at_once)
    assert seen >= {SaleStatus.CREATED, SaleStatus.REPLAYED, SaleStatus.WALLET_SHORT}


async def test_a_sale_of_a_settled_request_is_refused(shop: Shop) -> None:
    """An order of a request that has been answered would be in nobody's answer."""
    chance, now = random.Random(1), shop.desk.clock.now()
    sale = replace(shop.sale(chance), price=shop.price[LOCAL_OFFER], offer_id=LOCAL_OFFER)
    async with shop.desk.rt.transaction("test") as tx:
        sold = await sell_from_stock(tx, [replace(sale, quantity=1, request_id=77)], now=now)
    assert [one.status for one in sold] == [SaleStatus.IN_PROGRESS]
