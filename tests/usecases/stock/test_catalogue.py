"""The catalogue shows what can be sold at this moment, and is loaded anew only when something
changed."""

from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from tests.support.sandbox import INDONESIA, WHATSAPP, open_sandbox, sell, shelve

from numdesk.bootstrap import Desk
from numdesk.domain.errors import NotFound
from numdesk.domain.stock.catalogue import Catalogue
from numdesk.ports.errors import Cause, ProviderError
from numdesk.ports.suppliers import Tier
from numdesk.usecases.orders import decisions
from numdesk.usecases.stock import catalogue


async def fresh(desk: Desk) -> Catalogue:
    """Returns the catalogue as if its stock had grown too old."""
    desk.rt.memory.forget("catalogue")
    return await catalogue.catalogue(desk.rt, "IDR")


class TestCatalogue:
    """What is offered, and how many."""

    async def test_counts_the_country_and_each_operator(
        self, database_url: str, tmp_path: Path
    ) -> None:
        """An offer without an operator sells every number of the country, one with an operator only
        its own."""
        async with open_sandbox(database_url, tmp_path) as desk:
            await shelve(desk, numbers=3)
            await shelve(desk, numbers=2, operator="telkomsel", first=621000000000)
            await sell(desk)
            await sell(desk, operator="telkomsel")
            found = await fresh(desk)
            stock = {
                offer.operator_id is None: offer.available
                for offer in found.tiers(INDONESIA, WHATSAPP)
            }
            assert stock == {True: 5, False: 2}

    async def test_leaves_out_numbers_that_cool_down_for_the_service(
        self, database_url: str, tmp_path: Path, pool: asyncpg.Pool
    ) -> None:
        """A number that was just used for a service cannot be sold for it, and is not counted for
        it alone."""
        async with open_sandbox(database_url, tmp_path) as desk:
            await shelve(desk, numbers=3)
            await sell(desk)
            until = desk.rt.clock.now() + timedelta(hours=1)
            await pool.execute(
                "insert into number_uses select id, $1, $2 from numbers order by id limit 1",
                WHATSAPP,
                until,
            )
            (offer,) = (await fresh(desk)).tiers(INDONESIA, WHATSAPP)
            assert offer.available == 2

    async def test_sells_nothing_of_what_is_switched_off(
        self, database_url: str, tmp_path: Path, pool: asyncpg.Pool
    ) -> None:
        """An offer is closed when it, its provider, its country or its service is."""
        async with open_sandbox(database_url, tmp_path) as desk:
            await shelve(desk, numbers=1)
            await sell(desk)
            moment = await fresh(desk)
            assert [
                service for service in moment.services if moment.sells_service(INDONESIA, service)
            ] == [WHATSAPP]
            for off, on in (
                ("update offers set active = false", "update offers set active = true"),
                ("update providers set healthy = false", "update providers set healthy = true"),
                ("update countries set active = false", "update countries set active = true"),
                ("update services set active = false", "update services set active = true"),
            ):
                await pool.execute(off)
                found = await fresh(desk)
                assert not any(found.sells(offer) for offer in found.offers.values()), off
                await pool.execute(on)

    async def test_serves_from_memory_and_renews_before_it_is_too_old(
        self, database_url: str, tmp_path: Path
    ) -> None:
        """A second look is the same object, and none is remembered for a currency without one."""
        async with open_sandbox(database_url, tmp_path) as desk:
            first = await fresh(desk)
            assert await catalogue.catalogue(desk.rt, "IDR") is first
            assert catalogue.remembered(desk.rt, "IDR") is first
            assert catalogue.remembered(desk.rt, "EUR") is None

    async def test_explains_only_what_was_decided(self, database_url: str, tmp_path: Path) -> None:
        """There is no explanation of an order that does not exist."""
        async with open_sandbox(database_url, tmp_path) as desk:
            with pytest.raises(NotFound):
                await decisions.explain(desk.rt, 1)


class _Supplier:
    """Tells the tiers that it is given, or fails."""

    def __init__(self, tiers: list[Tier] | None) -> None:
        self._tiers = tiers

    async def tiers(self) -> list[Tier]:
        """Returns the tiers."""
        if self._tiers is None:
            raise ProviderError(Cause.PROVIDER_UNAVAILABLE)
        return self._tiers


