"""`numdesk otp`: find the code in a text, and keep rules for the codes of a service."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import cyclopts
from cyclopts import Parameter

from numdesk.cli.arguments import RuleNumber
from numdesk.cli.attach import Common, at_desk
from numdesk.cli.outcome import print_result, table
from numdesk.domain.otp.explain import Weighed, candidates
from numdesk.domain.otp.extract import Extraction, extract
from numdesk.domain.otp.rules import Reading
from numdesk.domain.otp.weight import LIKELY
from numdesk.usecases import otp

app = cyclopts.App(
    name="otp",
    help="Find the code in a text and show why, and keep rules for the codes of a service.",
)
rules = cyclopts.App(name="rules", help="Add, list and remove rules for the codes of a service.")
app.command(rules)

Flag = Annotated[bool, Parameter(negative="")]


@app.command(name="try")
def try_text(
    text: str, *, sender: str = "", service: str | None = None, common: Common | None = None
) -> None:
    """Show the code found in a text, the rule that found it, and the other candidates.

    Parameters
    ----------
    text
        The text of a message.
    sender
        The message's sender.
    service
        The code of the order's service, whose rules are tried first. Without it, no database is
        needed.
    """
    common = common or Common()
    reading = Reading(None)
    if service is not None:
        reading = at_desk(
            common,
            lambda desk: otp.read_for(desk.rt, text, sender=sender, service=service),
            read_only=True,
        )
    found = reading.found or extract(text, sender=sender)
    weighed = candidates(text, sender=sender)
    if common.json:
        print_result(_facts(found, reading, weighed), as_json=True, text="")
        return
    print_result(None, as_json=False, text="\n".join(_answer(found, reading)))
    if weighed:
        print_result(
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
    r"""Add a rule: in messages for orders of a service, the code is the match of a pattern.

    Parameters
    ----------
    pattern
        A regular expression of RE2 with one group around the code, such as 'PIN (\d{5})', or with
        several groups, one of them named "code". Digits and spaces of all scripts are normalised
        first, so that \d and a space match them all.
    service
        The service's code, such as whatsapp (see `numdesk stock services`).
    sender
        Only messages of this sender; * stands for any text, ? for one character. Such rules are
        tried before the others of the service.
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
    print_result(
        facts, as_json=common.json, text=f"Rule {rule_id} applies from the next message on."
    )


@rules.command(name="list")
def show(*, removed: Flag = False, common: Common | None = None) -> None:
    """List the rules, in the order in which they are tried.

    Parameters
    ----------
    removed
        Include removed rules.
    """
    common = common or Common()
    known = at_desk(common, lambda desk: otp.every(desk.rt, removed=removed), read_only=True)
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
    empty = "There are no rules; codes are found as `numdesk otp try` shows."
    print_result(facts, as_json=common.json, text=table(columns, shown) if rows else empty)


@rules.command
def remove(rule: RuleNumber, *, common: Common | None = None) -> None:
    """Remove a rule; codes that it found stay as they are.

    Parameters
    ----------
    rule
        The rule's number, from `numdesk otp rules list`.
    """
    common = common or Common()
    at_desk(common, lambda desk: otp.remove(desk.rt, rule))
    print_result(
        {"rule": rule, "removed": True}, as_json=common.json, text=f"Rule {rule} was removed."
    )


def _answer(found: Extraction | None, reading: Reading) -> list[str]:
    """Return the code found, and the result of each rule tried before, as lines."""
    tried = [f"rule {rule.id}: {trial}" for rule, trial in reading.trials]
    if found is None:
        return ["There is no code in the text.", *tried]
    start, end = found.span
    written = "" if found.raw == found.code else f', written "{found.raw}"'
    return [
        (
            f"{found.code} is the code{written}: characters {start} to {end}, by {found.rule}, "
            f"confidence {found.confidence:g}."
        ),
        *tried,
    ]


def _shown(cell: object) -> object:
    return f"{cell:%Y-%m-%d %H:%M}" if isinstance(cell, datetime) else cell


def _row(one: Weighed, found: Extraction | None) -> Sequence[object]:
    weight = "-" if one.is_vetoed else f"{one.points:.1f}"
    return one.code, one.raw, f"{one.span[0]}-{one.span[1]}", weight, one.rule, _verdict(one, found)


def _verdict(one: Weighed, found: Extraction | None) -> str:
    """Return the result of a candidate in a word or two."""
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
