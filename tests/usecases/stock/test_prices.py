"""Price lists of offers."""

from pathlib import Path

import asyncpg
import pytest
from tests.support.sandbox import open_sandbox, refuse

from numdesk.usecases.stock import catalogue, prices
from numdesk.usecases.stock.lists import BadLine
from numdesk.usecases.stock.prices import GivenPrice, PriceRules


class TestPrice:
    """Setting prices."""

    async def test_makes_the_offer_and_changes_only_its_price_later(
        self, database_url: str, tmp_path: Path, pool: asyncpg.Pool
    ) -> None:
        """An offer's id stays when its price changes, and an unchanged price counts as
        unchanged."""

        def line(price: str) -> GivenPrice:
            return GivenPrice(2, "ID", "whatsapp", "", "IDR", price)

        async with open_sandbox(database_url, tmp_path) as desk:
            counts = [
                (await prices.price(desk.rt, [line(price)], complain=refuse)).added
                for price in ("3000", "3000", "3500")
            ]
            assert counts == [1, 0, 1]
        assert [
            tuple(row) for row in await pool.fetch("select offer_id, price from offer_prices")
        ] == [(1, 3500)]

    async def test_puts_up_for_sale_what_a_supplier_has(
        self, database_url: str, tmp_path: Path, pool: asyncpg.Pool
    ) -> None:
        """A supplier's tier has a price by a list, and its stock and cost by what the supplier
        says."""
        lines = [GivenPrice(2, "ID", "whatsapp", "", "IDR", "9000", "", "Simulator")]
        async with open_sandbox(database_url, tmp_path) as desk:
            assert (await prices.price(desk.rt, lines, complain=refuse)).added == 1
            await catalogue.refresh_supplier(desk.rt, provider="simulator")
            told = await desk.rt.suppliers["simulator"].tiers()
        (tier,) = [
            tier
            for tier in told
            if (tier.country, tier.service, tier.operator) == ("ID", "whatsapp", None)
        ]
        row = await pool.fetchrow("select provider, available, cost from offers")
        assert row is not None
        assert tuple(row) == ("simulator", tier.available, tier.cost)

    async def test_knows_the_providers_of_this_desk_only(
        self, database_url: str, tmp_path: Path, pool: asyncpg.Pool
    ) -> None:
        """A provider that is spelt wrong is told, and does not become an offer that nobody can
        fulfil."""
        told: list[BadLine] = []
        async with open_sandbox(database_url, tmp_path) as desk:
            await prices.price(
                desk.rt,
                [GivenPrice(2, "ID", "whatsapp", "", "IDR", "9000", "", "nobody")],
                complain=told.append,
            )
        assert [(bad.value, "simulator" in bad.reason) for bad in told] == [("nobody", True)]
        assert await pool.fetchval("select count(*) from offers") == 0

    async def test_sells_below_the_cost_only_when_allowed(
        self, database_url: str, tmp_path: Path
    ) -> None:
        """A price below the cost that its line, another line or an earlier list gives is refused by
        line, or loaded and counted."""

        def line(number: int, service: str, price: str, cost: str) -> GivenPrice:
            return GivenPrice(number, "ID", service, "", "IDR", price, cost)

        first = [
            line(2, "whatsapp", "3000", "3000"),
            line(3, "telegram", "2999", "3000"),
            line(4, "google", "1", ""),
        ]
        later = [line(2, "whatsapp", "2000", "")]
        told: list[BadLine] = []
        async with open_sandbox(database_url, tmp_path) as desk:
            strict = [
                await prices.price(desk.rt, lines, complain=told.append) for lines in (first, later)
            ]
            allowed = [
                await prices.price(desk.rt, lines, rules=PriceRules(losses=True), complain=refuse)
                for lines in (first, later)
            ]
        assert [(total.added, total.bad, total.losses) for total in strict] == [
            (2, 1, 0),
            (0, 1, 0),
        ]
        assert [(bad.line, bad.value, "3,000 IDR" in bad.reason) for bad in told] == [
            (3, "2999", True),
            (2, "2000", True),
        ]
        assert [(total.added, total.losses) for total in allowed] == [(1, 1), (1, 1)]

    async def test_gives_numbers_away_only_when_allowed(
        self, database_url: str, tmp_path: Path
    ) -> None:
        """A price of 0 is refused unless free numbers are meant."""
        told: list[BadLine] = []
        line = GivenPrice(2, "ID", "whatsapp", "", "IDR", "0")
        async with open_sandbox(database_url, tmp_path) as desk:
            assert (await prices.price(desk.rt, [line], complain=told.append)).added == 0
            assert "--allow-free" in told[0].reason
            assert (
                await prices.price(desk.rt, [line], rules=PriceRules(free=True), complain=refuse)
            ).added == 1

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (("whatsapp", "IDR", "2500", ""), ("WhatsApp ", "idr", "25", "")),
            (("whatsapp", "IDR", "2500", "100"), ("whatsapp", "IDR", "2500", "200")),
            (("whatsapp", "IDR", "2500", "100"), ("whatsapp", "EUR", "2.50", "2")),
        ],
    )
    async def test_loads_neither_of_two_lines_that_contradict(
        self, database_url: str, tmp_path: Path, one: tuple[str, ...], other: tuple[str, ...]
    ) -> None:
        """Lines that give one offer different prices or costs are reported, however they spell it.

        Their neighbours are loaded.
        """
        told: list[BadLine] = []
        lines = [
            GivenPrice(2, "ID", one[0], "", one[1], one[2], one[3]),
            GivenPrice(3, "ID", "telegram", "", "IDR", "900"),
            GivenPrice(4, "id", other[0], "", other[1], other[2], other[3], "local"),
        ]
        async with open_sandbox(database_url, tmp_path) as desk:
            total = await prices.price(desk.rt, lines, complain=told.append)
        assert (total.read, total.added, total.bad) == (3, 1, 2)
        assert [(bad.line, "line 4" in bad.reason, "line 2" in bad.reason) for bad in told] == [
            (2, True, False),
            (4, False, True),
        ]

    async def test_takes_equal_lines_as_one(
        self, database_url: str, tmp_path: Path, pool: asyncpg.Pool
    ) -> None:
        """A line that says the same again, or says less, contradicts nothing.

        The cost that one of them gives counts.
        """
        lines = [
            GivenPrice(n, "ID", "whatsapp", "", "EUR", price, cost)
            for n, price, cost in [(2, "2.5", ""), (3, "2.50", "1"), (4, "2.50", "")]
        ]
        async with open_sandbox(database_url, tmp_path) as desk:
            total = await prices.price(desk.rt, lines, complain=refuse)
        assert (total.read, total.added, total.present) == (3, 1, 2)
        assert await pool.fetchval("select cost from offers") == 100

    async def test_takes_only_currencies_that_are_sold_in(
        self, database_url: str, tmp_path: Path, pool: asyncpg.Pool
    ) -> None:
        """A price that no customer could be shown is told, and its cost is not taken for money of
        another currency."""
        told: list[BadLine] = []
        lines = [
            GivenPrice(2, "ID", "whatsapp", "", "EUR", "1.50", "1"),
            GivenPrice(3, "ID", "whatsapp", "", "idr", "9000"),
        ]
        async with open_sandbox(database_url, tmp_path) as desk:
            total = await prices.price(
                desk.rt, lines, rules=PriceRules(currencies={"IDR"}), complain=told.append
            )
        assert (total.added, [(bad.line, "IDR" in bad.reason) for bad in told]) == (1, [(2, True)])
        assert await pool.fetchval("select cost from offers") == 0
