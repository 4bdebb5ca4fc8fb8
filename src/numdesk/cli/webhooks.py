"""`numdesk webhooks`: the endpoint of a customer's webhooks, its deliveries, and their replay."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from numdesk.bootstrap import Desk
from numdesk.cli.arguments import (
    DELIVERY_PREFIX,
    CustomerNumber,
    DeliveryNumber,
    InputFile,
    Moment,
    count,
)
from numdesk.cli.attach import Common, at_desk
from numdesk.cli.given import currency_of, is_signed, read_secret, require_customer
from numdesk.cli.outcome import CommandRefused, print_result, table
from numdesk.domain.errors import StateForbids
from numdesk.domain.webhooks import DeliveryLog, Endpoint
from numdesk.storage.webhooks.deliveries import REPLAY_MAX
from numdesk.storage.webhooks.endpoints import Owner
from numdesk.usecases.customers import keys
from numdesk.usecases.webhooks import endpoints
from numdesk.usecases.webhooks.endpoints import PAGE_MAX

app = cyclopts.App(
    name="webhooks",
    help="Set the endpoint of a customer's webhooks, show deliveries, and send them again.",
)

#: The default period of `replay-failed`.
SINCE = timedelta(days=1)
Limit = Annotated[int, Parameter(converter=count("deliveries", PAGE_MAX))]


@app.command(name="set")
def set_endpoint(
    customer_id: CustomerNumber,
    dialect: str,
    url: str,
    *,
    secret_file: InputFile | None = None,
    common: Common | None = None,
) -> None:
    """Set the URL of a customer's webhooks, and enable them (again); an empty URL disables them.

    Parameters
    ----------
    customer_id
        The customer's number.
    dialect
        The API of the webhooks.
    url
        An https address on the public internet.
    secret_file
        A file (or - for standard input) whose first line is the signing secret. Default: for a
        dialect with signed requests the secret of the newest key, else the present secret or a new
        one.
    """
    common = common or Common()
    secret = read_secret(secret_file, prompt="secret") if secret_file else None
    if secret == "":
        raise CommandRefused(f"The first line of {secret_file} is empty: it must be the secret.")

    async def change(desk: Desk) -> dict[str, object]:
        owner, signed_with = await _owner(desk, customer_id, dialect), secret
        if secret is None and url and is_signed(desk, dialect):
            signed_with = await keys.signing_secret(desk.rt, customer_id, dialect=dialect)
            if signed_with is None:
                raise CommandRefused(
                    f"Customer {customer_id} has no {dialect} key to sign with; `numdesk customer "
                    "key add` makes one."
                )
        found = await endpoints.change_endpoint_of(desk.rt, owner, url=url, secret=signed_with)
        own = {} if is_signed(desk, dialect) else {"secret": found.secret}
        return _endpoint_facts(owner, found) | own

    facts = at_desk(common, change)
    text = f"Webhooks of customer {customer_id} go to {facts['url']} now."
    if not facts["url"]:
        text = f"Webhooks of customer {customer_id} are off now."
    print_result(
        facts,
        as_json=common.json,
        text=text + (f"\nsecret  {facts['secret']}" if facts.get("secret") else ""),
    )


@app.command(name="show")
def show_endpoint(
    customer_id: CustomerNumber, dialect: str = "smscode", *, common: Common | None = None
) -> None:
    """Show the URL of a customer's webhooks, and whether they are disabled.

    Parameters
    ----------
    customer_id
        The customer's number.
    dialect
        The API of the webhooks.
    """
    common = common or Common()

    async def read(desk: Desk) -> dict[str, object]:
        owner = await _owner(desk, customer_id, dialect)
        return _endpoint_facts(owner, await endpoints.endpoint_of(desk.rt, owner))

    facts = at_desk(common, read)
    print_result(facts, as_json=common.json, text=table(list(facts), [list(facts.values())]))


@app.command(name="list")
def show(
    customer_id: CustomerNumber,
    *,
    dialect: str = "smscode",
    limit: Limit = 50,
    common: Common | None = None,
) -> None:
    """List the newest deliveries to a customer's endpoint, with the last attempt of each.

    Parameters
    ----------
    customer_id
        The customer's number.
    dialect
        The API of the webhooks.
    limit
        The number of deliveries, at most.
    """
    common = common or Common()

    async def read(desk: Desk) -> list[DeliveryLog]:
        await _owner(desk, customer_id, dialect)
        return await endpoints.deliveries(
            desk.rt, customer_id=customer_id, dialect=dialect, limit=limit
        )

    found = at_desk(common, read)
    columns = ["delivery", "event", "at", "state", "attempts", "status", "failure"]
    rows = [
        (
            f"{DELIVERY_PREFIX}{one.id}",
            one.kind,
            one.at,
            one.state.name.lower(),
            one.attempts,
            one.status,
            one.failure or "",
        )
        for one in found
    ]
    facts = [dict(zip(columns, row, strict=True)) for row in rows]
    text = table(columns, rows) if rows else f"There are no deliveries to customer {customer_id}."
    print_result(facts, as_json=common.json, text=text)


@app.command
def replay(
    customer_id: CustomerNumber,
    delivery: DeliveryNumber,
    *,
    dialect: str = "smscode",
    common: Common | None = None,
) -> None:
    """Send one delivery again: the same body under the same id.

    Parameters
    ----------
    customer_id
        The customer's number.
    delivery
        The delivery's id, such as whd_7.
    dialect
        The API of the webhooks.
    """
    common = common or Common()

    async def send(desk: Desk) -> None:
        await require_customer(desk, customer_id)
        try:
            await endpoints.replay(
                desk.rt, customer_id=customer_id, dialect=dialect, delivery_id=delivery
            )
        except StateForbids as refusal:
            raise _switched_off(customer_id) from refusal

    at_desk(common, send)
    print_result(
        {"delivery": f"{DELIVERY_PREFIX}{delivery}"},
        as_json=common.json,
        text=f"The delivery {DELIVERY_PREFIX}{delivery} is sent again.",
    )


@app.command
def replay_failed(
    customer_id: CustomerNumber,
    *,
    since: Moment | None = None,
    dialect: str = "smscode",
    common: Common | None = None,
) -> None:
    """Send all failed deliveries again.

    Parameters
    ----------
    customer_id
        The customer's number.
    since
        A date or time (UTC); default: a day ago.
    dialect
        The API of the webhooks.
    """
    common = common or Common()

    async def send(desk: Desk) -> tuple[datetime, int]:
        await require_customer(desk, customer_id)
        begin = since or desk.rt.clock.now() - SINCE
        count, last = 0, REPLAY_MAX
        try:
            while last == REPLAY_MAX:
                last = await endpoints.replay_failed(
                    desk.rt, customer_id=customer_id, dialect=dialect, since=begin
                )
                count += last
        except StateForbids as refusal:
            raise _switched_off(customer_id) from refusal
        return begin, count

    begin, count = at_desk(common, send)
    print_result(
        {"customer_id": customer_id, "count": count},
        as_json=common.json,
        text=f"Sent again since {begin:%Y-%m-%d %H:%M} UTC: {count}.",
    )


async def _owner(desk: Desk, customer_id: int, dialect: str) -> Owner:
    """Return the owner of the webhooks. Raises CommandRefused."""
    currency_of(desk, dialect)
    await require_customer(desk, customer_id)
    return Owner(customer_id, dialect)


def _endpoint_facts(owner: Owner, found: Endpoint) -> dict[str, object]:
    return {
        "customer_id": owner.customer_id,
        "dialect": owner.dialect,
        "url": found.url,
        "signed": found.secret is not None,
        "failures": found.consecutive_failures,
        "failing_since": found.failing_since,
        "disabled_at": found.disabled_at,
        "disabled_reason": found.disabled_reason,
    }


def _switched_off(customer_id: int) -> CommandRefused:
    return CommandRefused(
        f"The endpoint of customer {customer_id} has no URL or is disabled: "
        "set the URL again to enable it, by the customer or with `numdesk webhooks set`."
    )
