"""Top-ups as text and as JSON documents, with the next step of staff for each doubt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numdesk.cli.attach import Common
from numdesk.cli.outcome import print_result, table
from numdesk.domain.money import print_amount
from numdesk.domain.payments.topups import Doubt, TopUp
from numdesk.storage.payments.gateway_payments import Booked

_ASK = "settle it at the gateway: credit or refund follows by itself, or at once by `topup settle`"
_OR = "or decide here by `topup approve`, `refuse` or `write-off`"
#: The next step of staff for each doubt.
NEXT: Mapping[Doubt, str] = {
    Doubt.GATEWAY: f"{_ASK}; `topup write-off` if it went back",
    Doubt.STATUS: f"{_ASK}; {_OR} (`--worth` sets its worth)",
    Doubt.UNSETTLED: f"{_ASK}; {_OR}",
    Doubt.REFERENCE: "find the payer, then `topup refuse`, or `topup approve --worth`",
    Doubt.INVOICE: "find the payer, then `topup refuse`, or `topup approve --worth`",
    Doubt.CURRENCY: "find out who changed it, then `topup refuse`, or `topup approve --worth`",
    Doubt.AMOUNT: "find out who changed it, then `topup refuse`, or `topup approve --worth`",
    Doubt.WRONG_ASSET: "look up its worth, then `topup approve --worth`, or `topup refuse`",
    Doubt.LATE: "look up its worth at that time, then `topup approve --worth`, or `topup refuse`",
    Doubt.NO_AMOUNTS: "look up its worth, then `topup approve --worth`, or `topup refuse`",
    Doubt.UNDERPAID: "`topup approve` credits it, `topup refuse` keeps it apart",
    Doubt.DUST: "`topup approve` credits it, `topup refuse` keeps it apart",
    Doubt.OVERPAID: (
        "`topup approve` credits the excess too, `topup refuse` keeps it apart, `topup write-off` "
        "if the excess went back"
    ),
}


def print_state(topup: TopUp, common: Common) -> None:
    facts = topup_facts(topup)
    credited, ordered = (
        print_amount(units, topup.currency) for units in (topup.credited, topup.amount)
    )
    state = facts["state"].replace("_", " ")
    print_result(
        facts,
        as_json=common.json,
        text=f"{topup.public_id} is {state}: {credited} credited, {ordered} ordered.",
    )


def topup_facts(topup: TopUp) -> dict[str, Any]:
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


def payment_facts(one: Booked) -> dict[str, Any]:
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


def print_held(found: Sequence[tuple[TopUp, Sequence[Booked]]], common: Common) -> None:
    """Write the held payments, each with the gateway's status and what to do."""
    facts = [
        {**topup_facts(topup), "payments": [payment_facts(one) for one in lines]}
        for topup, lines in found
    ]
    columns = [
        "invoice",
        "customer",
        "gateway",
        "payment",
        "gateway status",
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
    print_result(facts, as_json=common.json, text=table(columns, rows) if rows else "No top-ups.")
