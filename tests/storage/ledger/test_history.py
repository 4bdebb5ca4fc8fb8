"""A customer's history: wallet and bonus together, journal by journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from tests.support.desk import DeskOfTest

from numdesk.storage.ledger import history
from numdesk.usecases.customers import accounts, callers
from numdesk.usecases.ledger import wallets

if TYPE_CHECKING:
    from numdesk.storage.database.pool import Tx


async def test_tells_what_was_there_before_and_after(desk: DeskOfTest) -> None:
    """Each line begins where the one before it ended, in both directions and over all pages."""
    made = await accounts.register(
        desk.rt, name="A", dialect="partner", currency="EUR", signed=True
    )
    for turn, (move, units) in enumerate(
        [
            (wallets.adjust, 5000),
            (wallets.give_bonus, 700),
            (wallets.adjust, -1200),
            (wallets.give_bonus, -700),
        ]
    ):
        await move(
            desk.rt,
            customer_id=made.customer_id,
            currency="EUR",
            units=units,
            reason_ref=f"r{turn}",
        )
        desk.clock.advance(1)
    caller = await callers.authenticate(desk.rt, made.token.encode(), dialect="partner")
    first = await wallets.history(desk.rt, caller, page=1, limit=3)
    second = await wallets.history(desk.rt, caller, page=2, limit=3)
    lines = [*first.items, *second.items]
    assert (first.total, second.total, len(lines)) == (4, 4, 4)
    assert [
        (line.type, line.amount, line.balance_before, line.balance_after) for line in lines
    ] == [
        ("bonus", -700, 4500, 3800),
        ("adjustment", -1200, 5700, 4500),
        ("bonus", 700, 5000, 5700),
        ("adjustment", 5000, 0, 5000),
    ]
    ascending = await wallets.history(desk.rt, caller, page=1, limit=50, ascending=True)
    assert list(ascending.items) == lines[::-1]
    assert (await wallets.history(desk.rt, caller, page=9, limit=50)).total == 4


async def test_reads_no_more_than_the_page(desk: DeskOfTest) -> None:
    """However long a history is, its first and last pages cost the same, and its length is known
    without counting."""
    made = await accounts.register(
        desk.rt, name="A", dialect="partner", currency="EUR", signed=True, credit=100
    )
    caller = await callers.authenticate(desk.rt, made.token.encode(), dialect="partner")
    await desk.pool.execute(
        """with j as (insert into journals (reason, ref, at)
                        select 'adjustment', 'many:' || i, now() from generate_series(1, 3000) i
                          returning id)
           insert into transfers (journal_id, debit_id, credit_id, amount, currency)
             select id, system_account_v1('funding', 'manual', 'EUR'), $1, 10, 'EUR' from j
               order by id""",
        caller.wallet_id,
    )
    for from_oldest, page in ((False, 1), (True, 1), (False, 301)):
        lines = await wallets.history(desk.rt, caller, page=page, limit=10, ascending=from_oldest)
        assert (lines.total, lines.items[0].type) == (3001, "adjustment")
    plan = await desk.pool.fetchval(
        "explain (analyze, buffers, format json) select * from account_lines_v1($1, $2, false, "
        "10, 0)",
        caller.wallet_id,
        caller.bonus_id,
    )
    assert msgspec.json.decode(plan)[0]["Plan"]["Shared Hit Blocks"] < 1000


async def test_says_what_was_written_with_a_journal(desk: DeskOfTest) -> None:
    """The note that a use case wrote is what the customer reads, and a second one changes
    nothing."""
    made = await accounts.register(
        desk.rt, name="A", dialect="partner", currency="EUR", signed=True, credit=100
    )
    journal_id = await desk.pool.fetchval("select max(id) from journals")

    async def work(tx: Tx) -> None:
        for text in ("first", "second"):
            await history.describe(
                tx, journal_id, type="topup", description=text, metadata={"provider": "x"}
            )

    await desk.rt.run("test.describe", work)
    caller = await callers.authenticate(desk.rt, made.token.encode(), dialect="partner")
    (line,) = (await wallets.history(desk.rt, caller, page=1, limit=50)).items
    assert (line.type, line.description, line.metadata) == ("topup", "first", {"provider": "x"})
