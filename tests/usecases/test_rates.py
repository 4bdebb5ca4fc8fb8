"""A rate counts for a day, and none is better than an old one."""

from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.sandbox import open_sandbox

from numdesk.domain.errors import InvalidInput, RateUnavailable
from numdesk.usecases import rates


class TestCurrent:
    """The rate that counts now."""

    async def test_refuses_without_one(self, database_url: str, tmp_path: Path) -> None:
        """No rate is a refusal that says when to come again, never a guess."""
        async with open_sandbox(database_url, tmp_path) as desk:
            with pytest.raises(RateUnavailable) as caught:
                await rates.current(desk.rt, "USD/IDR")
            assert caught.value.retry_after_s >= 1
            assert rates.remembered(desk.rt, "USD/IDR") is None

    async def test_refuses_one_of_yesterday(self, database_url: str, tmp_path: Path) -> None:
        """A rate is used for 24 hours of the desk's clock, in memory or not."""
        async with open_sandbox(database_url, tmp_path) as desk:
            await rates.set_rate(desk.rt, "USD/IDR", 16000)
            assert (await rates.current(desk.rt, "USD/IDR")).value == 16000
            desk.rt.clock.set_offset(timedelta(hours=25))
            with pytest.raises(RateUnavailable):
                await rates.current(desk.rt, "USD/IDR")
            assert rates.remembered(desk.rt, "USD/IDR") is None

    async def test_follows_what_is_set(self, database_url: str, tmp_path: Path) -> None:
        """A new rate counts at once, and one that was taken away does not."""
        async with open_sandbox(database_url, tmp_path) as desk:
            for value in (16000, 17000):
                await rates.set_rate(desk.rt, "USD/IDR", value)
                assert (await rates.current(desk.rt, "USD/IDR")).value == value
            await rates.set_rate(desk.rt, "USD/IDR", None)
            with pytest.raises(RateUnavailable):
                await rates.current(desk.rt, "USD/IDR")

    @pytest.mark.parametrize(
        ("pair", "value"), [("USD", 1), ("USD/USD", 1), ("XXX/IDR", 1), ("USD/IDR", 0)]
    )
    async def test_takes_no_nonsense(
        self, database_url: str, tmp_path: Path, pair: str, value: int
    ) -> None:
        """A pair is two different known currencies, a rate is positive."""
        async with open_sandbox(database_url, tmp_path) as desk:
            with pytest.raises(InvalidInput):
                await rates.set_rate(desk.rt, pair, value)


class TestRefresh:
    """Asking the sources."""

    async def test_takes_what_a_source_knows(self, database_url: str, tmp_path: Path) -> None:
        """The simulator's rate becomes ours; a pair that nobody knows keeps its last rate."""
        async with open_sandbox(database_url, tmp_path) as desk:
            assert await rates.refresh(desk.rt) == 1
            assert (await rates.current(desk.rt, "USD/IDR")).value == 16250
            assert desk.simulation
            await desk.simulation.set_rate("USD/IDR", None)
            assert await rates.refresh(desk.rt) == 0
            assert (await rates.current(desk.rt, "USD/IDR")).value == 16250
