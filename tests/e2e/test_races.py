"""Many buyers at once, over two server processes: the last numbers, the last money, and one key."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.support.load import Caller, all_at_once, connections, percentile_99_ms
from tests.support.serving import Customer, Server
from tests.support.waiting import eventually

CONNECTIONS = 64
#: What one order may ask for at most.
QUANTITY_MAX = 100

_log = logging.getLogger(__name__)

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("e2e")]


@pytest.fixture(scope="module")
def crowded(start_server: Callable[..., Server]) -> Server:
    """A server of two processes without rate limits; its ledger must be in order afterwards."""
    return start_server(workers=2, env={"NUMDESK_RATE_LIMITS": "off"})


def own_tiers(server: Server, customer: Customer) -> list[dict[str, Any]]:
    """Returns the tiers of our own stock, one for each country: the cheapest of the country's first
    service."""
    with httpx.Client(
        base_url=server.base_url, headers=customer.headers, timeout=60, trust_env=False
    ) as client:
        country_ids = [one["id"] for one in client.get("/v1/catalog/countries").json()["data"]]
        service_id = client.get("/v1/catalog/services").json()["data"][0]["id"]
        found = []
        for country_id in country_ids[:12]:
            query = {"country_id": country_id, "platform_id": service_id}
            found.append(client.get("/v1/catalog/products", params=query).json()["data"][0])
        return found


async def leave(caller: Caller, tier: dict[str, Any], *, left: int) -> None:
    """Buys a tier's numbers until so many are left."""
    remaining = tier["available"] - left
    while remaining > 0:
        quantity = min(remaining, QUANTITY_MAX)
        made = (
            await caller.post("/v1/orders/create", {"product_id": tier["id"], "quantity": quantity})
        ).data
        assert len(made["orders"]) == quantity
        remaining -= quantity

    async def shown() -> None:
        place = f"country_id={tier['country_id']}&platform_id={tier['platform_id']}"
        page = (await caller.get(f"/v1/catalog/products?{place}")).data
        assert next((one["available"] for one in page if one["id"] == tier["id"]), 0) == left

    await eventually(shown)


async def test_the_last_hundred_numbers_are_sold_once_each(crowded: Server) -> None:
    """Of 1,000 buyers of the last 100 numbers exactly 100 get one each, 900 a clean no, and nobody
    an error."""
    customer = crowded.customer()
    tier = min(own_tiers(crowded, customer), key=lambda one: one["available"])
    async with connections(CONNECTIONS) as session:
        caller = Caller(session, customer)
        await leave(caller, tier, left=100)
        buyers = [Caller(session, crowded.customer()) for _ in range(4)]
        answers = [
            answer
            for group in await _together(buyers, {"product_id": tier["id"]}, times=250)
            for answer in group
        ]
        _log.info("99 in 100 answers within %s ms", percentile_99_ms(answers))
        assert Counter(answer.code for answer in answers) == {None: 100, "NO_OFFER_AVAILABLE": 900}
        sold = [
            answer.data["orders"][0]["phone_number"] for answer in answers if answer.status == 200
        ]
        assert len(set(sold)) == 100
        listed = [order["phone_number"] for buyer in buyers for order in await buyer.orders()]
        assert sorted(listed) == sorted(sold)


async def _together(buyers: list[Caller], body: object, *, times: int) -> list[list[Any]]:
    """Lets all buyers send at once."""
    return await asyncio.gather(*(all_at_once(buyer, body, times=times) for buyer in buyers))


async def test_a_wallet_buys_what_it_can_pay_and_no_more(crowded: Server) -> None:
    """Of 500 parallel orders from a wallet that pays for 100 exactly 100 are sold, and the wallet
    ends at nothing."""
    tier = max(own_tiers(crowded, crowded.customer()), key=lambda one: one["available"])
    customer = crowded.customer(balance=100 * tier["price"] + tier["price"] - 1)
    async with connections(CONNECTIONS) as session:
        caller = Caller(session, customer)
        answers = await all_at_once(caller, {"product_id": tier["id"]}, times=500)
        assert Counter(answer.code for answer in answers) == {
            None: 100,
            "INSUFFICIENT_BALANCE": 400,
        }
        assert await caller.balance() == tier["price"] - 1
        assert len(await caller.orders()) == 100


@pytest.mark.parametrize("own_stock", [True, False], ids=["own stock", "a supplier's numbers"])
async def test_one_key_is_one_order(crowded: Server, own_stock: bool) -> None:
    """Of 200 parallel requests with one key one buys.

    The others get the same bytes, or are told that it is on its way.
    """
    customer = crowded.customer()
    tier = max(
        own_tiers(crowded, customer), key=lambda one: one["available"]
    )  # whoever came before may have emptied a country
    async with connections(CONNECTIONS) as session:
        caller = Caller(session, customer)
        page = (
            await caller.get(
                f"/v1/catalog/products?country_id={tier['country_id']}&platform_id={tier['platform_id']}"
            )
        ).data
        product = page[0 if own_stock else -1]
        answers = await all_at_once(caller, {"product_id": product["id"]}, times=200, key="one-key")
        codes = Counter(answer.code for answer in answers)
        assert codes.keys() <= {None, "REQUEST_IN_PROGRESS"}
        assert len({answer.body for answer in answers if answer.status == 200}) == 1
        assert sum(not answer.replayed for answer in answers if answer.status == 200) == 1
        assert len(await caller.orders()) == 1
        assert await caller.balance() == customer.balance - product["price"]
        other = await caller.post(
            "/v1/orders/create", {"product_id": product["id"], "quantity": 2}, key="one-key"
        )
        assert (other.status, other.code) == (422, "IDEMPOTENCY_KEY_REUSED")
