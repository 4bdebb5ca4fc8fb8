"""`numdesk provider`: keys of upstream companies, kept sealed in the database."""

from __future__ import annotations

import cyclopts

from numdesk.cli.attach import Common, at_desk
from numdesk.cli.given import read_secret
from numdesk.cli.outcome import print_result, table
from numdesk.usecases.desk import provider_settings

app = cyclopts.App(
    name="provider",
    help="Store settings of payment gateways and other upstreams, sealed in the database.",
)


@app.command(name="set")
def store(provider: str, name: str, *, common: Common | None = None) -> None:
    """Store a setting, read from standard input; the server uses it from its next start.

    A value in the environment (NUMDESK_PROVIDER_...) takes precedence over the stored one. The
    value is not an argument, because arguments appear in lists of processes.

    Parameters
    ----------
    provider
        The provider's name, such as cryptomus.
    name
        The setting's name, such as payment_key.
    """
    common = common or Common()
    value = read_secret(None, prompt=f"{provider} {name}")
    at_desk(
        common,
        lambda desk: provider_settings.store(desk.rt, provider=provider, name=name, value=value),
    )
    print_result(
        {"provider": provider, "name": name},
        as_json=common.json,
        text=f"{name} of {provider} is stored; restart the server to use it.",
    )


@app.command
def unset(provider: str, name: str, *, common: Common | None = None) -> None:
    """Delete a stored setting.

    Parameters
    ----------
    provider
        The provider's name, such as cryptomus.
    name
        The setting's name, such as payment_key.
    """
    common = common or Common()
    at_desk(common, lambda desk: provider_settings.drop(desk.rt, provider=provider, name=name))
    print_result(
        {"provider": provider, "name": name},
        as_json=common.json,
        text=f"{name} of {provider} was deleted.",
    )


@app.command(name="list")
def show(*, common: Common | None = None) -> None:
    """List the stored settings and since when; values are never shown."""
    common = common or Common()
    found = at_desk(common, lambda desk: provider_settings.stored(desk.rt))
    facts = [
        {"provider": provider, "name": name, "since": since} for provider, name, since in found
    ]
    rows = [tuple(one.values()) for one in facts]
    print_result(
        facts,
        as_json=common.json,
        text=table(["provider", "name", "since"], rows) if rows else "Nothing is stored.",
    )
