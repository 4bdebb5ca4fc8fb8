"""The ledger's check for tests, and small arrangements of money that several of them share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import asyncpg

from numdesk.config import Settings
from numdesk.domain.ledger.journals import Report
from numdesk.kit.clock import Clock
from numdesk.runtime import Runtime
from numdesk.storage.database.pool import Database
from numdesk.storage.ledger import accounts, journals
from numdesk.usecases import ledger_check

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


#: Rules that a test which holds or earns money for no order cannot keep.
WITHOUT_ORDERS = frozenset(
    {"open_orders_match_holds", "orders_match_holds", "earned_orders_match_journals"}
)


async def assert_clean(
    source: Runtime | Database | asyncpg.Pool, *, besides: frozenset[str] = frozenset()
) -> Report:
    """Checks the ledger in full and fails with the names of whatever breaks a rule, other than
    those in `besides`."""
    report = await ledger_check.check_ledger(runtime_on(source), full=True)
    broken = {
        name: check.examples
        for name, check in report.checks.items()
        if check.violations and name not in besides
    }
    assert not broken, f"the ledger breaks rules: {broken}"
    return report


def runtime_on(source: Runtime | Database | asyncpg.Pool) -> Runtime:
    """Returns a Runtime that can do what the ledger needs: transactions and a clock."""
    if isinstance(source, Runtime):
        return source
    database = source if isinstance(source, Database) else Database(source)
    nothing = cast("Any", None)  # the ledger asks neither for HTTP nor for keys
    return Runtime(
        settings=Settings(),
        clock=Clock(),
        http=nothing,
        keys=nothing,
        suppliers={},
        renderers={},
        rate_sources={},
        database=database,
    )


async def funded_wallet(
    database: Database, *, customer_id: int = 1, currency: str = "IDR", units: int = 0
) -> int:
    """Opens a wallet with this much in it and returns its id."""

    async def work(tx: journals.Tx) -> int:
        wallet_id = await accounts.open_wallet(tx, customer_id=customer_id, currency=currency)
        if units:
            journal = journals.chart.adjustment(
                customer_id=customer_id,
                currency=currency,
                units=units,
                ref=f"fund:{customer_id}:{currency}",
            )
            await journals.apply(tx, journal, now=NOW)
        return wallet_id

    return await database.run("test.fund", work)
