"""The sandbox's data are the same every time, and enough to try everything."""

from pathlib import Path

from tests.support.sandbox import INDONESIA, WHATSAPP, open_sandbox

from numdesk.bootstrap import enter
from numdesk.sandbox import seed
from numdesk.usecases import rates
from numdesk.usecases.stock import catalogue


class TestSeed:
    """Filling an empty database."""

    async def test_fills_the_shop(self, database_url: str, tmp_path: Path) -> None:
        """There are countries, services, operators, our own numbers and a supplier's, and a
        rate."""
        async with open_sandbox(database_url, tmp_path) as desk:
            credentials = await enter(desk) or []
            found = await catalogue.catalogue(desk.rt, "IDR")
            assert [one.dialect for one in credentials] == [one.slug for one in desk.dialects]
            assert [one.secret is not None for one in credentials] == [
                one.signed for one in desk.dialects
            ]
            assert len(found.countries) >= 40
            assert len(found.services) >= 200
            tiers = found.tiers(INDONESIA, WHATSAPP)
            assert {offer.provider for offer in tiers} == {"local", "simulator"}
            assert all(found.sells(offer) for offer in tiers)
            operators, any_operator = found.operators_sold(INDONESIA, WHATSAPP)
            assert any_operator
            assert len(operators) >= 3
            assert (await rates.current(desk.rt, "USD/IDR")).value == seed.RATE

    def test_makes_the_same_numbers_every_time(self) -> None:
        """Examples can be written down: the list is a function of nothing."""
        numbers = [line.msisdn for line in seed._numbers()]
        assert numbers == [line.msisdn for line in seed._numbers()]
        assert len(set(numbers)) == len(numbers) == seed.NUMBERS

    def test_makes_numbers_that_belong_to_nobody(self) -> None:
        """Every number has zeros where no numbering plan has any, and fits E.164."""
        for line in seed._numbers():
            assert "00" in line.msisdn
            assert 7 <= len(line.msisdn) <= 15
