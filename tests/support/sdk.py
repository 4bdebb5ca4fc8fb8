"""The published SDK as one thing: sync and async, v1 and v2, spoken to in the same way."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import httpx
import smscode
from tests.support.serving import Customer, Server

COUNTRY = "Indonesia"
SERVICE = "WhatsApp"
TIMEOUT_MS = 30_000


@dataclass(frozen=True, slots=True)
class Flavour:
    """One of the four ways to use the SDK."""

    is_async: bool
    version: int

    def __str__(self) -> str:
        """Name it in a test's id."""
        return f"{'async' if self.is_async else 'sync'}-v{self.version}"


FLAVOURS = tuple(Flavour(is_async, version) for version in (1, 2) for is_async in (False, True))


class Shop:
    """The SDK's client of one customer. Call its methods by name: `await shop("orders.get", 7)`."""

    def __init__(
        self, client: Any, *, server: Server, customer: Customer, flavour: Flavour
    ) -> None:
        """Take the client over."""
        self.client = client
        self.server = server
        self.customer = customer
        self.flavour = flavour
        self.is_v2 = flavour.version == 2
        self._api = client if self.is_v2 else client.v1

    async def __call__(self, name: str, *args: object, **kwargs: object) -> Any:
        """Calls a method of the SDK; a sync one in a thread, so that several can run at once."""
        method = attrgetter(name)(self._api)
        if inspect.iscoroutinefunction(method):
            return await method(*args, **kwargs)
        return await asyncio.to_thread(method, *args, **kwargs)

    async def request(
        self, method: str, path: str, *, version: int | None = None, **kwargs: Any
    ) -> Any:
        """Calls the SDK's own request method, for what none of its resources sends."""
        call = self.client.request
        whole = f"/v{version or self.flavour.version}{path}"
        if self.flavour.is_async:
            return await call(method, whole, **kwargs)
        return await asyncio.to_thread(call, method, whole, **kwargs)

    async def order(self, **wanted: object) -> Any:
        """Buys one number of our own stock, or what is asked for, and returns the order."""
        if not wanted:
            wanted = {"product_id": (await self.tiers())[0].id}
        return (await self("orders.create", **wanted)).orders[0]

    async def tiers(self, *, service: str = SERVICE) -> list[Any]:
        """Returns the tiers of one product, cheapest first: our own stock, then the simulator's
        numbers."""
        country = next(one.id for one in await self("catalog.countries") if one.name == COUNTRY)
        platform = next(one.id for one in await self("catalog.services") if one.name == service)
        page = await self("catalog.products", country_id=country, platform_id=platform)
        return page.products

    async def received(self, **wanted: object) -> Any:
        """Buys a number, lets a message arrive, and returns the order as it then is."""
        order = await self.order(**wanted)
        self.server.message(order["phone_number"], "Your code is 482913")
        return await self("orders.get", order["id"])

    def units(self, amount: Any) -> int:
        """Returns an amount of this version in rupiah."""
        return amount.canonical_amount if self.is_v2 else amount


@asynccontextmanager
async def open_shop(
    server: Server, flavour: Flavour, *, customer: Customer | None = None, token: str | None = None
) -> AsyncIterator[Shop]:
    """Yields the SDK in one of its ways, speaking as a fresh customer unless told otherwise."""
    who = customer or server.customer()
    arguments: dict[str, Any] = {
        "token": token or who.token,
        "base_url": server.base_url,
        "timeout_ms": TIMEOUT_MS,
    }
    if flavour.is_async:
        async with (
            httpx.AsyncClient(timeout=60, trust_env=False) as own,
            smscode.AsyncSmscodeClient(client=own, **arguments) as client,
        ):
            yield Shop(client, server=server, customer=who, flavour=flavour)
    else:
        with (
            httpx.Client(timeout=60, trust_env=False) as own,
            smscode.SmscodeClient(client=own, **arguments) as client,
        ):
            yield Shop(client, server=server, customer=who, flavour=flavour)
