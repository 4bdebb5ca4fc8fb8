"""`numdesk topup`: payments into wallets, held ones, and the comparison with the gateways."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from numdesk.bootstrap import Desk
from numdesk.cli.arguments import CustomerNumber, InvoiceId, Units, count
from numdesk.cli.attach import Common, at_desk
from numdesk.cli.outcome import CommandRefused, if_unknown, print_result, table
from numdesk.cli.topup_output import payment_facts, print_held, print_state, topup_facts
from numdesk.domain.payments.audit import Difference
from numdesk.domain.payments.refusals import GatewayUnavailable
from numdesk.domain.payments.topups import Decision, TopUp
from numdesk.ports.errors import ProviderError
from numdesk.usecases.payments import audit, settlement, topups
from numdesk.usecases.payments import held as payment_held

app = cyclopts.App(
    name="topup",
    help="Show top-ups, decide on held ones, and compare them with the payment gateways.",
)
Flag = Annotated[bool, Parameter(negative=())]
#: The longest period of one comparison.
DAYS_MAX = 366
Days = Annotated[int, Parameter(converter=count("days", DAYS_MAX))]
Limit = Annotated[int, Parameter(converter=count("top-ups", topups.PAGE_MAX))]


@app.command(name="list")
def show_list(
    *,
    held: Flag = False,
    customer: CustomerNumber | None = None,
    limit: Limit = 50,
    common: Common | None = None,
) -> None:
    """List top-ups, newest first, in minor units.

    Parameters
    ----------
    held
        Only top-ups with a held payment, with the gateway's status and what to do.
    customer
        Only those of this customer.
    limit
        The number of top-ups, at most.
    """
    common = common or Common()
    if held:
        print_held(
            at_desk(
                common, lambda desk: payment_held.listed(desk.rt, customer_id=customer, limit=limit)
            ),
            common,
        )
        return
    found = at_desk(common, lambda desk: topups.listed(desk.rt, customer_id=customer, limit=limit))
    facts = [topup_facts(one) for one in found]
    columns = [
        "invoice",
        "customer",
        "gateway",
        "state",
        "amount",
        "to pay",
        "credited",
        "currency",
        "created",
    ]
    text = (
        table(columns, [list(one.values())[: len(columns)] for one in facts])
        if facts
        else "No top-ups."
    )
    print_result(facts, as_json=common.json, text=text)


@app.command
def show(invoice: InvoiceId, *, common: Common | None = None) -> None:
    """Show a top-up and its payments: the gateway's status, the booked amounts, and the doubt.

    Parameters
    ----------
    invoice
        The invoice's id, such as inv_0f3a9c2d7b41e8563a90.
    """
    common = common or Common()
    topup, lines = at_desk(common, lambda desk: topups.read(desk.rt, invoice))
    facts = {**topup_facts(topup), "payments": [payment_facts(one) for one in lines]}
    columns = [
        "payment",
        "status",
        "gateway status",
        "paid",
        "due",
        "coin",
        "credited",
        "kept apart",
        "owed",
        "doubt",
        "decision",
    ]
    text = table(columns, [list(one.values())[: len(columns)] for one in facts["payments"]])
    print_result(
        facts,
        as_json=common.json,
        text=text if lines else f"{invoice} is {facts['state']}; it has no payments.",
    )


@app.command
def approve(
    invoice: InvoiceId,
    *,
    payment: str | None = None,
    worth: Units | None = None,
    common: Common | None = None,
) -> None:
    """Credit a held payment, with the discount of its top-up.

    Parameters
    ----------
    invoice
        The invoice's id, such as inv_0f3a9c2d7b41e8563a90.
    payment
        The gateway's id of the payment, if more than one is held.
    worth
        The payment's worth in minor units of the wallet's currency; required if it is unknown.
    """
    _decide(invoice, Decision.APPROVED, payment, worth, common or Common())


@app.command
def refuse(invoice: InvoiceId, *, payment: str | None = None, common: Common | None = None) -> None:
    """Do not credit a held payment; its money stays apart until it is sent back at the gateway.

    Parameters
    ----------
    invoice
        The invoice's id, such as inv_0f3a9c2d7b41e8563a90.
    payment
        The gateway's id of the payment, if more than one is held.
    """
    _decide(invoice, Decision.REFUSED, payment, None, common or Common())


@app.command
def write_off(
    invoice: InvoiceId, *, payment: str | None = None, common: Common | None = None
) -> None:
    """Take a payment that went back to the payer out of the books, whatever its gateway status.

    Money held or kept apart for it is removed; of a payment that brought too much only the excess.
    A credit is taken back if the gateway contradicts it.

    Parameters
    ----------
    invoice
        The invoice's id, such as inv_0f3a9c2d7b41e8563a90.
    payment
        The gateway's id of the payment, if more than one is held.
    """
    _decide(invoice, Decision.RETURNED, payment, None, common or Common())


@app.command
def settle(invoice: InvoiceId, *, common: Common | None = None) -> None:
    """Ask the gateway about a top-up now, and book its answer.

    Parameters
    ----------
    invoice
        The invoice's id, such as inv_0f3a9c2d7b41e8563a90.
    """
    common = common or Common()

    async def ask(desk: Desk) -> TopUp:
        topup, _ = await topups.read(desk.rt, invoice)
        with _with_gateway_advice(desk):
            await settlement.settle(desk.rt, topup.id)
        return (await topups.read(desk.rt, invoice))[0]

    with if_unknown(_check_advice(invoice)):
        topup = at_desk(common, ask)
    print_state(topup, common)


@app.command
def collect(invoice: InvoiceId, *, common: Common | None = None) -> None:
    """Collect a customer's debt for a payment that was taken back, as far as the wallet covers it.

    Parameters
    ----------
    invoice
        The invoice's id, such as inv_0f3a9c2d7b41e8563a90.
    """
    common = common or Common()
    with if_unknown(_check_advice(invoice)):
        units = at_desk(common, lambda desk: settlement.collect(desk.rt, invoice))
    print_result(
        {"invoice": invoice, "collected": units},
        as_json=common.json,
        text=f"{units} minor units were collected.",
    )


@app.command
def compare(*, days: Days = 2, gateway: str | None = None, common: Common | None = None) -> int:
    """Compare the gateways' payments of the last days with ours; exit 1 if something differs.

    Parameters
    ----------
    days
        The number of days, 1 to 366.
    gateway
        Only this gateway.
    """
    common = common or Common()

    async def ask(desk: Desk) -> list[Difference]:
        if gateway is not None and gateway not in desk.rt.payments:
            raise CommandRefused(
                f"{gateway} is not a gateway in use; expected one of "
                f"{', '.join(desk.rt.payments) or 'those set up'}."
            )
        if not desk.rt.payments:
            raise CommandRefused("No payment gateway is set up, so there is nothing to compare.")
        now = desk.rt.clock.now()
        with _with_gateway_advice(desk):
            return await audit.compare(
                desk.rt, since=now - timedelta(days=days), until=now, provider=gateway
            )

    found = at_desk(common, ask)
    columns = ["gateway", "fault", "invoice", "payment", "how"]
    rows = [(one.provider, one.fault, one.invoice, one.payment_id, one.what) for one in found]
    facts = [dict(zip(columns, row, strict=True)) for row in rows]
    print_result(
        facts, as_json=common.json, text=table(columns, rows) if rows else "Nothing differs."
    )
    return 1 if found else 0


def _decide(
    invoice: str, decision: Decision, payment: str | None, worth: int | None, common: Common
) -> None:
    with if_unknown(_check_advice(invoice)):
        topup = at_desk(
            common,
            lambda desk: settlement.decide(
                desk.rt, invoice, decision, payment_id=payment, worth=worth
            ),
        )
    print_state(topup, common)


def _check_advice(invoice: str) -> str:
    return f"check with `numdesk topup show {invoice}`; repeating the command books nothing twice"


@contextmanager
def _with_gateway_advice(desk: Desk) -> Iterator[None]:
    """Refuse with the address of a sandbox's gateways if they do not answer."""
    try:
        yield
    except (ProviderError, GatewayUnavailable) as error:
        if desk.rt.environment != "test":
            raise
        raise CommandRefused(
            f"The sandbox's gateways did not answer ({str(error).rstrip('.')}): they run in its "
            "server, expected at "
            f"{desk.rt.settings.listen}; start it, or set NUMDESK_LISTEN to the address that it "
            "listens on."
        ) from error