class TestRefreshSupplier:
    """Taking over what suppliers sell."""

    async def test_writes_what_changed_and_nothing_else(
        self, database_url: str, tmp_path: Path, pool: asyncpg.Pool
    ) -> None:
        """A price list that says what is known already makes no process load the catalogue anew."""
        async with open_sandbox(database_url, tmp_path) as desk:
            await sell(desk, provider="simulator")
            desk.rt.suppliers = {"simulator": _Supplier([Tier("ID", "whatsapp", None, 7, 90)])}  # type: ignore[dict-item]
            assert await catalogue.refresh_supplier(desk.rt, provider="simulator") == 1
            version = await pool.fetchval("select n from versions where name = 'catalogue'")
            assert await catalogue.refresh_supplier(desk.rt, provider="simulator") == 0
            assert await pool.fetchval("select n from versions where name = 'catalogue'") == version
            (offer,) = (await fresh(desk)).tiers(INDONESIA, WHATSAPP)
            assert (offer.available, offer.cost) == (7, 90)

    async def test_has_none_of_a_tier_that_is_gone(self, database_url: str, tmp_path: Path) -> None:
        """A tier that the supplier no longer lists keeps its id and has nothing available."""
        async with open_sandbox(database_url, tmp_path) as desk:
            await sell(desk, provider="simulator")
            for tiers in ([Tier("ID", "whatsapp", None, 7, 90)], []):
                desk.rt.suppliers = {"simulator": _Supplier(tiers)}  # type: ignore[dict-item]
                await catalogue.refresh_supplier(desk.rt, provider="simulator")
            (offer,) = (await fresh(desk)).tiers(INDONESIA, WHATSAPP)
            assert offer.available == 0

    async def test_does_not_sell_from_a_supplier_that_is_away(
        self, database_url: str, tmp_path: Path
    ) -> None:
        """A supplier that cannot be reached is unhealthy until it answers again."""
        async with open_sandbox(database_url, tmp_path) as desk:
            desk.rt.suppliers = {"simulator": _Supplier(None)}  # type: ignore[dict-item]
            assert await catalogue.refresh_supplier(desk.rt, provider="simulator") is None
            assert "simulator" not in (await fresh(desk)).healthy
            desk.rt.suppliers = {"simulator": _Supplier([])}  # type: ignore[dict-item]
            await catalogue.refresh_supplier(desk.rt, provider="simulator")
            assert "simulator" in (await fresh(desk)).healthy


_PAST_ORDERS = """
insert into orders (customer_id, dialect, state, offer_id, catalogue_id, country_id, service_id,
  provider, msisdn, wallet_id,
                    currency, price, cost, created_at, expires_at, first_sms_at, ended_at)
select c.id, 'smscode', 4, o.id, o.catalogue_id, o.country_id, o.service_id, o.provider, 62, a.id,
       'IDR', 1, 0, $1::timestamptz, $1, case when n <= $2 then $1 end, $1
  from generate_series(1, $3::int) n, customers c, accounts a, offers o"""


class TestScores:
    """How often a provider's numbers get a message."""

    async def test_looks_at_finished_days_only(
        self, database_url: str, tmp_path: Path, pool: asyncpg.Pool
    ) -> None:
        """Today's orders count tomorrow, and a provider with fewer than twenty is neutral."""
        async with open_sandbox(database_url, tmp_path) as desk:
            await sell(desk)
            await pool.execute(
                "insert into customers (name, state, created_at) values ('a', 1, now())"
            )
            await pool.execute(
                "insert into accounts (kind, owner, currency, live) values ('wallet', 1, 'IDR', "
                "true)"
            )
            await pool.execute(_PAST_ORDERS, desk.rt.clock.now(), 15, 20)
            assert (await fresh(desk)).scores == {}
            desk.rt.clock.set_offset(timedelta(days=1))
            found = await fresh(desk)
            assert (found.scores, found.neutral) == ({"local": 7}, 7)
            desk.rt.clock.set_offset(timedelta(days=31))
            assert (await fresh(desk)).scores == {}
