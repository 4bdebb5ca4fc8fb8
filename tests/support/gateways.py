"""Fakes of payment gateways on loopback, with the adapter that speaks to them and a catcher of their callbacks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.kit.front import guarded

from numdesk.kit.clock import Clock
from numdesk.kit.http import OutgoingHttp
from numdesk.ports.payments import PaymentGateway
from numdesk.providers import Provider, Surroundings, read_settings

#: Long enough for any honest call on a busy machine; the guard's own tests have shorter ones.
PATIENT: dict[str, Any] = {"head_s": 20.0, "body_s": 20.0, "idle_s": 20.0, "stall_s": 20.0}


@dataclass(slots=True)
class Catcher:
    """Takes the callbacks in the place of our own door."""

    caught: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    status: int = 200

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """Keeps a callback and answers it."""
        self.caught.append((url, {name.lower(): value for name, value in headers.items()}, body))
        return self.status


@dataclass(frozen=True, slots=True)
class Served:
    """A fake at work: `fake` is its director, `gateway` our adapter, `catcher` has what it said, `base_url` is where it listens."""

    fake: Any
    gateway: PaymentGateway
    catcher: Catcher
    base_url: str
    http: OutgoingHttp


@asynccontextmanager
async def serving_gateway(
    provider: Provider, folder: Path, *, clock: Clock | None = None, prefix: str = "", **words: str
) -> AsyncIterator[Served]:
    """Serves a provider's fake on loopback under a prefix for the length of the block; `words` are further settings of the adapter."""
    assert provider.fake is not None, f"{provider.slug} has a fake"
    clock = clock or Clock()
    apps: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await apps[0]({**scope, "root_path": prefix}, receive, send)

    async with guarded(app, **PATIENT) as front:
        http = OutgoingHttp(clock)
        around = Surroundings(http, asyncio.sleep, folder, clock)
        base_url = f"http://127.0.0.1:{front.port}{prefix}"
        fake: Any = provider.fake(around, {"base_url": base_url})
        apps.append(fake.app)
        fake.deliver = catcher = Catcher()
        adapters = provider.make(read_settings(provider, {**fake.words, **words}), around)
        assert adapters.payments is not None, f"{provider.slug} serves payments"
        try:
            yield Served(fake, adapters.payments, catcher, base_url, http)
        finally:
            adapters.close()
            fake.close()
            await http.close()
