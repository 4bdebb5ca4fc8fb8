"""The only place that builds things: settings to a Runtime and what stands around it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from numdesk.config import Settings, provider_settings
from numdesk.dialects import Dialect, find_dialects
from numdesk.kit.clock import Clock
from numdesk.kit.http import OutgoingHttp
from numdesk.kit.keyfile import KeyFile
from numdesk.kit.seal import Sealer
from numdesk.ports.simulation import Simulation
from numdesk.providers import Adapters, Surroundings, find_providers, read_settings
from numdesk.runtime import Runtime
from numdesk.sandbox.seed import Credential, Terms, credentials, remote_suppliers, seed
from numdesk.storage import installation as installation_rows
from numdesk.storage.pool import Database
from numdesk.usecases import catalogue, installation, timekeeping


@dataclass(frozen=True, slots=True)
class Desk:
    """A process's desk: its runtime, the dialects it speaks, and the make-believe world of a sandbox."""

    rt: Runtime
    dialects: tuple[Dialect, ...]
    simulation: Simulation | None

    @property
    def sandbox(self) -> bool:
        """Is everything here make-believe?"""
        return self.simulation is not None

    def terms(self) -> dict[str, Terms]:
        """Returns on which terms each dialect takes in customers."""
        return {dialect.slug: Terms(dialect.currency, dialect.signed) for dialect in self.dialects}


@asynccontextmanager
async def open_desk(
    settings: Settings, *, dsn: str, sandbox: bool = False, alone: bool = False, looks_only: bool = False
) -> AsyncIterator[Desk]:
    """Yields a desk on a migrated database; `alone` says that no other process serves or works on it, `looks_only` makes no key file.

    Rate limits can be switched off in the sandbox only. Raises KeyFileError, ProviderSettingRefused, and what a connection raises."""
    async with AsyncExitStack() as stack:
        database = await Database.open(dsn)
        stack.push_async_callback(database.close)
        is_new = await database.repeat("installation.is_empty", installation_rows.is_empty)
        keys = _keys(settings, is_new=is_new, looks_only=looks_only)
        clock = Clock()
        http = OutgoingHttp(clock)
        stack.push_async_callback(http.close)
        adapters = _make_adapters(Surroundings(http, asyncio.sleep, settings.data), sandbox=sandbox)
        for made in adapters.values():
            stack.callback(made.close)
        dialects = find_dialects()
        rt = Runtime(
            settings=replace(settings, rate_limits=settings.rate_limits or not sandbox),
            clock=clock,
            http=http,
            keys=Sealer(keys.keys),
            suppliers={slug: made.supplier for slug, made in adapters.items() if made.supplier},
            renderers={dialect.slug: dialect.renderer for dialect in dialects if dialect.renderer},
            rate_sources={slug: made.rate_source for slug, made in adapters.items() if made.rate_source},
            database=database,
            environment="test" if sandbox else "live",
            alone=alone,
        )
        await timekeeping.look(rt)
        simulation = next((made.simulation for made in adapters.values() if made.simulation), None)
        yield Desk(rt, dialects, simulation)


async def enter(desk: Desk) -> list[Credential] | None:
    """Takes note that the desk is going to serve its database, fills that of a new sandbox, and returns a sandbox's credentials.

    Raises SandboxRefused and MoneyIsMakeBelieve.
    """
    rt = desk.rt
    wants_seeds = await installation.enter(rt, sandbox=desk.sandbox)
    await catalogue.register_providers(rt, slugs=rt.suppliers)
    if not desk.sandbox:
        return None
    terms = desk.terms()
    if wants_seeds:
        await seed(rt, dialects=terms, suppliers=remote_suppliers(rt.suppliers))
    return await credentials(rt, dialects=terms)


def _keys(settings: Settings, *, is_new: bool, looks_only: bool) -> KeyFile:
    """Returns the keys; a desk without anything in it yet gets some, which are kept unless one only looks."""
    if looks_only:
        return KeyFile.load_or_pretend(settings.key_path, may_pretend=is_new)
    settings.key_path.parent.mkdir(parents=True, exist_ok=True)
    return KeyFile.load_or_create(settings.key_path, may_create=is_new)


def _make_adapters(around: Surroundings, *, sandbox: bool) -> dict[str, Adapters]:
    """Builds every provider of this mode."""
    return {
        slug: provider.make(read_settings(provider, provider_settings(slug)), around)
        for slug, provider in find_providers().items()
        if sandbox or not provider.make_believe
    }
