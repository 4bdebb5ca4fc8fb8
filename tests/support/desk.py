"""A desk for tests: a Runtime on a database of the test's own, a clock that stands still, the
simulator, and a small catalogue."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
from tests.support.ledger import assert_clean

from numdesk.config import Settings
from numdesk.domain.customers.callers import Caller
from numdesk.domain.errors import RequestInProgress
from numdesk.domain.orders.lifecycle import Order
from numdesk.domain.orders.outcomes import Document
from numdesk.domain.stock.routing import Wish
from numdesk.kit.clock import FakeClock
from numdesk.kit.keyfile import KeyFile
from numdesk.kit.outgoing.http import OutgoingHttp
from numdesk.kit.seal import Sealer
from numdesk.ports.errors import Cause, ProviderError
from numdesk.ports.inbound import MessageReceived
from numdesk.ports.suppliers import Reserved
from numdesk.providers.simulator.adapter import Simulator, SimulatorSettings
from numdesk.providers.simulator.world import World
from numdesk.runtime import Runtime
from numdesk.storage.database.pool import Database
from numdesk.storage.inbound.messages import Taken
from numdesk.usecases.customers import accounts, callers
from numdesk.usecases.inbound import receive
from numdesk.usecases.orders import ending, from_suppliers, lifecycle, purchases

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DIALECT = "smscode"
CURRENCY = "IDR"
PRICE = 15_000
#: Offers of the small catalogue: our own stock for product 1 and 2, and the simulator dearer for 1,
#: alone for 3.
LOCAL_OFFER, LOCAL_OFFER_TWO, REMOTE_OFFER, REMOTE_ONLY_OFFER = 1, 2, 3, 4
REMOTE_PRICE = 16_000
NUMBERS = 20

CATALOGUE = f"""
insert into providers (slug) values ('local'), ('simulator') on conflict do nothing;
insert into countries values (6, 'ID', 'Indonesia', '62', '🇮🇩');
insert into services values (3, 'whatsapp', 'WhatsApp'), (4, 'telegram', 'Telegram'), (5, 'google',
  'Google');
insert into catalogue_products (country_id, service_id) values (6, 3), (6, 4), (6, 5);
insert into offers (catalogue_id, country_id, service_id, provider, cost, available)
  values (1, 6, 3, 'local', 0, 0), (2, 6, 4, 'local', 0, 0), (1, 6, 3, 'simulator', 9000, 500), (3,
    6, 5, 'simulator', 9000, 500);
insert into offer_prices select id, 'IDR', case provider when 'local' then {PRICE}
  else {REMOTE_PRICE} end from offers;
insert into numbers (msisdn, country_id, rnd) select 62000000000 + i, 6, i * 100000
  from generate_series(1, {NUMBERS}) i;
