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
from numdesk.storage import installation
from numdesk.storage.pool import Database
from numdesk.usecases import catalogue, timekeeping


@dataclass(frozen=True, slots=True)
class Desk:
    """A process's desk: its runtime, the dialects it speaks, and the make-believe world of a sandbox."""

    rt: Runtime
    dialects: tuple[Dialect, ...]
    simulation: Simulation | None


@asynccontextmanager
async def open_desk(
    settings: Settings, *, dsn: str, sandbox: bool = False, several_processes: bool = False
) -> AsyncIterator[Desk]:
    """Yields a desk on a migrated database. Raises KeyFileError, ProviderSettingRefused, and what a connection raises."""
    async with AsyncExitStack() as stack:
        database = await Database.open(dsn)
        stack.push_async_callback(database.close)
        is_new = await database.repeat("installation.is_empty", installation.is_empty)
        keys = KeyFile.load_or_create(settings.key_path, may_create=is_new)
        clock = Clock()
        http = OutgoingHttp(clock)
        stack.push_async_callback(http.close)
        adapters = _make_adapters(Surroundings(http, asyncio.sleep, settings.data), sandbox=sandbox)
        dialects = find_dialects()
        rt = Runtime(
            settings=_effective(settings, sandbox=sandbox, several_processes=several_processes),
            clock=clock,
            http=http,
            keys=Sealer(keys.keys),
            suppliers={slug: made.supplier for slug, made in adapters.items() if made.supplier},
            renderers={dialect.slug: dialect.renderer for dialect in dialects if dialect.renderer},
            rate_sources={slug: made.rate_source for slug, made in adapters.items() if made.rate_source},
            database=database,
        )
        await timekeeping.look(rt)
        await catalogue.register_providers(rt, slugs=adapters)
        simulation = next((made.simulation for made in adapters.values() if made.simulation), None)
        yield Desk(rt, dialects, simulation)


def _effective(settings: Settings, *, sandbox: bool, several_processes: bool) -> Settings:
    """Returns the settings as they hold in this mode: rate limits are switched off in the sandbox only."""
    return replace(
        settings,
        sandbox=sandbox,
        several_processes=several_processes,
        rate_limits=settings.rate_limits or not sandbox,
    )


def _make_adapters(around: Surroundings, *, sandbox: bool) -> dict[str, Adapters]:
    """Builds every provider of this mode."""
    return {
        slug: provider.make(read_settings(provider, provider_settings(slug)), around)
        for slug, provider in find_providers().items()
        if sandbox or not provider.make_believe
    }
