"""The checks of the ledger against itself, each a few set-based queries, and the extension of the
hash chain.

All but the chain look at the entries after `after`: EVERYTHING makes the check full, the last entry
that is rolled up makes it incremental. The orders' tables have no foreign keys, so what those would
prove is proved here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, LiteralString

from numdesk.domain.ledger.journals import Check
from numdesk.storage.database.pool import Tx

if TYPE_CHECKING:
    from asyncpg import Record


#: Below every id there can be, those included that only a forger would choose.
EVERYTHING = -(2**63)


#: Violations that are named; the count tells the rest.
EXAMPLES_MAX = 10


#: Blocks verified by one statement, so that none takes longer than a few seconds.
BLOCKS_PER_STATEMENT = 50


#: Blocks added by one transaction: 10 take about half a second.
BLOCKS_PER_TRANSACTION = 10


#: Entries of a block.
BLOCK_SIZE = 10_000


#: Reports kept: those of a week.
REPORTS_KEPT = 10_000


#: The end of each check: from `checked` (name, n) and `wrong` (name, id, what) to one row per rule.
_TALLY: LiteralString = """
    select c.name, c.n checked, count(w.name) violations,
           coalesce((array_agg(w.what order by w.id) filter (where w.name is not null))[:10],
             '{}') examples
      from checked c left join wrong w on w.name = c.name group by c.name, c.n"""


@dataclass(frozen=True, slots=True)
class Head:
    """The ends of the chain and of the entries."""

    block: int
    block_hash: str
    rolled_entry_id: int
    newest_entry_id: int


@dataclass(frozen=True, slots=True)
class Sight:
    """The newest entry that was visible, and a transaction id drawn after it was seen."""

    entry_id: int
    transaction_id: int


async def see(tx: Tx) -> Sight:
    """Look at the newest entry, then draws a transaction id: whoever may still add an entry below
    it runs under a smaller one."""
    newest = await tx.fetchrow("select coalesce(max(id), 0) id from entries")
    drawn = await tx.fetchrow("select pg_current_xact_id()::text id")
    assert newest is not None, "an aggregate has one row"
    assert drawn is not None, "a call has one row"
    return Sight(newest["id"], int(drawn["id"]))


async def extend_chain(tx: Tx, sight: Sight, *, partial: bool, now: datetime) -> int | None:
    """Add up to BLOCKS_PER_TRANSACTION blocks and returns how many.

    None when the entries in `sight` are not final yet.
    """
    row = await tx.fetchrow(
        "select ledger_chain_extend_v1($1, $2, ($3::text)::xid8, $4, $5, $6) added",
        now,
        sight.entry_id,
        str(sight.transaction_id),
        BLOCK_SIZE,
        partial,
        BLOCKS_PER_TRANSACTION,
    )
    assert row is not None, "a call has one row"
    return row["added"]


async def prepare(tx: Tx) -> Head:
    """Ready the snapshot for large queries and returns where chain and entries end in it."""
    await tx.execute("set local work_mem = '64MB'; set local plan_cache_mode = force_custom_plan")
    row = await tx.fetchrow(
        """select coalesce(b.number, 0) block, coalesce(encode(b.hash, 'hex'), '') hash,
            coalesce(b.last_entry_id, 0) rolled,
                  coalesce((select max(e.id) from entries e), 0) newest
             from (select) one left join (select number, hash, last_entry_id from ledger_blocks
               order by number desc limit 1) b on true"""
    )
    assert row is not None, "one row, whatever the tables hold"
    return Head(row["block"], row["hash"], row["rolled"], row["newest"])


async def check_accounts(tx: Tx, *, after: int) -> dict[str, Check]:
    """Check what can be said of each account: sums, stored balances, holds, limits."""
    return await tally(
        tx,
        """
           with moved as (select e.account_id, sum(e.amount) amount from entries e where e.id > $1
             group by e.account_id),
                open_holds as (select h.account_id, sum(h.amount) amount from holds h
                  where h.state = 0 group by h.account_id),
                books as materialized (
                  select coalesce(a.id, m.account_id, r.account_id, h.account_id) id,
                    a.id is null lost, a.live, a.balance, a.held,
                         a.balance - a.held + a.credit_limit free, a.kind, a.owner, a.label,
                           a.currency, coalesce(h.amount, 0) open_holds,
                         coalesce(m.amount, 0) + case when $1 >= 0 then coalesce(r.balance, 0)
                           else 0 end total
                    from accounts a full join moved m on m.account_id = a.id
                    full join ledger_rollups r on r.account_id = coalesce(a.id, m.account_id)
                    full join open_holds h on h.account_id = coalesce(a.id, m.account_id,
                      r.account_id)),
                checked (name, n) as (
                  select v.* from (select count(*) n, count(*) filter (where live) live,
                    count(distinct currency) currencies from books) b,
                    lateral (values ('currencies_sum_to_zero', b.currencies), ('accounts_exist',
                      b.n), ('balances_equal_entries', b.n),
                                    ('held_equals_open_holds', b.n), ('no_wallet_short',
                                      b.live)) v),
                wrong (name, id, what) as (
                  select 'currencies_sum_to_zero', min(id), format('%s: the entries sum to %s',
                    currency, sum(total))
                    from books where not lost group by currency having sum(total) <> 0
                  union all
                  select v.name, v.id, v.what
                    from books b, format('account %s (%s/%s %s)', id, kind, coalesce(label,
                      owner::text), currency) called, lateral (values
                    ('accounts_exist', id, called ||
                      ': entries, a rollup or holds name it, and it does not exist', lost),
                    ('balances_equal_entries', id,
                      format('%s: the balance is %s, the entries sum to %s', called, balance,
                      total),
                      balance <> case when live then total else 0 end),
                    ('held_equals_open_holds', id,
                      format('%s: %s is held, the open holds sum to %s', called, held, open_holds),
                      held <> open_holds),
                    ('no_wallet_short', id, format('%s: %s below its limit', called, -free), live
                      and free < 0)) v (name, id, what, broken)
                    where v.broken)""",
        after,
    )


async def check_rollups(tx: Tx, *, rolled_entry_id: int) -> dict[str, Check]:
    """Check that each rollup is the sum of the account's entries that stand in blocks."""
    return await tally(
        tx,
        """
           with sums as (select e.account_id, sum(e.amount) amount from entries e where e.id <= $1
             group by e.account_id),
                checked (name, n) as (select 'rollups_equal_entries', count(*) from ledger_rollups),
                wrong (name, id, what) as (
                  select 'rollups_equal_entries', coalesce(r.account_id, s.account_id),
                         format('account %s: the rollup is %s, its entries sum to %s',
                                coalesce(r.account_id, s.account_id), r.balance, s.amount)
                    from ledger_rollups r full join sums s on s.account_id = r.account_id
                    where coalesce(r.balance, 0) <> coalesce(s.amount, 0))""",
        rolled_entry_id,
    )


