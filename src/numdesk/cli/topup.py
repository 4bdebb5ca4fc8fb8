"""`numdesk topup`: payments into wallets, those that wait for a person, and the comparison with the gateways."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated, Any

import cyclopts
from cyclopts import Parameter

from numdesk.bootstrap import Desk
from numdesk.cli.attach import Common, at_desk
from numdesk.cli.given import Whole
from numdesk.cli.outcome import CommandRefused, if_unknown, table, tell
from numdesk.domain.money import print_amount
from numdesk.domain.payments.audit import Difference
from numdesk.domain.payments.refusals import GatewayUnavailable
from numdesk.domain.payments.topups import Decision, Doubt, TopUp
from numdesk.ports.errors import ProviderError
from numdesk.storage.payments.gateway_payments import Booked
from numdesk.usecases.payments import audit, settlement, topups
from numdesk.usecases.payments import held as payment_held

app = cyclopts.App(
    name="topup",
    help="Look at top-ups, decide about those that are held, and compare them with the payment gateways.",
)

Flag = Annotated[bool, Parameter(negative=())]
_ASK = "settle it at the gateway: credit or refund follows by itself, or at once by `topup settle`"
_OR = "or decide here by `topup approve`, `refuse` or `write-off`"
#: What staff do next about each doubt.
NEXT: Mapping[Doubt, str] = {
    Doubt.GATEWAY: f"{_ASK}; `topup write-off` when it went back",
    Doubt.STATUS: f"{_ASK}; {_OR} (`--worth` says what it is worth)",
    Doubt.UNSETTLED: f"{_ASK}; {_OR}",
    Doubt.REFERENCE: "find out whose it is, then `topup refuse`, or `topup approve --worth`",
    Doubt.INVOICE: "find out whose it is, then `topup refuse`, or `topup approve --worth`",
    Doubt.CURRENCY: "find out who changed it, then `topup refuse`, or `topup approve --worth`",
    Doubt.AMOUNT: "find out who changed it, then `topup refuse`, or `topup approve --worth`",
    Doubt.WRONG_ASSET: "look up what it is worth, then `topup approve --worth`, or `topup refuse`",
    Doubt.LATE: "look up what it was worth, then `topup approve --worth`, or `topup refuse`",
    Doubt.NO_AMOUNTS: "look up what it is worth, then `topup approve --worth`, or `topup refuse`",
    Doubt.UNDERPAID: "`topup approve` credits it, `topup refuse` keeps it apart",
    Doubt.DUST: "`topup approve` credits it, `topup refuse` keeps it apart",
    Doubt.OVERPAID: "`topup approve` credits the excess, too, `topup refuse` keeps it apart, `topup write-off` when the excess went back",
}
#: How far back one comparison may look.
DAYS_MAX = 366


@app.command(name="list")
def show_list(
    *,
    held: Flag = False,
    customer: Whole | None = None,
    limit: Whole = 50,
    common: Common | None = None,
) -> None:
    """Show top-ups, newest first, in minor units.

    Parameters
    ----------
    held
        Only those of which a payment waits for a person, with what the gateway says of it and what to do.
    customer
        Only those of this customer.
    limit
        How many.
    """
    common = common or Common()
    if not 1 <= limit <= topups.PAGE_MAX:
        raise CommandRefused(f"--limit {limit} cannot be used: it must be 1 to {topups.PAGE_MAX}.")
    if held:
        _show_held(
            at_desk(
                common, lambda desk: payment_held.listed(desk.rt, customer_id=customer, limit=limit)
            ),
            common,
        )
        return
    found = at_desk(common, lambda desk: topups.listed(desk.rt, customer_id=customer, limit=limit))
    facts = [_facts(one) for one in found]
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
    tell(facts, as_json=common.json, text=text)


@app.command
def show(invoice: str, *, common: Common | None = None) -> None:
    """Show a top-up with every payment for it: what the gateway says, what is booked, and what is doubted.

    Parameters
    ----------
    invoice
        The invoice's id, inv_...
    """
    common = common or Common()
    topup, lines = at_desk(common, lambda desk: topups.read(desk.rt, invoice))
    facts = {**_facts(topup), "payments": [_payment(one) for one in lines]}
    columns = [
        "payment",
        "status",
        "its word",
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
    tell(
        facts,
        as_json=common.json,
        text=text if lines else f"{invoice} is {facts['state']}; no payment was heard of.",
    )


@app.command
def approve(
    invoice: str,
    *,
    payment: str | None = None,
    worth: Whole | None = None,
    common: Common | None = None,
) -> None:
    """Credit a payment that is held, by the discount of its top-up.

    Parameters
    ----------
    invoice
        The invoice's id, inv_...
    payment
        The gateway's id of the payment, where more than one is held.
    worth
        What was paid is worth so many minor units of the wallet's currency; needed where it cannot be told.
    """
    _decide(invoice, Decision.APPROVED, payment, worth, common or Common())


@app.command
def refuse(invoice: str, *, payment: str | None = None, common: Common | None = None) -> None:
    """Do not credit a payment that is held; its money stays apart until it is sent back at the gateway.

    Parameters
    ----------
    invoice
        The invoice's id, inv_...
    payment
        The gateway's id of the payment, where more than one is held.
    """
    _decide(invoice, Decision.REFUSED, payment, None, common or Common())


@app.command
def write_off(invoice: str, *, payment: str | None = None, common: Common | None = None) -> None:
    """Take out of the books what is held or kept apart of a payment, because it went back to the payer, whatever the gateway's status says.

    Of a payment that brought too much only the excess is taken out. What was credited is taken back where the gateway contradicts it.

    Parameters
    ----------
    invoice
        The invoice's id, inv_...
    payment
        The gateway's id of the payment, where more than one is held.
    """
    _decide(invoice, Decision.RETURNED, payment, None, common or Common())


@app.command
def settle(invoice: str, *, common: Common | None = None) -> None:
    """Ask the gateway about a top-up now, and book what it says.

    Parameters
    ----------
    invoice
        The invoice's id, inv_...
    """
    common = common or Common()

    async def ask(desk: Desk) -> TopUp:
        topup, _ = await topups.read(desk.rt, invoice)
        with _asking(desk):
            await settlement.settle(desk.rt, topup.id)
        return (await topups.read(desk.rt, invoice))[0]

    with if_unknown(_look(invoice)):
        topup = at_desk(common, ask)
    _tell_state(topup, common)


@app.command
def collect(invoice: str, *, common: Common | None = None) -> None:
    """Take from the wallet what its customer owes since a payment was taken back, as far as the wallet has it.

    Parameters
    ----------
    invoice
        The invoice's id, inv_...
    """
    common = common or Common()
    with if_unknown(_look(invoice)):
        units = at_desk(common, lambda desk: settlement.collect(desk.rt, invoice))
    tell(
        {"invoice": invoice, "collected": units},
        as_json=common.json,
        text=f"{units} minor units were collected.",
    )


@app.command
def compare(*, days: Whole = 2, gateway: str | None = None, common: Common | None = None) -> int:
    """Compare the gateways' payments of the last days with ours; the exit code is 1 when something differs.

    Parameters
    ----------
    days
        How far back.
    gateway
        Only this one.
    """
    common = common or Common()
    if not 1 <= days <= DAYS_MAX:
        raise CommandRefused(f"--days {days} cannot be used: it must be 1 to {DAYS_MAX}.")

    async def ask(desk: Desk) -> list[Difference]:
        if gateway is not None and gateway not in desk.rt.payments:
            raise CommandRefused(
                f"There is no gateway {gateway}: it must be one of {', '.join(desk.rt.payments) or 'those set up'}."
            )
        if not desk.rt.payments:
            raise CommandRefused("No payment gateway is set up, so there is nothing to compare.")
        now = desk.rt.clock.now()
        with _asking(desk):
            return await audit.compare(
                desk.rt, since=now - timedelta(days=days), until=now, provider=gateway
            )

    found = at_desk(common, ask)
    columns = ["gateway", "fault", "invoice", "payment", "how"]
    rows = [(one.provider, one.fault, one.invoice, one.payment_id, one.what) for one in found]
    facts = [dict(zip(columns, row, strict=True)) for row in rows]
    tell(facts, as_json=common.json, text=table(columns, rows) if rows else "Nothing differs.")
    return 1 if found else 0


def _decide(
    invoice: str, decision: Decision, payment: str | None, worth: int | None, common: Common
) -> None:
    with if_unknown(_look(invoice)):
        topup = at_desk(
            common,
            lambda desk: settlement.decide(
                desk.rt, invoice, decision, payment_id=payment, worth=worth
            ),
        )
    _tell_state(topup, common)


def _look(invoice: str) -> str:
    return f"see with `numdesk topup show {invoice}`; running the command again books nothing twice"


@contextmanager
def _asking(desk: Desk) -> Iterator[None]:
    """Says of a sandbox's gateway that does not answer where it is looked for; its server may listen elsewhere."""
    try:
        yield
    except (ProviderError, GatewayUnavailable) as error:
        if desk.rt.environment != "test":
            raise
        raise CommandRefused(
            f"The sandbox's gateways did not answer ({str(error).rstrip('.')}): they live in its server, which is looked for at "
            f"{desk.rt.settings.listen}; start it, or set NUMDESK_LISTEN to the address that it listens on."
        ) from error


