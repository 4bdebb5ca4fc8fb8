"""What a process remembers is dropped when another changes it."""

from __future__ import annotations

from tests.support.desk import DeskOfTest

from numdesk.usecases.desk import versions


class TestLook:
    """One look at the versions."""

    async def remember(self, desk: DeskOfTest) -> None:
        """Fills the memory under each name."""
        for name in ("catalogue:IDR", "rates:USD/IDR", "other"):

            async def load(name: str = name) -> str:
                return name

            await desk.rt.memory.get(name, load)

    async def test_forgets_only_what_changed(self, desk: DeskOfTest) -> None:
        """A new rate drops the rates and nothing else."""
        await versions.look(desk.rt)
        await self.remember(desk)
        await desk.pool.execute("update fx_rates set rate = rate + 1")
        await versions.look(desk.rt)
        assert [
            desk.rt.memory.peek(name) for name in ("catalogue:IDR", "rates:USD/IDR", "other")
        ] == ["catalogue:IDR", None, "other"]

    async def test_forgets_all_at_the_first_look(self, desk: DeskOfTest) -> None:
        """What was remembered before the first look may be old."""
        await self.remember(desk)
        await versions.look(desk.rt)
        assert [
            desk.rt.memory.peek(name) for name in ("catalogue:IDR", "rates:USD/IDR", "other")
        ] == [None, None, "other"]
