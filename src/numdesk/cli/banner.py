"""The ready message of `numdesk serve`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

import msgspec
from rich.console import Console

from numdesk import __version__
from numdesk.cli.listening import address_of, base_url_of
from numdesk.config import Address, Settings
from numdesk.sandbox.routes import PREFIX
from numdesk.sandbox.seed import Credential

#: Interval and number of connection attempts to a starting server.
CONNECT_EVERY_S = 0.1
CONNECTS_MAX = 600


def show(
    settings: Settings,
    credentials: Sequence[Credential] | None,
    *,
    ops: socket.socket | None,
    as_json: bool,
) -> None:
    """Write the server's URLs and, in the sandbox (`credentials` is not None), its credentials."""
    console = Console(highlight=False, soft_wrap=True)
    base_url = base_url_of(settings.listen)
    ops_url = base_url_of(_ops_address(settings, ops)) if ops else None
    if as_json:
        console.out(
            msgspec.json.encode(_facts(base_url, ops_url, credentials)).decode(), highlight=False
        )
        return
    mode = "production" if credentials is None else "sandbox"
    console.print(f"\n[bold]numdesk {__version__}[/bold] is ready ({mode}).\n")
    rows = [("Health", f"{base_url}/healthz   {base_url}/readyz")]
    if ops_url:
        rows.append(("Operators", f"{ops_url}/metrics   {ops_url}/readyz"))
    if credentials is not None:
        rows.append(("Sandbox API", f"{base_url}{PREFIX}"))
    for one in credentials or ():
        rows += [
            (f"API {one.dialect}", base_url),
            *((f"  {name}", value) for name, value in one.key().items()),
        ]
    width = max(len(name) for name, _ in rows)
    for (
        name,
        value,
    ) in rows:  # plain lines: a table would be wrapped at 80 columns in a file
        console.print(f"{name:<{width}}   {value}", markup=False)
    console.print()


async def show_when_open(
    settings: Settings,
    credentials: Sequence[Credential] | None,
    *,
    ops: socket.socket | None,
    as_json: bool,
) -> None:
    """Wait until the port answers, then show."""
    for _ in range(CONNECTS_MAX):
        try:
            _, writer = await asyncio.open_connection(settings.listen.host, settings.listen.port)
        except OSError:
            await asyncio.sleep(CONNECT_EVERY_S)
            continue
        writer.close()
        show(settings, credentials, ops=ops, as_json=as_json)
        return


def _ops_address(settings: Settings, listener: socket.socket) -> Address:
    """Return the address of the operators' listener, with the host that was configured."""
    asked = settings.ops_listen
    return address_of(listener, asked.host if isinstance(asked, Address) else "127.0.0.1")


def _facts(
    base_url: str, ops_url: str | None, credentials: Sequence[Credential] | None
) -> dict[str, object]:
    return {
        "version": __version__,
        "base_url": base_url,
        "ops_url": ops_url,
        "mode": "production" if credentials is None else "sandbox",
        "credentials": {
            one.dialect: {"base_url": base_url, **one.key()} for one in credentials or ()
        },
    }
