"""Our own numbers: load and withdraw them."""

from pathlib import Path

import asyncpg
from tests.support.sandbox import open_sandbox, refuse, shelve

from numdesk.usecases.stock import numbers
from numdesk.usecases.stock.lists import BadLine
from numdesk.usecases.stock.numbers import GivenNumber


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
        """A customer who buys a Malaysian number must not get one that begins like an Indonesian
        one."""
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
