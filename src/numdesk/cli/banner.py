"""What `numdesk serve` says when it is ready."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
from rich.console import Console

from numdesk import __version__
from numdesk.cli.listening import base_url_of
from numdesk.config import Settings
from numdesk.sandbox.routes import PREFIX
from numdesk.sandbox.seed import Credential

#: How often a starting server is knocked at, and for how long.
KNOCK_EVERY_S = 0.1
KNOCKS = 600


def show(settings: Settings, credentials: Sequence[Credential] | None, *, as_json: bool) -> None:
    """Writes where the server is found and, in the sandbox (`credentials` is not None), with what to speak to it."""
    console = Console(highlight=False, soft_wrap=True)
    base_url = base_url_of(settings.listen)
    if as_json:
        console.out(msgspec.json.encode(_facts(base_url, credentials)).decode(), highlight=False)
        return
    mode = "production" if credentials is None else "sandbox"
    console.print(f"\n[bold]numdesk {__version__}[/bold] is ready ({mode}).\n")
    rows = [("Health", f"{base_url}/healthz   {base_url}/readyz   {base_url}/metrics")]
    if credentials is not None:
        rows.append(("Sandbox API", f"{base_url}{PREFIX}"))
    for one in credentials or ():
        rows += [(f"API {one.dialect}", base_url), *((f"  {name}", value) for name, value in one.key().items())]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:  # plain lines: a table would be broken to 80 columns where the output is a file
        console.print(f"{name:<{width}}   {value}", markup=False)
    console.print()


async def show_when_open(settings: Settings, credentials: Sequence[Credential] | None, *, as_json: bool) -> None:
    """Waits until the port answers, then shows."""
    for _ in range(KNOCKS):
        try:
            _, writer = await asyncio.open_connection(settings.listen.host, settings.listen.port)
        except OSError:
            await asyncio.sleep(KNOCK_EVERY_S)
            continue
        writer.close()
        show(settings, credentials, as_json=as_json)
        return


def _facts(base_url: str, credentials: Sequence[Credential] | None) -> dict[str, object]:
    return {
        "version": __version__,
        "base_url": base_url,
        "mode": "production" if credentials is None else "sandbox",
        "credentials": {one.dialect: {"base_url": base_url, **one.key()} for one in credentials or ()},
    }
