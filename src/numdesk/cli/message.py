"""`numdesk message`: messages of another service than the order's, and their release."""

from __future__ import annotations

from typing import Annotated, Any

import cyclopts
from cyclopts import Parameter

from numdesk.cli.arguments import MessageNumber, count
from numdesk.cli.attach import Common, at_desk
from numdesk.cli.outcome import CommandRefused, if_unknown, print_result, table
from numdesk.domain.errors import StateForbids
from numdesk.usecases.inbound import withheld
from numdesk.usecases.inbound.withheld import KeptMessage

app = cyclopts.App(
    name="message",
    help="Show messages that were withheld because they are another service's, and release them.",
)

Limit = Annotated[int, Parameter(converter=count("messages", withheld.PAGE_MAX))]

_TOLD_BY = {"sender": "its sender", "text": "its text"}


@app.command(name="list")
def show_list(
    *, limit: Limit = 50, before: MessageNumber | None = None, common: Common | None = None
) -> None:
    """List messages of another service than their order's or rental's, newest first.

    Texts are not shown.

    Parameters
    ----------
    limit
        The number of messages, at most 1000.
    before
        Only messages with a lower number: give a page's last number to get the next page.
    """
    common = common or Common()
    found = at_desk(
        common, lambda desk: withheld.foreign(desk.rt, limit=limit, before=before), read_only=True
    )
    columns = ["message", "received", "number", "sender", "for", "reason"]
    rows = [
        (
            one.id,
            f"{one.received_at:%Y-%m-%d %H:%M}",
            f"+{one.msisdn}",
            one.sender,
            _place(one),
            _reason(one),
        )
        for one in found
    ]
    facts = [_facts(one) for one in found]
    print_result(
        facts,
        as_json=common.json,
        text=table(columns, rows) if rows else "There are no messages of another service.",
    )


@app.command
def show(message: MessageNumber, *, common: Common | None = None) -> None:
    """Show a message with its text; texts are kept for NUMDESK_TEXTS_KEPT_DAYS.

    Parameters
    ----------
    message
        The message's number, from `numdesk message list`.
    """
    common = common or Common()
    found = at_desk(common, lambda desk: withheld.read(desk.rt, message), read_only=True)
    lines = [
        (
            f"Message {found.id} of {found.received_at:%Y-%m-%d %H:%M} UTC from {found.sender!r} "
            "to "
            f"+{found.msisdn}, for {_place(found)}."
        ),
        _reason(found) + ".",
        found.text,
    ]
    print_result({**_facts(found), "text": found.text}, as_json=common.json, text="\n".join(lines))


@app.command
def release(message: MessageNumber, *, common: Common | None = None) -> None:
    """Deliver a message that was withheld by mistake, and charge its order as for any message.

    Parameters
    ----------
    message
        The message's number, from `numdesk message list`.
    """
    common = common or Common()
    try:
        with if_unknown("run the same command again: a message is released only once"):
            found = at_desk(common, lambda desk: withheld.release(desk.rt, message))
    except StateForbids as refusal:
        raise CommandRefused(
            f"Message {message} cannot be released: its order or rental has ended, and the "
            "customer's money is settled."
        ) from refusal
    print_result(
        _facts(found),
        as_json=common.json,
        text=f"Message {message}, for {_place(found)}: {_reason(found)}.",
    )


def _place(one: KeptMessage) -> str:
    if one.rental is not None:
        return f"rental {one.rental}"
    return "no order" if one.order_id is None else f"order {one.order_id}"


def _reason(one: KeptMessage) -> str:
    """Return the state of a message, and the reason for it."""
    if one.told_by is None:
        return "Late" if one.late else "Delivered" if one.bought else "Kept"
    fate = "Withheld" if one.withheld else "Delivered"
    return (
        f"{fate}: by {_TOLD_BY[one.told_by]} it belongs to {one.service}, but "
        f"{', '.join(one.bought)} was bought"
    )


def _facts(one: KeptMessage) -> dict[str, Any]:
    return {
        "message": one.id,
        "received_at": one.received_at.isoformat(),
        "provider": one.provider,
        "number": f"+{one.msisdn}",
        "sender": one.sender,
        "order": one.order_id,
        "rental": one.rental,
        "bought": one.bought,
        "recognised": one.service,
        "told_by": one.told_by,
        "withheld": one.withheld,
        "reason": _reason(one),
    }
