"""`numdesk customer credit` and `bonus`: changes of a customer's money by staff."""

from __future__ import annotations

import secrets

from numdesk.bootstrap import Desk
from numdesk.cli.arguments import Amount, CustomerNumber
from numdesk.cli.attach import Common, at_desk
from numdesk.cli.given import (
    require_customer,
)
from numdesk.cli.outcome import CommandRefused, if_unknown, print_result
from numdesk.domain.money import DECIMALS, AmountRefused, Money, parse_amount, print_amount
from numdesk.usecases.ledger import wallets


def credit(
    customer_id: CustomerNumber,
    amount: Amount,
    currency: str = "IDR",
    *,
    reference: str | None = None,
    common: Common | None = None,
) -> None:
    """Credit a wallet, or debit it with a negative amount.

    Parameters
    ----------
    customer_id
        The customer's number.
    amount
        A decimal of the currency, such as 150000 or -12.50.
    currency
        The wallet's currency.
    reference
        Your name for this payment; repeating one has no effect.
    """
    common = common or Common()
    wanted, units = _change(amount, currency)
    if not units:
        raise CommandRefused("The amount 0 changes nothing; expected one above or below 0.")
    name = reference or secrets.token_hex(8)

    async def adjust(desk: Desk) -> Money:
        await require_customer(desk, customer_id)
        return await wallets.adjust(
            desk.rt, customer_id=customer_id, currency=wanted, units=units, reason_ref=f"cli:{name}"
        )

    with if_unknown(_repeat_advice(name)):
        money = at_desk(common, adjust)
    facts = {"customer_id": customer_id, "currency": money.currency, "available": money.units}
    print_result(
        facts,
        as_json=common.json,
        text=f"Customer {customer_id} has {print_amount(money.units, money.currency)} available.",
    )


def bonus(
    customer_id: CustomerNumber,
    amount: Amount,
    currency: str = "EUR",
    *,
    reference: str | None = None,
    common: Common | None = None,
) -> None:
    """Give a bonus, or take some back with a negative amount.

    A bonus is spent before the wallet and never paid out.

    Parameters
    ----------
    customer_id
        The customer's number.
    amount
        A decimal of the currency, such as 50 or -12.50.
    currency
        The wallet's currency.
    reference
        Your name for this gift; repeating one has no effect.
    """
    common = common or Common()
    wanted, units = _change(amount, currency)
    name = reference or secrets.token_hex(8)

    async def give(desk: Desk) -> int:
        await require_customer(desk, customer_id)
        return (
            await wallets.give_bonus(
                desk.rt,
                customer_id=customer_id,
                currency=wanted,
                units=units,
                reason_ref=f"cli:{name}",
            )
        ).bonus

    with if_unknown(_repeat_advice(name)):
        left = at_desk(common, give)
    facts = {"customer_id": customer_id, "currency": wanted, "bonus": left}
    print_result(
        facts,
        as_json=common.json,
        text=f"Customer {customer_id} has a bonus of {print_amount(left, wanted)}.",
    )


def _change(amount: str, currency: str) -> tuple[str, int]:
    """Return the currency and the change of the wallet in minor units. Raises CommandRefused."""
    wanted = currency.upper()
    if wanted not in DECIMALS:
        raise CommandRefused(
            f"{currency} is not a currency; expected one of {', '.join(DECIMALS)}."
        )
    return wanted, (-1 if amount.startswith("-") else 1) * units_of(
        amount.removeprefix("-"), wanted
    )


def _repeat_advice(reference: str) -> str:
    return f"run the same command with --reference {reference}, which has effect only once"


def units_of(amount: str, currency: str) -> int:
    try:
        return parse_amount(amount, currency)
    except AmountRefused as refused:
        raise CommandRefused(f"{amount} is not an amount; it {refused}.") from refused
