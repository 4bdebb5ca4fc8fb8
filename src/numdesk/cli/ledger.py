"""`numdesk ledger`: the proof that no money was lost or made."""

from __future__ import annotations

from typing import Annotated

import cyclopts
from cyclopts import Parameter
from rich.table import Table

from numdesk.bootstrap import Desk
from numdesk.cli.attach import Common, at_desk
from numdesk.cli.outcome import table, tell
from numdesk.domain.ledger.journals import Report
from numdesk.usecases import ledger_check

#: A rule of the books is broken.
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
    """Check the ledger and exit with 0 when it is clean, 1 when a rule is broken, 2 when it could not be checked.

    Parameters
    ----------
    full
        Everything from the first entry, or only what came after the last block of the hash chain.
    """
    asked = common or Common()
    report = at_desk(asked, lambda desk: _check(desk, full=full))
    tell(ledger_check.facts_of(report), as_json=asked.json, text=_table(report))
    if not asked.json:
        tell(None, as_json=False, text=_summary(report))
    return EXIT_VIOLATED if report.violations else 0


async def _check(desk: Desk, *, full: bool) -> Report:
    report = await ledger_check.check_ledger(desk.rt, full=full)
    if full:
        # The running desk learns it: violations that were mended are no longer shown by /readyz.
        await ledger_check.keep_report(desk.rt, report)
    return report


def _table(report: Report) -> Table:
    """Returns one row per rule, and the first things that break it by name."""
    rows = [
        (name.replace("_", " "), check.checked, check.violations, "\n".join(check.examples))
        for name, check in report.checks.items()
    ]
    return table(["rule", "checked", "violations", "named"], rows)


def _summary(report: Report) -> str:
    """Returns the verdict, and what to write down elsewhere to prove it later."""
    verdict = f"{report.violations} violations" if report.violations else "The books are in order"
    scope = f"{'all' if report.full else 'the newest'} entries up to {report.through_entry_id}"
    head = (
        f"block {report.block} has the hash {report.block_hash}"
        if report.block
        else "the chain has no block yet"
    )
    return f"\n{verdict} ({scope}, {report.seconds} s); {head}."