insert into fx_rates values ('USD/IDR', 16250, '{START.isoformat()}');
"""  # noqa: S608 - constants of this file


class SpeechlessSupplier(Simulator):
    """The simulator on a day on which it cannot be asked what became of a call."""

    async def look_up(self, reference: str) -> Reserved | None:
        """Fails."""
        raise ProviderError(Cause.PROVIDER_UNAVAILABLE, f"cannot say what became of {reference}")


class DeskOfTest:
    """The Runtime and the few acts that many tests repeat."""

    def __init__(
        self, rt: Runtime, clock: FakeClock, simulator: Simulator, pool: asyncpg.Pool
    ) -> None:
        self.rt = rt
        self.clock = clock
        self.simulator = simulator
        self.pool = pool
        self._messages = 0

    async def customer(self, credit: int = 1_000_000) -> Caller:
        """Registers a funded customer and returns them as a caller."""
        new = await accounts.register(
            self.rt, name="Test", dialect=DIALECT, currency=CURRENCY, credit=credit
        )
        return await callers.authenticate(self.rt, new.token.encode(), dialect=DIALECT)

    async def buy(
        self,
        caller: Caller,
        offer_id: int | None = LOCAL_OFFER,
        *,
        catalogue_id: int | None = None,
        quantity: int = 1,
        key: str | None = None,
        fingerprint: bytes = b"same",
        wish: Wish | None = None,
    ) -> purchases.Outcome:
        """Buys numbers."""
        return await purchases.create(
            self.rt,
            caller,
            purchases.OrderRequest(
                key=key,
                fingerprint=fingerprint,
                offer_id=None if catalogue_id else offer_id,
                catalogue_id=catalogue_id,
                quantity=quantity,
                wish=wish or Wish(),
                show=None,
            ),
        )

    def deafen(self) -> None:
        """From now on the simulator cannot be asked what became of a call."""
        self.simulator.__class__ = SpeechlessSupplier

    def hear(self) -> None:
        """From now on it can be asked again."""
        self.simulator.__class__ = Simulator

    async def order(self, caller: Caller, offer_id: int = LOCAL_OFFER) -> Order:
        """Buys one number and returns the order."""
        document: Document = (await self.buy(caller, offer_id)).document
        return await lifecycle.read(self.rt, caller, document.orders[0].id)

    async def message(
        self,
        to: int | None,
        text: str = "Your code is 482913",
        *,
        sender: str = "INFO",
        message_id: str | None = None,
    ) -> Taken:
        """Lets a message arrive that names no service; a new one unless it has an id."""
        assert to is not None, "an order without a number gets no message"
        self._messages += 1
        return await receive.receive_message(
            self.rt,
            MessageReceived(
                provider="simulator",
                provider_message_id=message_id or f"m{self._messages}",
                to=to,
                sender=sender,
                text=text,
            ),
        )

    async def release_by_jobs(self) -> None:
        """Does what the jobs that wait to release numbers at suppliers would do."""
        for row in await self.pool.fetch(
            "delete from jobs where kind = 'orders.release' returning payload::text"
        ):
            await ending.release_at_supplier(self.rt, json.loads(row[0]))

    async def resolve_by_jobs(self, rt: Runtime | None = None) -> None:
        """Does what the jobs that settle requests would do, first those that have suppliers asked,
        then those that ask one."""
        for asks in (False, True):
            found = await self.pool.fetch(
                "select payload::text from jobs where kind = 'orders.resolve' and (lane <> '') = "
                "$1 order by id",
                asks,
            )
            for row in found:
                with suppress(*([] if asks else [RequestInProgress])):
                    await from_suppliers.resolve_pending(rt or self.rt, json.loads(row[0]))

    async def available(self, caller: Caller) -> int:
        """Returns what the caller's wallet shows."""
        return int(
            await self.pool.fetchval(
                "select balance - held from accounts where id = $1", caller.wallet_id
            )
        )


@asynccontextmanager
async def open_desks_on(
    databases: Sequence[Database], *, pool: asyncpg.Pool, folder: Path
) -> AsyncIterator[list[DeskOfTest]]:
    """Yields a desk with the small catalogue for each handle on a database, like processes of one
    desk: with one clock, upstream and key file. The ledger is checked at the end."""
    await pool.execute(CATALOGUE)
    clock, world = FakeClock(START), World(folder / "world.sqlite")
    http = OutgoingHttp(clock)
    simulator = Simulator(world, SimulatorSettings(delay_s=0), sleep=lambda _: asyncio.sleep(0))
    try:
        desks = [
            DeskOfTest(_runtime(one, clock, http, simulator, folder), clock, simulator, pool)
            for one in databases
        ]
        yield desks
        await assert_clean(desks[0].rt)
    finally:
        await http.close()
        world.close()


def _runtime(
    database: Database, clock: FakeClock, http: OutgoingHttp, simulator: Simulator, folder: Path
) -> Runtime:
    return Runtime(
        settings=Settings(),
        clock=clock,
        http=http,
        keys=Sealer(KeyFile.load_or_create(folder / "keys", may_create=True).keys),
        suppliers={"simulator": simulator},
        renderers={},
        rate_sources={"simulator": simulator},
        database=database,
        environment="test",
        alone=True,
    )


@pytest.fixture
async def desk(database: Database, pool: asyncpg.Pool, tmp_path: Path) -> AsyncIterator[DeskOfTest]:
    """A desk with the small catalogue; its ledger is checked when the test has ended."""
    async with open_desks_on([database], pool=pool, folder=tmp_path) as (desk,):
        yield desk
