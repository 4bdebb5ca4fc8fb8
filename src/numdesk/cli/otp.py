"""`numdesk otp`: what code is found in a text and why, and rules of our own for the codes of a service."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import cyclopts
from cyclopts import Parameter

from numdesk.cli.attach import Common, at_desk
from numdesk.cli.given import Whole
from numdesk.cli.outcome import table, tell
from numdesk.domain.otp.explain import Weighed, candidates
from numdesk.domain.otp.extract import Extraction, extract
from numdesk.domain.otp.rules import Reading
from numdesk.domain.otp.weight import LIKELY
from numdesk.usecases import otp

app = cyclopts.App(
    name="otp",
    help="See what code is found in a text and why, and keep rules for the codes of a service.",
)
rules = cyclopts.App(name="rules", help="Add, list and remove rules for the codes of a service.")
app.command(rules)

Flag = Annotated[bool, Parameter(negative="")]


@app.command(name="try")
def try_text(
    text: str, *, sender: str = "", service: str | None = None, common: Common | None = None
) -> None:
    """Show which code is found in a text, by which rule, and what else in it was weighed.

    Parameters
    ----------
    text
        The message, as it came.
    sender
        Whom it came from.
    service
        The code of the order's service: its rules are tried first. Without one, no database is needed.
    """
    common = common or Common()
    reading = Reading(None)
    if service is not None:
        reading = at_desk(
            common,
            lambda desk: otp.read_for(desk.rt, text, sender=sender, service=service),
            looks_only=True,
        )
    found = reading.found or extract(text, sender=sender)
    weighed = candidates(text, sender=sender)
    if common.json:
        tell(_facts(found, reading, weighed), as_json=True, text="")
        return
    tell(None, as_json=False, text="\n".join(_answer(found, reading)))
    if weighed:
        tell(
            None,
            as_json=False,
            text=table(
                ["candidate", "written", "at", "weight", "by", ""],
                [_row(one, found) for one in weighed],
            ),
        )


@rules.command
def add(
    pattern: str, *, service: str, sender: str | None = None, common: Common | None = None
) -> None:
    r"""Add a rule: in messages for orders of a service, the code is what a pattern finds, whatever else would be found.

    Parameters
    ----------
    pattern
        A regular expression of RE2 with one group around the code, such as 'PIN (\d{5})', or with several, of which one is named "code".
        Digits and blanks of all scripts are made plain before, so that \d and a blank know them all.
    service
        The service's code, such as whatsapp (`numdesk stock services` lists them).
    sender
        Only messages from it; * stands for anything, ? for one character. Such rules are tried before the others of the service.
    """
    common = common or Common()
    sender = None if sender is None else sender.strip()
    rule_id = at_desk(
        common, lambda desk: otp.add(desk.rt, service=service, pattern=pattern, sender=sender)
    )
    facts = {
        "rule": rule_id,
        "service": service.strip().lower(),
        "sender": sender,
        "pattern": pattern,
    }
    tell(facts, as_json=common.json, text=f"Rule {rule_id} counts from the next message on.")


@rules.command(name="list")
def show(*, removed: Flag = False, common: Common | None = None) -> None:
    """List the rules, in the order in which they are tried.

    Parameters
    ----------
    removed
        Those that were removed, too.
    """
    common = common or Common()
    known = at_desk(common, lambda desk: otp.every(desk.rt, removed=removed), looks_only=True)
    found = sorted(known, key=lambda one: (one.service, one.sender is None, one.id))
    columns = ["rule", "service", "sender", "pattern", "added", *(["removed"] if removed else [])]
    rows = [
        (one.id, one.service, one.sender, one.pattern, one.created_at, one.removed_at)[
            : len(columns)
        ]
        for one in found
    ]
    facts = [dict(zip(columns, row, strict=True)) for row in rows]
    shown = [[_shown(cell) for cell in row] for row in rows]
    empty = "There are none: the code of a message is what `numdesk otp try` finds by itself."
    tell(facts, as_json=common.json, text=table(columns, shown) if rows else empty)


@rules.command
def remove(rule: Whole, *, common: Common | None = None) -> None:
    """Remove a rule; codes that it found stay as they are.

    Parameters
    ----------
    rule
        Its number, as `numdesk otp rules list` shows it.
    """
    common = common or Common()
    at_desk(common, lambda desk: otp.remove(desk.rt, rule))
    tell(
        {"rule": rule, "removed": True}, as_json=common.json, text=f"Rule {rule} no longer counts."
    )


def _answer(found: Extraction | None, reading: Reading) -> list[str]:
    """Returns what was found, and what became of the rules on the way, as lines."""
    tried = [f"rule {rule.id}: {trial}" for rule, trial in reading.trials]
    if found is None:
        return ["There is no code in it.", *tried]
    start, end = found.span
    written = "" if found.raw == found.code else f', written "{found.raw}"'
    return [
        f"{found.code} is the code{written}: characters {start} to {end}, by {found.rule}, confidence {found.confidence:g}.",
        *tried,
    ]


def _shown(cell: object) -> object:
    return f"{cell:%Y-%m-%d %H:%M}" if isinstance(cell, datetime) else cell


def _row(one: Weighed, found: Extraction | None) -> Sequence[object]:
    weight = "-" if one.is_vetoed else f"{one.points:.1f}"
    return one.code, one.raw, f"{one.span[0]}-{one.span[1]}", weight, one.rule, _verdict(one, found)


def _verdict(one: Weighed, found: Extraction | None) -> str:
    """Says in a word or two what became of a candidate."""
    if found is not None and one.span == found.span:
        return "the code"
    if one.is_vetoed:
        return "ruled out"
    return "passed over" if one.is_likely else f"below {LIKELY:g}"


def _facts(
    found: Extraction | None, reading: Reading, weighed: Sequence[Weighed]
) -> dict[str, Any]:
    return {
        "code": found.code if found else None,
        "raw": found.raw if found else None,
        "span": found.span if found else None,
        "rule": found.rule if found else None,
        "confidence": found.confidence if found else None,
        "rules": [
            {"rule": rule.id, "sender": rule.sender, "result": trial.value}
            for rule, trial in reading.trials
        ],
        "candidates": [
            {
                "code": one.code,
                "raw": one.raw,
                "span": one.span,
                "weight": None if one.is_vetoed else round(one.points, 2),
                "rule": one.rule,
                "verdict": _verdict(one, found),
            }
            for one in weighed
        ],
    }