def _tell_state(topup: TopUp, common: Common) -> None:
    facts = _facts(topup)
    credited, ordered = (
        print_amount(units, topup.currency) for units in (topup.credited, topup.amount)
    )
    state = facts["state"].replace("_", " ")
    tell(
        facts,
        as_json=common.json,
        text=f"{topup.public_id} is {state}: {credited} credited, {ordered} ordered.",
    )


def _facts(topup: TopUp) -> dict[str, Any]:
    return {
        "invoice": topup.public_id,
        "customer": topup.customer_id,
        "gateway": topup.provider,
        "state": topup.state.name.lower(),
        "amount": topup.amount,
        "to_pay": topup.final_amount,
        "credited": topup.credited,
        "currency": topup.currency,
        "created": topup.created_at,
        "expires": topup.expires_at,
        "gateway_invoice": topup.invoice_id,
    }


def _payment(one: Booked) -> dict[str, Any]:
    payment = one.line.payment
    return {
        "payment": payment.payment_id,
        "status": payment.status,
        "gateway_status": payment.gateway_status,
        "paid": payment.paid,
        "due": payment.due,
        "coin": payment.payer_currency,
        "credited": one.share.credit,
        "kept_apart": one.share.suspense,
        "owed": one.owed,
        "doubt": one.doubt,
        "decision": one.line.decision,
        "txid": payment.txid,
        "next": NEXT[one.doubt] if one.doubt else None,
    }


def _show_held(found: Sequence[tuple[TopUp, Sequence[Booked]]], common: Common) -> None:
    """Shows payments that wait for a person, each with the gateway's own word and what to do."""
    facts = [
        {**_facts(topup), "payments": [_payment(one) for one in lines]} for topup, lines in found
    ]
    columns = [
        "invoice",
        "customer",
        "gateway",
        "payment",
        "its word",
        "paid",
        "due",
        "coin",
        "doubt",
        "what to do",
    ]
    names = ("payment", "gateway_status", "paid", "due", "coin", "doubt", "next")
    rows = [
        (topup["invoice"], topup["customer"], topup["gateway"], *(one[name] for name in names))
        for topup in facts
        for one in topup["payments"]
    ]
    tell(facts, as_json=common.json, text=table(columns, rows) if rows else "No top-ups.")
