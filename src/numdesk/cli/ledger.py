"""`numdesk ledger`: the proof that no money was lost or created."""

from __future__ import annotations

from typing import Annotated

import cyclopts
from cyclopts import Parameter
from rich.table import Table

from numdesk.bootstrap import Desk
from numdesk.cli.attach import Common, at_desk
from numdesk.cli.outcome import print_result, table
from numdesk.domain.ledger.journals import Report
from numdesk.usecases import ledger_check

#: The exit code if a rule of the books is broken.
EXIT_VIOLATED = 1

app = cyclopts.App(
    name="ledger", help="Prove the ledger: sums, balances, holds, orders and the hash chain."
)


@app.command(name="check")
def check(
    *,
    full: Annotated[bool, Parameter(negative="--incremental")] = True,
    common: Common | None = None,
) -> int:
    """Check the ledger: exit 0 if it is clean, 1 if a rule is broken, 2 if the check failed.

    Parameters
    ----------
    full
        Check from the first entry on, or only after the last block of the hash chain.
    """
    asked = common or Common()
    report = at_desk(asked, lambda desk: _check(desk, full=full))
    print_result(ledger_check.facts_of(report), as_json=asked.json, text=_table(report))
    if not asked.json:
        print_result(None, as_json=False, text=_summary(report))
    return EXIT_VIOLATED if report.violations else 0


async def _check(desk: Desk, *, full: bool) -> Report:
    report = await ledger_check.check_ledger(desk.rt, full=full)
    if full:
        # Hand the report to the running desk, so that /readyz no longer shows fixed violations.
        await ledger_check.keep_report(desk.rt, report)
    return report


def _table(report: Report) -> Table:
    """Return one row per rule, with the first examples that break it."""
    rows = [
        (name.replace("_", " "), check.checked, check.violations, "\n".join(check.examples))
        for name, check in report.checks.items()
    ]
    return table(["rule", "checked", "violations", "examples"], rows)


def _summary(report: Report) -> str:
    """Return the verdict, and the block hash to store elsewhere as a later proof."""
    verdict = f"{report.violations} violations" if report.violations else "The books are in order"
    scope = f"{'all' if report.full else 'the newest'} entries up to {report.through_entry_id}"
    head = (
        f"block {report.block} has the hash {report.block_hash}"
        if report.block
        else "the chain has no block yet"
    )
    return f"\n{verdict} ({scope}, {report.seconds} s); {head}."
