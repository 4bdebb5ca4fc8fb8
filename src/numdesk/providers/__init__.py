"""Providers: the companies upstream, a folder each.

Here live only the manifest's type, the search for the folders, and what all of them make of an
answer that is none, or has a word in it that nobody knows.

A folder holds `__init__.py` with one value, PROVIDER; `adapter.py`, which implements ports; and its
tests. Nothing else has to be edited to add one.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec

from numdesk.faults import OperatorError
from numdesk.kit.clock import Clock
from numdesk.kit.log import get_logger
from numdesk.kit.outgoing.http import OutgoingHttp
from numdesk.kit.outgoing.policy import HttpFailure
from numdesk.ports.errors import Cause, ProviderError
from numdesk.ports.inbound import MessageReceived
from numdesk.ports.payments import PaymentGateway, PaymentStatus
from numdesk.ports.rates import RateSource
from numdesk.ports.simulation import FakeGateway, Simulation
from numdesk.ports.suppliers import NumberSupplier
from numdesk.protocols.json_tokens import JsonRefused

#: Every port that a provider can serve, by the field of `Adapters` that holds it.
PORTS = ("supplier", "rate_source", "simulation", "payments")

#: Failures before the upstream received a byte of ours.
_UNHEARD = frozenset({"bad_url", "forbidden_address", "resolve", "connect", "tls"})
#: Of those, the ones that only the operator can fix.
_OURS = frozenset({"bad_url", "forbidden_address", "tls"})

#: An upstream that makes up words does not fill our log.
REPORTED_MAX = 500

_log = get_logger(__name__, "gateway_status", "provider")
_reported: set[tuple[str, str]] = set()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Resources of the process for an adapter: outgoing HTTP, waiting, a folder for the state of a
    fake, and the time of a fake."""

    http: OutgoingHttp
    sleep: Callable[[float], Awaitable[None]]
    data: Path
    clock: Clock = field(default_factory=Clock)


@dataclass(frozen=True, slots=True)
class Adapters:
    """The ports that a provider serves; each is an object of our own protocol, or None.

    `close` releases their resources.
    """

    supplier: NumberSupplier | None = None
    rate_source: RateSource | None = None
    simulation: Simulation | None = None
    payments: PaymentGateway | None = None
    close: Callable[[], None] = lambda: None

    def served(self) -> frozenset[str]:
        """Return the names of the ports that are there."""
        return frozenset(name for name in PORTS if getattr(self, name) is not None)


class NoSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of a provider that has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A provider's manifest.

    `slug` is the folder's name; `serves` names the ports (fields of `Adapters`); `settings` is read
    from NUMDESK_PROVIDER_<SLUG>_* ; `make` builds the adapters; `parse_callback` verifies a call of
    theirs (headers, raw body) and returns its events; a provider with `make_believe` exists in
    sandbox mode only. `fake` makes a stand-in for the company itself, from the words of the
    settings that the adapter will be given (at least `base_url`), for the sandbox and for tests.
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


class ProviderSettingRefused(OperatorError, ValueError):
    """A provider's settings cannot be used; the text is one sentence for the operator."""


def find_providers() -> dict[str, Provider]:
    """Import every folder here and returns the manifests by slug."""
    found: dict[str, Provider] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.ispkg:
            provider: Provider = importlib.import_module(f"{__name__}.{module.name}").PROVIDER
            assert provider.slug == module.name, (
                f"the folder {module.name} calls itself {provider.slug}"
            )
            found[provider.slug] = provider
    return found


def read_settings(provider: Provider, environment: Mapping[str, str]) -> msgspec.Struct:
    """Return the provider's settings from the words that the environment has for it.

    Raises ProviderSettingRefused.
    """
    try:
        return msgspec.convert(dict(environment), provider.settings, strict=False)
    except msgspec.ValidationError as error:
        prefix = f"NUMDESK_PROVIDER_{provider.slug.upper()}_"
        raise ProviderSettingRefused(
            f"The settings {prefix}* cannot be used: {error}. Fix or unset them."
        ) from error


def unanswered(failure: HttpFailure) -> ProviderError:
    """Return the failure of a call that got no answer."""
    return ProviderError(
        Cause.PROVIDER_UNAVAILABLE,
        str(failure),
        unknown=failure.kind not in _UNHEARD,
        ours=failure.kind in _OURS,
    )


def check_outage(status: int) -> None:
    """Raise ProviderError for an answer's status by which the upstream says nothing but that it
    cannot work now."""
    if status >= 500 or status == HTTPStatus.REQUEST_TIMEOUT:
        raise ProviderError(
            Cause.PROVIDER_UNAVAILABLE, f"the gateway answered {status}", unknown=True
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise ProviderError(Cause.PROVIDER_UNAVAILABLE, "the gateway wants fewer calls")


def broken_answer(what: str) -> ProviderError:
    """Return the failure of an answer that we cannot read: whatever was asked for may have been
    done."""
    return ProviderError(Cause.PROVIDER_ERROR, f"the answer {what}", unknown=True)


@contextmanager
def reading_answer() -> Iterator[None]:
    """Turn JsonRefused into the failure of a broken answer; decorates what reads answers, too."""
    try:
        yield
    except JsonRefused as error:
        raise broken_answer(str(error)) from error


def status_of(word: str, known: Mapping[str, PaymentStatus], *, provider: str) -> PaymentStatus:
    """Translate a gateway's word by its table.

    One that is not there is told once and is UNKNOWN.
    """
    if word not in known and (provider, word) not in _reported and len(_reported) < REPORTED_MAX:
        _reported.add((provider, word))
        _log.warning(
            "a payment has a status that we do not know", provider=provider, gateway_status=word
        )
    return known.get(word, PaymentStatus.UNKNOWN)
