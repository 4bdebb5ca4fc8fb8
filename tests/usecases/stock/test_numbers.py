"""Lists of numbers and prices: good lines count, bad ones are told, and the same list twice changes nothing."""

from pathlib import Path

import asyncpg
import pytest
from tests.support.sandbox import open_sandbox, refuse, shelve

from numdesk.usecases.stock import catalogue, numbers
from numdesk.usecases.stock.lists import BadLine
from numdesk.usecases.stock.numbers import GivenNumber, GivenPrice, PriceRules


class TestLoad:
    """Putting numbers on the shelf."""

    async def test_changes_nothing_the_second_time(self, database_url: str, tmp_path: Path) -> None:
        """The same list again adds nothing and complains of nothing."""
        lines = [
            GivenNumber(2, "+628110000001", "id", ""),
            GivenNumber(3, "628110000002", "ID", "Telkomsel"),
        ]
        async with open_sandbox(database_url, tmp_path) as desk:
            first = await numbers.load(desk.rt, lines, complain=refuse)
            again = await numbers.load(desk.rt, lines, complain=refuse)
            assert (first.added, first.present) == (2, 0)
            assert (again.added, again.present) == (0, 2)

    async def test_takes_the_good_lines_of_a_bad_list(
        self, database_url: str, tmp_path: Path
    ) -> None:
        """Every bad line is told by number, value and reason, and spoils none of its neighbours."""
        lines: list[GivenNumber | BadLine] = [
            GivenNumber(2, "628110000001", "ID", ""),
            GivenNumber(3, "=1+1", "ID", ""),
            GivenNumber(4, "٦٢٨١١٠٠٠٠٠٠١", "ID", ""),
            GivenNumber(5, "628110000003", "Atlantis", ""),
            GivenNumber(6, "628110000004", "ID", "nobody"),
            BadLine(7, "x", "is nonsense"),
        ]
        told: list[BadLine] = []
        async with open_sandbox(database_url, tmp_path) as desk:
            total = await numbers.load(desk.rt, lines, complain=told.append)
        assert (total.added, total.bad) == (1, 5)
        assert [bad.line for bad in told] == [3, 4, 5, 6, 7]
        assert "telkomsel" not in told[0].reason
        assert all(bad.reason for bad in told)

    async def test_tells_of_a_number_that_is_elsewhere(
        self, database_url: str, tmp_path: Path
    ) -> None:
        """A number keeps the place it has, and the list's owner learns which that is."""
        told: list[BadLine] = []
        async with open_sandbox(database_url, tmp_path) as desk:
            await shelve(desk, numbers=1, first=628110000001)
            await numbers.load(
                desk.rt, [GivenNumber(2, "628110000001", "ID", "telkomsel")], complain=told.append
            )
        assert [(bad.value, "ID" in bad.reason) for bad in told] == [("628110000001", True)]

    async def test_keeps_a_number_out_of_a_country_that_it_cannot_be_of(
        self, database_url: str, tmp_path: Path
    ) -> None:
        """A customer who buys a Malaysian number must not get one that begins like an Indonesian one."""
        lines = [
            GivenNumber(2, "628110000001", "MY", ""),
            GivenNumber(3, "77010000001", "KZ", ""),
            GivenNumber(4, "77010000002", "RU", ""),
        ]
        told: list[BadLine] = []
        async with open_sandbox(database_url, tmp_path) as desk:
            total = await numbers.load(desk.rt, lines, complain=told.append)
        assert (total.added, total.bad) == (2, 1)
        assert [(bad.line, bad.reason) for bad in told] == [
            (2, "does not begin with 60, as numbers of MY do")
        ]

    async def test_adds_operators_only_when_told(self, database_url: str, tmp_path: Path) -> None:
        """A column out of place must not fill the table of operators."""
        line = GivenNumber(2, "628110000001", "ID", "my-network")
        told: list[BadLine] = []
        async with open_sandbox(database_url, tmp_path) as desk:
            await numbers.load(desk.rt, [line], complain=told.append)
            assert len(told) == 1
            total = await numbers.load(desk.rt, [line], new_operators=True, complain=refuse)
            assert total.added == 1


