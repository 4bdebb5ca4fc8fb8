"""`numdesk customer key`: the API keys of a customer; each has its own scope, limits and end."""

from __future__ import annotations

from dataclasses import dataclass

import cyclopts
from cyclopts import Parameter

from numdesk.bootstrap import Desk
from numdesk.cli.arguments import CustomerNumber, KeyNumber, Moment
from numdesk.cli.attach import Common, at_desk
from numdesk.cli.given import (
    currency_of,
    is_signed,
    labelled,
    networks,
    require_customer,
    shown_key,
    words,
)
from numdesk.cli.outcome import CommandRefused, print_result, table
from numdesk.domain.customers.callers import Scope
from numdesk.storage.customers.keys import KeyLine
from numdesk.usecases.customers import keys
from numdesk.usecases.customers.keys import ALL_SCOPES, KeyRules

app = cyclopts.App(name="key", help="Add, list and revoke the API keys of a customer.")

#: The width of a list's column.
NAME_CHARACTERS_MAX = 100


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Rules:
    """The name and limits of a new key, as text; parsed when the desk is open."""

    name: str = "API key"
    "The key's name in lists."

    scopes: str = ""
    "Some of read,order,configure,spend; default: all."

    methods: str = ""
    "Names of the calls that the key may make; default: all."

    networks: str = ""
    "Network that it may be used from, such as 192.0.2.0/24,2001:db8::/32; default: all."

    expires: Moment | None = None
    "A date or time (UTC) from which the key is refused."


@app.command
def add(
    customer_id: CustomerNumber,
    *,
    dialect: str = "smscode",
    rules: Rules | None = None,
    common: Common | None = None,
) -> None:
    """Add an API key to a customer and show its token, which is not shown again.

    Parameters
    ----------
    customer_id
        The customer's number.
    dialect
        The API that the key is for.
    """
    common = common or Common()

    async def make(desk: Desk) -> dict[str, str]:
        currency = currency_of(desk, dialect)
        await require_customer(desk, customer_id)
        wanted = _rules(desk, dialect, rules or Rules())
        key = await keys.add_key(
            desk.rt,
            customer_id=customer_id,
            dialect=dialect,
            currency=currency,
            rules=wanted,
            signed=is_signed(desk, dialect),
        )
        return shown_key(key.token, key.secret)

    shown = at_desk(common, make)
    facts = {"customer_id": customer_id, "dialect": dialect, **shown}
    print_result(
        facts,
        as_json=common.json,
        text=f"Customer {customer_id} has a new key, shown once:\n{labelled(shown)}",
    )


@app.command(name="list")
def show(customer_id: CustomerNumber, *, common: Common | None = None) -> None:
    """List a customer's keys: the start of each token, its limits, and its last use.

    Parameters
    ----------
    customer_id
        The customer's number.
    """
    common = common or Common()

    async def read(desk: Desk) -> list[KeyLine]:
        await require_customer(desk, customer_id)
        return await keys.keys(desk.rt, customer_id)

    found = at_desk(common, read)
    facts = [
        {
            "key_id": key.id,
            "token": f"{key.shown}...",
            "dialect": key.dialect,
            "name": key.name,
            "scopes": [Scope(scope).name.lower() for scope in key.scopes],
            "methods": list(key.methods),
            "networks": list(key.networks),
            "expires_at": key.expires_at,
            "last_used_at": key.last_used_at,
            "revoked_at": key.revoked_at,
        }
        for key in found
    ]
    columns = [
        "key",
        "token",
        "dialect",
        "name",
        "scopes",
        "methods",
        "networks",
        "expires",
        "last used",
        "revoked",
    ]
    print_result(
        facts,
        as_json=common.json,
        text=table(columns, [[_cell(cell) for cell in fact.values()] for fact in facts]),
    )


@app.command
def revoke(key_id: KeyNumber, *, common: Common | None = None) -> None:
    """Revoke a key for good, within about a second; the customer's other keys keep working.

    Parameters
    ----------
    key_id
        The key's number, from `numdesk customer key list`.
    """
    common = common or Common()
    at_desk(common, lambda desk: keys.revoke_key(desk.rt, key_id))
    print_result(
        {"key_id": key_id, "revoked": True},
        as_json=common.json,
        text=f"The key {key_id} is revoked.",
    )


def _rules(desk: Desk, dialect: str, given: Rules) -> KeyRules:
    """Return the limits of a new key. Raises CommandRefused."""
    name = given.name.strip()
    if not name or len(name) > NAME_CHARACTERS_MAX or not name.isprintable():
        raise CommandRefused(
            f"{name!r} is not a name; expected 1 to {NAME_CHARACTERS_MAX} printable characters."
        )
    operations = {
        route.operation for one in desk.dialects if one.slug == dialect for route in one.routes
    }
    scopes = words(given.scopes, option="--scopes", allowed=[scope.name.lower() for scope in Scope])
    if given.expires is not None and given.expires <= desk.rt.clock.wall():
        raise CommandRefused(
            f"{given.expires:%Y-%m-%d %H:%M} is past; expected a time in the future for --expires."
        )
    return KeyRules(
        scopes=frozenset(Scope[scope.upper()] for scope in scopes) or ALL_SCOPES,
        methods=words(given.methods, option="--methods", allowed=operations),
        networks=networks(given.networks, option="--networks"),
        expires_at=given.expires,
        name=name,
    )


def _cell(cell: object) -> object:
    """Return the text of a table's cell."""
    return (",".join(cell) or "all") if isinstance(cell, list) else cell
