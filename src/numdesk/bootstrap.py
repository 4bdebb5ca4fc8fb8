"""The composition root: the only place that builds a Runtime, and all around it, from settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

from numdesk.config import Settings, provider_settings, unused_variables
from numdesk.dialects import Dialect, find_dialects
from numdesk.kit.clock import Clock
from numdesk.kit.keyfile import KeyFile
from numdesk.kit.log import get_logger
from numdesk.kit.outgoing.base_url import check_base_url
from numdesk.kit.outgoing.http import OutgoingHttp
from numdesk.kit.seal import Sealer
from numdesk.ports.simulation import FakeGateway, Simulation
from numdesk.providers import (
    Adapters,
    Provider,
    ProviderSettingRefused,
    Surroundings,
    find_providers,
    read_settings,
)
from numdesk.runtime import Runtime
from numdesk.sandbox.seed import Credential, Terms, credentials, seed
from numdesk.sandbox.topups import GATEWAYS
from numdesk.storage.database.pool import Database
from numdesk.storage.desk import installation as installation_rows
from numdesk.storage.desk.provider_settings import Words, stored_words
from numdesk.usecases.desk import clock as desk_clock
from numdesk.usecases.desk import installation
from numdesk.usecases.stock import catalogue

_log = get_logger(__name__, "provider", "setting")


@dataclass(frozen=True, slots=True)
class Desk:
    """The desk of one process: its runtime, its dialects, and the simulation of a sandbox."""

    rt: Runtime
    dialects: tuple[Dialect, ...]
    simulation: Simulation | None
    #: The fake payment gateways of a sandbox, by slug.
    gateways: Mapping[str, FakeGateway] = field(default_factory=dict)

    @property
    def sandbox(self) -> bool:
        """Return whether this is a sandbox, where money and phones are fake."""
        return self.simulation is not None

    def terms(self) -> dict[str, Terms]:
        """Return the terms on which each dialect registers customers."""
        return {dialect.slug: Terms(dialect.currency, dialect.signed) for dialect in self.dialects}


@asynccontextmanager
async def open_desk(
    settings: Settings,
    *,
    dsn: str,
    sandbox: bool = False,
    alone: bool = False,
    read_only: bool = False,
) -> AsyncIterator[Desk]:
    """Yield a desk on a migrated database.

    `alone`: no other process serves or works on the database. `read_only`: no key file is made.
    Rate limits can be switched off in the sandbox only. Raises KeyFileError,
    ProviderSettingRefused, and connection errors.
    """
    async with AsyncExitStack() as stack:
        database = await Database.open(dsn)
        stack.push_async_callback(database.close)
        is_new = await database.repeat("installation.is_empty", installation_rows.is_empty)
        keys = _keys(settings, is_new=is_new, read_only=read_only)
        clock = Clock(set_back_max=timedelta(hours=settings.clock_behind_max_h))
        http = OutgoingHttp(clock)
        stack.push_async_callback(http.close)
        sealer = Sealer(keys.keys)
        words = await database.repeat("providers.words", lambda tx: stored_words(tx, sealer))
        upstreams = _find_upstreams(
            Surroundings(http, asyncio.sleep, settings.data, clock),
            settings,
            words,
            sandbox=sandbox,
        )
        adapters = upstreams.adapters
        for made in (*adapters.values(), *upstreams.gateways.values()):
            stack.callback(made.close)
        dialects = find_dialects()
        rt = Runtime(
            settings=_as_served(settings, sandbox=sandbox),
            clock=clock,
            http=http,
            keys=sealer,
            suppliers={slug: made.supplier for slug, made in adapters.items() if made.supplier},
            renderers={dialect.slug: dialect.renderer for dialect in dialects if dialect.renderer},
            rate_sources={
                slug: made.rate_source for slug, made in adapters.items() if made.rate_source
            },
            database=database,
            payments={
                slug: made.payments
                for slug, made in adapters.items()
                if made.payments and slug in upstreams.set_up
            },
            provider_titles=upstreams.titles,
            environment="test" if sandbox else "live",
            alone=alone,
        )
        await desk_clock.heed_books(rt)
        simulation = next((made.simulation for made in adapters.values() if made.simulation), None)
        yield Desk(rt, dialects, simulation, upstreams.gateways)


async def enter(desk: Desk) -> list[Credential] | None:
    """Record that the desk serves its database, and fill that of a new sandbox.

    Returns the credentials of a sandbox, else None. Raises SandboxRefused and MoneyIsMakeBelieve.
    """
    rt = desk.rt
    for name in unused_settings(rt.settings):
        _log.warning("unknown setting ignored", setting=name)
    wants_seeds = await installation.enter(rt, sandbox=desk.sandbox)
    await catalogue.register_providers(rt, slugs=rt.suppliers)
    if not desk.sandbox:
        return None
    terms = desk.terms()
    if wants_seeds:
        await seed(rt, dialects=terms, suppliers=catalogue.remote_suppliers(rt))
    return await credentials(rt, dialects=terms)


def unused_settings(settings: Settings) -> list[str]:
    """Return the settings without effect: unknown variables, and minimums of unknown gateways."""
    found = find_providers()
    gateways = dict(settings.topup_minimums).keys() - found.keys()
    return unused_variables(found) + [
        f"NUMDESK_TOPUP_MINIMUMS={slug}:..." for slug in sorted(gateways)
    ]


def _keys(settings: Settings, *, is_new: bool, read_only: bool) -> KeyFile:
    """Return the keys; an empty desk gets new ones, which are not stored if `read_only`."""
    if read_only:
        return KeyFile.load_or_pretend(settings.key_path, may_pretend=is_new)
    settings.key_path.parent.mkdir(parents=True, exist_ok=True)
    return KeyFile.load_or_create(settings.key_path, may_create=is_new)


@dataclass(frozen=True, slots=True)
class _Upstreams:
    """The companies upstream by slug: adapters, fakes, titles, and which ones are set up."""

    adapters: dict[str, Adapters] = field(default_factory=dict)
    gateways: dict[str, FakeGateway] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    set_up: set[str] = field(default_factory=set)


def _find_upstreams(
    around: Surroundings, settings: Settings, stored: Words, *, sandbox: bool
) -> _Upstreams:
    """Build every provider of this mode.

    Fakes in this server stand for a sandbox's payment gateways.
    """
    found = _Upstreams()
    base_url = f"{settings.listen.local_url}{GATEWAYS}"
    may_stand_in = sandbox and _is_callable(base_url)
    for slug, provider in find_providers().items():
        if provider.make_believe and not sandbox:
            continue
        words = _settings_of(provider, stored.get(slug, {}), provider_settings(slug))
        if provider.fake is not None and may_stand_in:
            found.gateways[slug] = provider.fake(around, {"base_url": f"{base_url}/{slug}"})
            words = dict(found.gateways[slug].words)
        found.adapters[slug] = provider.make(read_settings(provider, words), around)
        found.titles[slug] = provider.title
        if words:
            found.set_up.add(slug)
    return found


def _settings_of(
    provider: Provider, stored: Mapping[str, str], given: Mapping[str, str]
) -> dict[str, str]:
    """Return the settings of a provider: stored ones, replaced by those of the environment.

    Settings are stored one at a time: until they are complete, the provider counts as not set up.
    """
    together = {**stored, **given}
    if stored:
        try:
            read_settings(provider, together)
        except ProviderSettingRefused as refused:
            _log.warning(
                "incomplete stored settings ignored", provider=provider.slug, reason=str(refused)
            )
            return dict(given)
    return together


def _is_callable(base_url: str) -> bool:
    """Return whether adapters may call this URL; it must not have a host name."""
    try:
        check_base_url(base_url)
    except ValueError:
        return False
    return True


def _as_served(settings: Settings, *, sandbox: bool) -> Settings:
    """Return the settings for this mode.

    A sandbox may lift rate limits and is its own public URL.
    """
    if not sandbox:
        return replace(settings, rate_limits=True)
    return replace(settings, public_url=settings.public_url or settings.listen.local_url)