class TestPrice:
    """Setting prices."""

    async def test_makes_the_offer_and_changes_only_its_price_later(
        self, database_url: str, tmp_path: Path, pool: asyncpg.Pool
    ) -> None:
        """An offer's id stays when its price changes, and an unchanged price counts as unchanged."""

        def line(price: str) -> GivenPrice:
            return GivenPrice(2, "ID", "whatsapp", "", "IDR", price)

        async with open_sandbox(database_url, tmp_path) as desk:
            counts = [
                (await numbers.price(desk.rt, [line(price)], complain=refuse)).added
                for price in ("3000", "3000", "3500")
            ]
            assert counts == [1, 0, 1]
        assert [
            tuple(row) for row in await pool.fetch("select offer_id, price from offer_prices")
        ] == [(1, 3500)]

    async def test_puts_up_for_sale_what_a_supplier_has(
        self, database_url: str, tmp_path: Path, pool: asyncpg.Pool
    ) -> None:
        """A supplier's tier has a price by a list, and its stock and cost by what the supplier says."""
        lines = [GivenPrice(2, "ID", "whatsapp", "", "IDR", "9000", "", "Simulator")]
        async with open_sandbox(database_url, tmp_path) as desk:
            assert (await numbers.price(desk.rt, lines, complain=refuse)).added == 1
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
        """A provider that is spelt wrong is told, and does not become an offer that nobody can fulfil."""
        told: list[BadLine] = []
        async with open_sandbox(database_url, tmp_path) as desk:
            await numbers.price(
                desk.rt,
                [GivenPrice(2, "ID", "whatsapp", "", "IDR", "9000", "", "nobody")],
                complain=told.append,
            )
        assert [(bad.value, "simulator" in bad.reason) for bad in told] == [("nobody", True)]
        assert await pool.fetchval("select count(*) from offers") == 0

    async def test_sells_below_the_cost_only_when_allowed(
        self, database_url: str, tmp_path: Path
    ) -> None:
        """A price below the cost that its line, another line or an earlier list gives is refused by line, or loaded and counted."""

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
                await numbers.price(desk.rt, lines, complain=told.append)
                for lines in (first, later)
            ]
            allowed = [
                await numbers.price(desk.rt, lines, rules=PriceRules(losses=True), complain=refuse)
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
            assert (await numbers.price(desk.rt, [line], complain=told.append)).added == 0
            assert "--allow-free" in told[0].reason
            assert (
                await numbers.price(desk.rt, [line], rules=PriceRules(free=True), complain=refuse)
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
        """Lines that give one offer different prices or costs are reported, however they spell it; their neighbours are loaded."""
        told: list[BadLine] = []
        lines = [
            GivenPrice(2, "ID", one[0], "", one[1], one[2], one[3]),
            GivenPrice(3, "ID", "telegram", "", "IDR", "900"),
            GivenPrice(4, "id", other[0], "", other[1], other[2], other[3], "local"),
        ]
        async with open_sandbox(database_url, tmp_path) as desk:
            total = await numbers.price(desk.rt, lines, complain=told.append)
        assert (total.read, total.added, total.bad) == (3, 1, 2)
        assert [(bad.line, "line 4" in bad.reason, "line 2" in bad.reason) for bad in told] == [
            (2, True, False),
            (4, False, True),
        ]

    async def test_takes_equal_lines_as_one(
        self, database_url: str, tmp_path: Path, pool: asyncpg.Pool
    ) -> None:
        """A line that says the same again, or says less, contradicts nothing; the cost that one of them gives counts."""
        lines = [
            GivenPrice(n, "ID", "whatsapp", "", "EUR", price, cost)
            for n, price, cost in [(2, "2.5", ""), (3, "2.50", "1"), (4, "2.50", "")]
        ]
        async with open_sandbox(database_url, tmp_path) as desk:
            total = await numbers.price(desk.rt, lines, complain=refuse)
        assert (total.read, total.added, total.present) == (3, 1, 2)
        assert await pool.fetchval("select cost from offers") == 100

    async def test_takes_only_currencies_that_are_sold_in(
        self, database_url: str, tmp_path: Path, pool: asyncpg.Pool
    ) -> None:
        """A price that no customer could be shown is told, and its cost is not taken for money of another currency."""
        told: list[BadLine] = []
        lines = [
            GivenPrice(2, "ID", "whatsapp", "", "EUR", "1.50", "1"),
            GivenPrice(3, "ID", "whatsapp", "", "idr", "9000"),
        ]
        async with open_sandbox(database_url, tmp_path) as desk:
            total = await numbers.price(
                desk.rt, lines, rules=PriceRules(currencies={"IDR"}), complain=told.append
            )
        assert (total.added, [(bad.line, "IDR" in bad.reason) for bad in told]) == (1, [(2, True)])
        assert await pool.fetchval("select cost from offers") == 0


class TestWithdraw:
    """Taking numbers off the shelf."""

    async def test_leaves_a_rented_number_alone(
        self, database_url: str, tmp_path: Path, pool: asyncpg.Pool
    ) -> None:
        """A number in somebody's hands stays; free ones go, and stay away when loaded again."""
        told: list[BadLine] = []
        async with open_sandbox(database_url, tmp_path) as desk:
            await shelve(desk, numbers=2, first=628110000001)
            await pool.execute(
                "update numbers set state = 1, order_id = 1 where msisdn = 628110000001"
            )
            lines = [GivenNumber(n, str(628110000000 + n), "", "") for n in (1, 2, 3)]
            total = await numbers.withdraw(desk.rt, lines, complain=told.append)
            assert total.added == 1
            assert [bad.line for bad in told] == [1, 3]
            await shelve(desk, numbers=2, first=628110000001)
            (line,) = await numbers.summary(desk.rt)
            assert (line.free, line.taken, line.withdrawn) == (0, 1, 1)
