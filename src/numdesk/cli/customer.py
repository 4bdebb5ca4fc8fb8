"""`numdesk customer`: the customers of the desk, and their money."""

from __future__ import annotations

from typing import Annotated, Any

import cyclopts
from cyclopts import Parameter

from numdesk.bootstrap import Desk
from numdesk.cli import customer_money, key
from numdesk.cli.arguments import Amount, CustomerNumber
from numdesk.cli.attach import Common, at_desk
from numdesk.cli.given import (
    currency_of,
    customer_of,
    is_signed,
    labelled,
    public_ids,
    shown_key,
)
from numdesk.cli.outcome import CommandRefused, if_unknown, print_result, table
from numdesk.domain.customers.callers import CustomerState
from numdesk.domain.money import print_amount
from numdesk.usecases.customers import accounts
from numdesk.usecases.desk import installation
from numdesk.usecases.ledger import wallets

app = cyclopts.App(
    name="customer",
    help="Add, credit, approve, restrict, block and list customers, and their keys.",
)


app.command(key.app)
app.command(customer_money.credit)
app.command(customer_money.bonus)


Flag = Annotated[bool, Parameter(negative="")]


@app.command
def add(
    name: str,
    *,
    dialect: str = "smscode",
    credit: Amount = "0",
    pending: Flag = False,
    common: Common | None = None,
) -> None:
    """Add a customer and show the API token, which is not shown again.

    Parameters
    ----------
    name
        The customer's name in lists.
    dialect
        The API of the customer's programs.
    credit
        The wallet's starting amount, in the dialect's currency.
    pending
        Let the customer wait for `numdesk customer approve`.
    """
    common = common or Common()

    async def register(desk: Desk) -> tuple[dict[str, Any], dict[str, str]]:
        currency = currency_of(desk, dialect)
        made = await accounts.register(
            desk.rt,
            name=_checked_name(name),
            dialect=dialect,
            currency=currency,
            signed=is_signed(desk, dialect),
            credit=customer_money.units_of(credit, currency),
            state=CustomerState.PENDING if pending else CustomerState.ACTIVE,
        )
        return {
            "customer_id": made.customer_id,
            "dialect": dialect,
            "currency": currency,
        }, shown_key(made.token, made.secret)

    with if_unknown(
        "check in `numdesk customer list` whether the customer exists before you add it again"
    ):
        facts, key = at_desk(common, register)
    print_result(
        {**facts, **key},
        as_json=common.json,
        text=f"Customer {facts['customer_id']} was added. The key, shown once:\n{labelled(key)}",
    )


@app.command
def approve(customer_id: str, *, common: Common | None = None) -> None:
    """Let a customer order (again).

    Parameters
    ----------
    customer_id
        The customer's number, or the customer's id in an API.
    """
    _set_state(customer_id, CustomerState.ACTIVE, common or Common())


@app.command
def restrict(customer_id: str, *, common: Common | None = None) -> None:
    """Let a customer read and end orders, but not buy.

    Parameters
    ----------
    customer_id
        The customer's number, or the customer's id in an API.
    """
    _set_state(customer_id, CustomerState.RESTRICTED, common or Common())


@app.command
def block(customer_id: str, *, common: Common | None = None) -> None:
    """Refuse every request of a customer.

    Parameters
    ----------
    customer_id
        The customer's number, or the customer's id in an API.
    """
    _set_state(customer_id, CustomerState.BLOCKED, common or Common())


@app.command
def option(
    customer_id: CustomerNumber,
    name: str,
    value: str | None = None,
    *,
    common: Common | None = None,
) -> None:
    """Set an option of one customer; without a value, restore its default.

    Parameters
    ----------
    customer_id
        The customer's number.
    name
        replay (dedupe, reject or allow: the answer to a repeated signed request), answers (auto,
        full or short: the form of answers), rental_discount_bp (hundredths of a percent off the
        rental prices), low_balance (minor units below which the customer is notified; 0 never).
    value
        The value of the option.
    """
    common = common or Common()
    at_desk(common, lambda desk: accounts.set_option(desk.rt, customer_id, name=name, value=value))
    shown = "the default" if value is None else value
    print_result(
        {"customer_id": customer_id, name: value},
        as_json=common.json,
        text=f"Customer {customer_id}: {name} is {shown} now.",
    )


@app.command(name="list")
def show(*, common: Common | None = None) -> None:
    """List all customers with their wallets."""
    common = common or Common()
    facts = at_desk(common, _all_facts)
    rows = [
        (
            fact["customer_id"],
            fact["name"],
            fact["state"],
            ", ".join(fact["ids"]) or None,
            fact["email"],
            ", ".join(
                print_amount(wallet["balance"] - wallet["held"], code)
                for code, wallet in fact["wallets"].items()
            ),
        )
        for fact in facts
    ]
    text = (
        table(["customer", "name", "state", "id in the API", "email", "available"], rows)
        if rows
        else "There are no customers yet."
    )
    print_result(facts, as_json=common.json, text=text)


async def _all_facts(desk: Desk) -> list[dict[str, Any]]:
    return [
        {
            "customer_id": one.id,
            "name": one.name,
            "state": one.state.name.lower(),
            "created_at": one.created_at,
            "dialects": one.dialects,
            "ids": public_ids(desk, one.id, one.dialects),
            "email": one.contact.get("email"),
            "phone": one.contact.get("phone"),
            "wallets": {
                wallet.name.currency: {"balance": wallet.balance, "held": wallet.held}
                for wallet in await wallets.wallets(desk.rt, one.id)
            },
        }
        for one in await installation.customers(desk.rt)
    ]


def _set_state(meant: str, state: CustomerState, common: Common) -> None:
    async def change(desk: Desk) -> int:
        customer_id = await customer_of(desk, meant)
        await accounts.set_state(desk.rt, customer_id, state)
        return customer_id

    customer_id, word = at_desk(common, change), state.name.lower()
    print_result(
        {"customer_id": customer_id, "state": word},
        as_json=common.json,
        text=f"Customer {customer_id} is {word} now.",
    )


def _checked_name(name: str) -> str:
    clean = name.strip()
    if not clean or len(clean) > 200 or not clean.isprintable():
        raise CommandRefused(f"{name!r} is not a name; expected 1 to 200 printable characters.")
    return clean
