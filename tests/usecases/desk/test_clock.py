"""The desk's clock moves forward only, for every process alike."""

from pathlib import Path

import pytest
from tests.support.sandbox import open_sandbox

from numdesk.domain.errors import InvalidInput
from numdesk.storage.database.pool import Tx
from numdesk.storage.desk import settings as rows
from numdesk.usecases.desk import clock


class TestAdvance:
    """Moving the clock."""

    async def test_is_seen_by_other_processes(self, database_url: str, tmp_path: Path) -> None:
        """An offset that one process adds is the other's after a look, and that of a process that
        starts later."""
        async with (
            open_sandbox(database_url, tmp_path) as one,
            open_sandbox(database_url, tmp_path) as two,
        ):
            await clock.advance(one.rt, 60)
            await clock.advance(two.rt, 30)
            await clock.look(one.rt)
            assert one.rt.clock.offset.total_seconds() == 90
        async with open_sandbox(database_url, tmp_path) as later:
            assert later.rt.clock.offset.total_seconds() == 90

    @pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 1e12])
    async def test_takes_no_nonsense(
        self, database_url: str, tmp_path: Path, seconds: float
    ) -> None:
        """Time does not go back, and not beyond what anybody can mean."""
        async with open_sandbox(database_url, tmp_path) as desk:
            with pytest.raises(InvalidInput):
                await clock.advance(desk.rt, seconds)

    async def test_is_not_taken_back_by_a_look_that_began_before(
        self, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What a look read before somebody advanced the clock comes in after it, and changes
        nothing."""
        read = rows.read

        async def overtaken(tx: Tx, *, name: str) -> float | None:
            old = await read(tx, name=name)
            await clock.advance(desk.rt, 30)
            return old

        async with open_sandbox(database_url, tmp_path) as desk:
            await clock.advance(desk.rt, 60)
            monkeypatch.setattr(rows, "read", overtaken)
            await clock.look(desk.rt)
            assert desk.rt.clock.offset.total_seconds() == 90
