"""`numdesk provider`: keys of upstream companies, kept sealed in the database."""

from __future__ import annotations

import cyclopts

from numdesk.cli.attach import Common, at_desk
from numdesk.cli.given import read_secret
from numdesk.cli.outcome import table, tell
from numdesk.usecases.desk import provider_settings

app = cyclopts.App(
    name="provider",
    help="Keep settings of payment gateways and other upstreams sealed in the database.",
)


@app.command(name="set")
def store(provider: str, name: str, *, common: Common | None = None) -> None:
    """Set a setting; its value is read from standard input, so that it is in no list of processes. The server uses it from its next start.

    What the environment says (NUMDESK_PROVIDER_...) comes before what is stored.

    Parameters
    ----------
    provider
        Such as cryptomus.
    name
        Such as payment_key.
    """
    common = common or Common()
    value = read_secret(None, prompt=f"{provider} {name}")
    at_desk(
        common,
        lambda desk: provider_settings.store(desk.rt, provider=provider, name=name, value=value),
    )
    tell(
        {"provider": provider, "name": name},
        as_json=common.json,
        text=f"{name} of {provider} is kept; restart the server to use it.",
    )


@app.command
def unset(provider: str, name: str, *, common: Common | None = None) -> None:
    """Forget a stored setting.

    Parameters
    ----------
    provider
        Such as cryptomus.
    name
        Such as payment_key.
    """
    common = common or Common()
    at_desk(common, lambda desk: provider_settings.drop(desk.rt, provider=provider, name=name))
    tell(
        {"provider": provider, "name": name},
        as_json=common.json,
        text=f"{name} of {provider} is forgotten.",
    )


@app.command(name="list")
def show(*, common: Common | None = None) -> None:
    """Show which settings are stored, and since when; their values are never shown."""
    common = common or Common()
    found = at_desk(common, lambda desk: provider_settings.stored(desk.rt))
    facts = [
        {"provider": provider, "name": name, "since": since} for provider, name, since in found
    ]
    rows = [tuple(one.values()) for one in facts]
    tell(
        facts,
        as_json=common.json,
        text=table(["provider", "name", "since"], rows) if rows else "Nothing is stored.",
    )
