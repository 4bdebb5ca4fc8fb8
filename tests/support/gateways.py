"""Fakes of payment gateways on loopback, with the adapter that speaks to them and a catcher of
their callbacks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.kit.front import guarded

from numdesk.kit.clock import Clock
from numdesk.kit.outgoing.http import OutgoingHttp
from numdesk.ports.payments import PaymentGateway
from numdesk.providers import Provider, Surroundings, read_settings

#: How long an adapter waits, in seconds: more than any honest call takes on a busy machine, and
#: less where the fake never answers.
PATIENT_S, HASTY_S = "30", "2"

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
    """A fake at work: `fake` is its director, `gateway` our adapter, `catcher` has what it said,
    `base_url` is where it listens."""

    fake: Any
    gateway: PaymentGateway
    catcher: Catcher
    base_url: str
    http: OutgoingHttp


@asynccontextmanager
async def serving_gateway(
    provider: Provider, folder: Path, *, clock: Clock | None = None, prefix: str = "", **words: str
) -> AsyncIterator[Served]:
    """Serves a provider's fake on loopback under a prefix for the length of the block.

    `words` are further settings of the adapter.
    """
    assert provider.fake is not None, f"{provider.slug} has a fake"
    clock = clock or Clock()
    apps: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await apps[0]({**scope, "root_path": prefix}, receive, send)

    # The fake is closed after its server, which first ends the calls that its client no longer
    # waits for.
    async with AsyncExitStack() as opened:
        http = OutgoingHttp(clock)
        opened.push_async_callback(http.close)
        around = Surroundings(http, asyncio.sleep, folder, clock)
        closing = opened.enter_context(ExitStack())
        front = await opened.enter_async_context(guarded(app, **PATIENT))
        base_url = f"http://127.0.0.1:{front.port}{prefix}"
        fake: Any = provider.fake(around, {"base_url": base_url})
        closing.callback(fake.close)
        apps.append(fake.app)
        fake.deliver = catcher = Catcher()
        adapters = provider.make(
            read_settings(provider, {"timeout_s": PATIENT_S, **fake.words, **words}), around
        )
        assert adapters.payments is not None, f"{provider.slug} serves payments"
        opened.callback(adapters.close)
        yield Served(fake, adapters.payments, catcher, base_url, http)


def timeout_s(request: pytest.FixtureRequest) -> str:
    """Returns how long the adapter of a test waits for an answer: long, unless the test is about a
    fake that never answers."""
    given = getattr(request.node, "callspec", None)
    return (
        HASTY_S
        if given and any("timeout" in str(value) for value in given.params.values())
        else PATIENT_S
    )