async def check_histories(tx: Tx) -> dict[str, Check]:
    """Check that the lines stored with a customer's live accounts of a currency are as many as the
    journals that moved them."""
    return await tally(
        tx,
        """
           with stored as (select owner, currency, min(id) id, sum(lines) lines from accounts
             where live group by owner, currency),
                found as (
                  select a.owner, a.currency, count(distinct t.journal_id) lines
                    from accounts a join entries e on e.account_id = a.id join transfers t
                      on t.id = e.transfer_id
                    where a.live group by a.owner, a.currency),
                checked (name, n) as (select 'histories_count_their_journals', count(*)
                  from stored),
                wrong (name, id, what) as (
                  select 'histories_count_their_journals', s.id,
                         format('customer %s: %s lines in %s are stored, found %s', s.owner,
                           s.lines, s.currency, coalesce(f.lines, 0))
                    from stored s left join found f using (owner, currency)
                      where s.lines <> coalesce(f.lines, 0))""",
    )


_TRANSFERS: LiteralString = """
           with sides as not materialized (
                  select e.transfer_id, count(*) n, min(e.amount) low, max(e.amount) high,
                         max(e.account_id) filter (where e.amount < 0) debit_id,
                           max(e.account_id) filter (where e.amount > 0) credit_id
                    from entries e where e.id > $1 group by e.transfer_id),
                seen as not materialized (
                  select t.* from transfers t where $1 < 0
                  union all
                  select t.* from transfers t join (select transfer_id from sides) s
                    on s.transfer_id = t.id where $1 >= 0),
                odd as materialized (
                  select coalesce(t.id, s.transfer_id) id, t.id is null lost, t.journal_id,
                    t.currency, s.n, s.low, s.high,
                         s.debit_id, s.credit_id, t.debit_id wants_debit_id,
                           t.credit_id wants_credit_id, t.amount,
                         j.id is null no_journal, d.currency is distinct from t.currency
                           or c.currency is distinct from t.currency mixed
                    from seen t full join sides s on s.transfer_id = t.id left join journals j
                      on j.id = t.journal_id
                    left join accounts d on d.id = t.debit_id left join accounts c
                      on c.id = t.credit_id
                    where s.n is distinct from 2 or s.low is distinct from -t.amount
                      or s.high is distinct from t.amount
                       or s.debit_id is distinct from t.debit_id
                         or s.credit_id is distinct from t.credit_id or j.id is null
                       or d.currency is distinct from t.currency
                         or c.currency is distinct from t.currency),
                unpaired as materialized (
                  select * from odd o
                    where (n, low, high, debit_id, credit_id) is distinct from (2, -amount, amount,
                      wants_debit_id, wants_credit_id)
                    and (n = 1 and abs(high) = amount
                      and wants_debit_id = coalesce(debit_id, wants_debit_id)
                         and wants_credit_id = coalesce(credit_id, wants_credit_id)
                         and (select 1 from entries p where p.id <= $1 and p.transfer_id = o.id
                           and p.amount = -o.high
                                and p.account_id = case when o.debit_id is null
                                  then o.wants_debit_id else o.wants_credit_id end
                                order by p.id desc limit 1) = 1) is not true),
                checked (name, n) as (
                  select v.* from (select count(*) n from seen) t,
                    (select count(*) n from journals having $1 < 0 union all
                      select count(distinct journal_id) from seen having $1 >= 0) j,
                    lateral (values ('transfers_have_two_entries', t.n),
                      ('transfers_keep_to_one_currency', t.n),
                                    ('transfers_have_a_journal', t.n), ('journals_sum_to_zero',
                                      j.n)) v),
                wrong (name, id, what) as (
                  select 'transfers_have_two_entries', id, case when lost
                    then format('transfer %s: does not exist, but has entries', id)
                         when n = 2 then format('transfer %s: its entries say otherwise', id)
                         else format('transfer %s: has %s entries', id, coalesce(n, 0)) end
                           from unpaired
                  union all
                  select 'transfers_keep_to_one_currency', id,
                    format('transfer %s: an account is missing or not of %s', id, currency)
                    from odd where mixed and not lost
                  union all
                  select 'transfers_have_a_journal', id,
                    format('transfer %s: journal %s does not exist', id, journal_id)
                    from odd where no_journal
                  union all
                  select 'journals_sum_to_zero', journal_id, format('journal %s: sums to %s in %s',
                    journal_id, sum(total), currency)
                    from unpaired join (select e.transfer_id, sum(e.amount) total from entries e
                      where e.id > $1
                                          and e.transfer_id in (select id from unpaired)
                                            group by e.transfer_id) s on s.transfer_id = id
                    group by journal_id, currency having sum(total) <> 0)"""


