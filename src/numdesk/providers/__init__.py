"""Providers: the companies upstream, a folder each. Here lives only the manifest's type and the search for the folders.

A folder holds `__init__.py` with one value, PROVIDER; `adapter.py`, which implements ports; and its tests. Nothing else has to be
edited to add one.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from numdesk.kit.clock import Clock
from numdesk.kit.http import OutgoingHttp
from numdesk.ports.inbound import MessageReceived
from numdesk.ports.payments import PaymentGateway
from numdesk.ports.rates import RateSource
from numdesk.ports.simulation import FakeGateway, Simulation
from numdesk.ports.suppliers import NumberSupplier

Value = TypeVar("Value")


#: Every port that a provider can serve, by the field of `Adapters` that holds it.
PORTS = ("supplier", "rate_source", "simulation", "payments")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an adapter may use of the process: outgoing HTTP, waiting, a folder for a make-believe world to live in, and its time."""

    http: OutgoingHttp
    sleep: Callable[[float], Awaitable[None]]
    data: Path
    clock: Clock = field(default_factory=Clock)


@dataclass(frozen=True, slots=True)
class Adapters:
    """The ports that a provider serves; each is an object of our own protocol, or None. `close` gives back what they opened."""

    supplier: NumberSupplier | None = None
    rate_source: RateSource | None = None
    simulation: Simulation | None = None
    payments: PaymentGateway | None = None
    close: Callable[[], None] = lambda: None

    def served(self) -> frozenset[str]:
        """Returns the names of the ports that are there."""
        return frozenset(name for name in PORTS if getattr(self, name) is not None)


class NoSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of a provider that has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A provider's manifest.

    `slug` is the folder's name; `serves` names the ports (fields of `Adapters`); `settings` is read from
    NUMDESK_PROVIDER_<SLUG>_* ; `make` builds the adapters; `parse_callback` verifies a call of theirs (headers, raw body) and returns
    its events; a provider with `make_believe` exists in sandbox mode only. `fake` makes a stand-in for the company itself, from the
    words of the settings that the adapter will be given (at least `base_url`), for the sandbox and for tests.
    """

    slug: str
    title: str
    serves: frozenset[str]
    settings: type[msgspec.Struct]
    make: Callable[[Any, Surroundings], Adapters]
    docs: str | None = None
    parse_callback: Callable[[Any, Mapping[str, str], bytes], list[MessageReceived]] | None = None
    make_believe: bool = False
    fake: Callable[[Surroundings, Mapping[str, str]], FakeGateway] | None = None


class ProviderSettingRefused(ValueError):
    """A provider's settings cannot be used; the text is one sentence for the operator."""


def find_providers() -> dict[str, Provider]:
    """Imports every folder here and returns the manifests by slug."""
    found: dict[str, Provider] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.ispkg:
            provider: Provider = importlib.import_module(f"{__name__}.{module.name}").PROVIDER
            assert provider.slug == module.name, f"the folder {module.name} calls itself {provider.slug}"
            found[provider.slug] = provider
    return found


def read_settings(provider: Provider, environment: Mapping[str, str]) -> msgspec.Struct:
    """Returns the provider's settings from the words that the environment has for it. Raises ProviderSettingRefused."""
    try:
        return msgspec.convert(dict(environment), provider.settings, strict=False)
    except msgspec.ValidationError as error:
        prefix = f"NUMDESK_PROVIDER_{provider.slug.upper()}_"
        raise ProviderSettingRefused(f"The settings {prefix}* cannot be used: {error}. Mend or unset them.") from error
