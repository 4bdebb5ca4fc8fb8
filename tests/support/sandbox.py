"""A desk in sandbox mode on a database of the test's own, without seeds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from numdesk.bootstrap import Desk, open_desk
from numdesk.config import Settings
from numdesk.usecases.stock import catalogue, prices
from numdesk.usecases.stock import numbers as stock_numbers
from numdesk.usecases.stock.lists import BadLine
from numdesk.usecases.stock.numbers import GivenNumber
from numdesk.usecases.stock.prices import GivenPrice

INDONESIA, WHATSAPP = 6, 3


@asynccontextmanager
async def open_sandbox(database_url: str, folder: Path) -> AsyncIterator[Desk]:
    """Yields the desk, with its providers known to the catalogue."""
    async with open_desk(Settings(data=folder), dsn=database_url, sandbox=True) as desk:
        await catalogue.register_providers(desk.rt, slugs=desk.rt.suppliers)
        yield desk


async def shelve(
    desk: Desk, *, numbers: int, operator: str = "", first: int = 620000000000
) -> None:
    """Puts Indonesian numbers on the shelf."""
    lines = [GivenNumber(n + 2, str(first + n), "ID", operator) for n in range(numbers)]
    await stock_numbers.load(desk.rt, lines, complain=refuse)


async def sell(
    desk: Desk, *, price: int = 3000, operator: str = "", provider: str = "local"
) -> None:
    """Offers Indonesian numbers for WhatsApp."""
    line = GivenPrice(2, "ID", "whatsapp", operator, "IDR", str(price), "100", provider)
    await prices.price(desk.rt, [line], complain=refuse)


def refuse(bad: BadLine) -> None:
    """Fails the test at the first line that cannot be used."""
    raise AssertionError(bad)