async def check_transfers(tx: Tx, *, after: int) -> dict[str, Check]:
    """Check that each transfer has exactly its two entries, in one currency and in a journal, and
    that each journal sums to zero.

    In an incremental run the other entry of a transfer may lie before `after`, close to it, and is
    looked for from there backwards.
    """
    return await tally(
        tx,
        _TRANSFERS,
        after,
    )


async def check_chain(tx: Tx, *, newest_only: bool) -> dict[str, Check]:
    """Check that each block (or the newest) has the hash recorded when it was built, and that no
    block is missing."""
    newest = (await prepare(tx)).block
    checked = 0
    wrong: list[str] = []
    for first in range(max(1, newest) if newest_only else 1, newest + 1, BLOCKS_PER_STATEMENT):
        rows = await tx.fetch(
            """select g.number, p.last_entry_id + 1 first_id, b.last_entry_id,
                      b.hash is distinct from ledger_block_hash_v1(p.hash, p.last_entry_id,
                        b.last_entry_id) differs,
                      b.entries, (select count(*) from entries e where e.id > p.last_entry_id
                        and e.id <= b.last_entry_id) found
                 from generate_series($1::bigint, $2::bigint) g(number)
                 left join ledger_blocks b on b.number = g.number
                 left join (select number, hash, last_entry_id from ledger_blocks union all
                   select 0, '', 0) p on p.number = g.number - 1
                 order by g.number""",
            first,
            min(newest, first + BLOCKS_PER_STATEMENT - 1),
        )
        checked += len(rows)
        wrong += [
            _named_block(row) for row in rows if row["differs"] or row["entries"] != row["found"]
        ]
    return {"chain_verifies": Check(checked, len(wrong), tuple(wrong[:EXAMPLES_MAX]))}


async def keep_report(
    tx: Tx, *, at: datetime, through_entry_id: int, scope: str, document: str
) -> None:
    """Write down what a check found, and drop all but the newest REPORTS_KEPT reports."""
    await tx.execute(
        """with kept as (insert into ledger_checks (at, scope, through_entry_id, report)
            values ($1, $2, $3, $4::text::jsonb) returning id)
           delete from ledger_checks where id <= (select id from kept) - $5""",
        at,
        scope,
        through_entry_id,
        document,
        REPORTS_KEPT,
    )


async def lock_reports(tx: Tx) -> None:
    """Wait for whoever else is writing a report down: each goes on from the one before it."""
    await tx.execute("lock table ledger_checks in share row exclusive mode")


async def newest_report(tx: Tx) -> str | None:
    """Return the newest report as it was written down, None before the first."""
    return await tx.fetchval("select report::text from ledger_checks order by id desc limit 1")


def _named_block(row: Record) -> str:
    """Return the fault of a block."""
    if row["last_entry_id"] is None or row["first_id"] is None:
        return f"block {row['number']}: it or the one before it is missing"
    span = f"block {row['number']} (entries {row['first_id']} to {row['last_entry_id']})"
    if row["entries"] != row["found"]:
        return f"{span}: {row['found']} entries, {row['entries']} were recorded"
    return f"{span}: what its entries say has changed"


async def tally(tx: Tx, findings: LiteralString, *args: object) -> dict[str, Check]:
    """Run a check: the common table expressions `checked` and `wrong`, brought to one row per
    rule."""
    rows = await tx.fetch(findings + _TALLY, *args)
    return {
        row["name"]: Check(row["checked"], row["violations"], tuple(row["examples"]))
        for row in rows
    }
