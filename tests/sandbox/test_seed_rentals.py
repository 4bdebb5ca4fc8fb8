"""What the sandbox rents out: the countries, periods and prices of the vendor's document."""

from __future__ import annotations

from pathlib import Path

from tests.support.rentals import refuse
from tests.support.sandbox import open_sandbox

from numdesk.domain.rentals.lifecycle import RentType
from numdesk.sandbox import seed_rentals
from numdesk.usecases.rentals import prices


async def test_opens_spain_with_the_documents_prices(database_url: str, tmp_path: Path) -> None:
    """Spain is open, Germany and the UK are announced, prices are those that clients have read
    about; seeding again changes nothing."""
    async with open_sandbox(database_url, tmp_path) as desk:
        await seed_rentals.seed(desk.rt, complain=refuse)
        known = await prices.price_list(desk.rt)
        await seed_rentals.seed(desk.rt, complain=refuse)
        assert await prices.price_list(desk.rt) == known
    assert {place.name: place.open for place in known.countries.values()} == {
        "Spain": True,
        "Germany": False,
        "UK": False,
    }
    services = {
        service.code: service
        for service in known.services[known.country("Spain").id, RentType.LONG]
    }
    assert dict(services["google"].prices) == {1: 250, 3: 600, 7: 1200, 30: 3500}
    assert dict(services["whatsapp"].prices) == {1: 300, 7: 1500, 30: 4500}
    assert [one.code for one in services.values()][:2] == ["google", "whatsapp"]
    for place in known.countries.values():
        assert {
            code
            for rent_type in RentType
            for code in (s.code for s in known.services[place.id, rent_type])
        } == set(services)
