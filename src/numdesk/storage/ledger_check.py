"""The checks of the ledger against itself, each a few set-based queries, and the extension of the hash chain.

All but the chain look at the entries after `after`: 0 makes the check full, the last entry that is rolled up makes it incremental.
The orders' tables have no foreign keys, so what those would prove is proved here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from numdesk.domain.ledger import Check
from numdesk.storage.pool import Tx

if TYPE_CHECKING:
    from asyncpg import Record

#: Violations that are named; the count tells the rest.
EXAMPLES_MAX = 10
#: Blocks verified by one statement, so that none takes longer than a few seconds.
BLOCKS_PER_STATEMENT = 50
#: Blocks added by one transaction: 10 take about half a second.
BLOCKS_PER_TRANSACTION = 10
#: Entries of a block.
BLOCK_SIZE = 10_000


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain and the entries end."""

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
    """Looks at the newest entry, then draws a transaction id: whoever may still add an entry below it runs under a smaller one."""
    entry_id = await tx.fetchval("select coalesce(max(id), 0) from entries")
    return Sight(entry_id, int(await tx.fetchval("select pg_current_xact_id()::text")))


async def extend_chain(tx: Tx, sight: Sight, *, partial: bool, now: datetime) -> int | None:
    """Adds up to BLOCKS_PER_TRANSACTION blocks and returns how many; None when what was in `sight` is not final yet."""
    return await tx.fetchval(
        "select ledger_chain_extend_v1($1, $2, ($3::text)::xid8, $4, $5, $6)",
        now, sight.entry_id, str(sight.transaction_id), BLOCK_SIZE, partial, BLOCKS_PER_TRANSACTION)


async def prepare(tx: Tx) -> Head:
    """Readies the snapshot for large queries and returns where chain and entries end in it."""
    await tx.execute("set local work_mem = '64MB'; set local plan_cache_mode = force_custom_plan")
    row = await tx.fetchrow(
        """select coalesce(b.number, 0) block, coalesce(encode(b.hash, 'hex'), '') hash, coalesce(b.last_entry_id, 0) rolled,
                  coalesce((select max(e.id) from entries e), 0) newest
             from (select) one left join (select number, hash, last_entry_id from ledger_blocks order by number desc limit 1) b on true""")
    assert row is not None, "one row, whatever the tables hold"
    return Head(row["block"], row["hash"], row["rolled"], row["newest"])


async def check_accounts(tx: Tx, *, after: int) -> dict[str, Check]:
    """Checks what can be said of each account: sums, stored balances, holds, limits."""
    return _checks(await tx.fetch(
        """with moved as (select e.account_id, sum(e.amount) amount from entries e where e.id > $1 group by e.account_id),
                open_holds as (select h.account_id, sum(h.amount) amount from holds h where h.state = 0 group by h.account_id),
                books as materialized (
                  select coalesce(a.id, m.account_id, r.account_id, h.account_id) id, a.id is null lost, a.live, a.balance, a.held, a.currency,
                         a.balance - a.held + a.credit_limit free, coalesce(h.amount, 0) open_holds,
                         coalesce(m.amount, 0) + case when $1 > 0 then coalesce(r.balance, 0) else 0 end total,
                         format('account %s (%s/%s %s)', coalesce(a.id, m.account_id, r.account_id, h.account_id), a.kind,
                                coalesce(a.label, a.owner::text), a.currency) called
                    from accounts a full join moved m on m.account_id = a.id
                    full join ledger_rollups r on r.account_id = coalesce(a.id, m.account_id)
                    full join open_holds h on h.account_id = coalesce(a.id, m.account_id, r.account_id))
           select 'currencies_sum_to_zero' as name, count(*) checked, count(*) filter (where c.total <> 0) violations,
                  array(select format('%s: the entries sum to %s', x.currency, sum(x.total)) from books x group by x.currency having sum(x.total) <> 0
                        order by x.currency limit $2) examples
             from (select currency, sum(total) total from books where not lost group by currency) c
           union all
           select 'accounts_exist', count(*), count(*) filter (where lost),
                  array(select called || ': entries, a rollup or holds name it, and it does not exist' from books where lost order by id limit $2) from books
           union all
           select 'balances_equal_entries', count(*), count(*) filter (where balance <> case when live then total else 0 end),
                  array(select format('%s: the balance is %s, the entries sum to %s', called, balance, total) from books
                        where not lost and balance <> case when live then total else 0 end order by id limit $2) from books where not lost
           union all
           select 'held_equals_open_holds', count(*), count(*) filter (where held <> open_holds),
                  array(select format('%s: %s is held, the open holds sum to %s', called, held, open_holds) from books
                        where not lost and held <> open_holds order by id limit $2) from books where not lost
           union all
           select 'no_wallet_short', count(*), count(*) filter (where free < 0),
                  array(select format('%s: %s below its limit', called, -free) from books where live and free < 0 order by id limit $2)
             from books where live""", after, EXAMPLES_MAX))


async def check_rollups(tx: Tx, *, rolled_entry_id: int) -> dict[str, Check]:
    """Checks that each rollup is the sum of the account's entries that stand in blocks."""
    return _checks(await tx.fetch(
        """with sums as (select e.account_id, sum(e.amount) amount from entries e where e.id <= $1 group by e.account_id),
                pairs as materialized (
                  select coalesce(r.account_id, s.account_id) id, r.balance, s.amount, coalesce(r.balance, 0) <> coalesce(s.amount, 0) differs
                    from ledger_rollups r full join sums s on s.account_id = r.account_id)
           select 'rollups_equal_entries' as name, count(*) checked, count(*) filter (where differs) violations,
                  array(select format('account %s: the rollup is %s, its entries sum to %s', id, coalesce(balance, 0), coalesce(amount, 0))
                          from pairs where differs order by id limit $2) examples from pairs""", rolled_entry_id, EXAMPLES_MAX))


async def check_transfers(tx: Tx, *, after: int) -> dict[str, Check]:
    """Checks that each transfer has exactly its two entries, in one currency and in a journal, and that each journal sums to zero.

    In an incremental run the other entry of a transfer may lie before `after`, close to it, and is looked for from there backwards.
    """
    return _checks(await tx.fetch(
        """with sides as (
                  select e.transfer_id, count(*) n, sum(e.amount) total, max(abs(e.amount)) moved,
                         max(e.account_id) filter (where e.amount < 0) debit_id, max(e.account_id) filter (where e.amount > 0) credit_id
                    from entries e where e.id > $1 group by e.transfer_id),
                pairs as materialized (
                  select coalesce(t.id, s.transfer_id) id, t.journal_id, t.currency, s.n, s.total, t.id is null lost, j.id is null no_journal,
                         d.currency is distinct from t.currency or c.currency is distinct from t.currency mixed,
                         s.n is distinct from 2 or s.total <> 0 or s.moved is distinct from t.amount
                           or s.debit_id is distinct from t.debit_id or s.credit_id is distinct from t.credit_id differs,
                         s.n = 1 and s.moved = t.amount and coalesce(s.debit_id, t.debit_id) = t.debit_id and coalesce(s.credit_id, t.credit_id) = t.credit_id
                           and (select 1 from entries p where p.id <= $1 and p.transfer_id = t.id
                                  and p.account_id = case when s.debit_id is null then t.debit_id else t.credit_id end
                                  and p.amount = -s.total order by p.id desc limit 1) = 1 parted
                    from sides s full join (select * from transfers x where $1 = 0 or x.id in (select transfer_id from sides)) t on t.id = s.transfer_id
                    left join journals j on j.id = t.journal_id
                    left join accounts d on d.id = t.debit_id left join accounts c on c.id = t.credit_id)
           select 'transfers_have_two_entries' as name, count(*) checked, count(*) filter (where differs and parted is not true) violations,
                  array(select format('transfer %s: %s', id, case when lost then 'does not exist, but has entries' when n = 2 then 'its entries say otherwise'
                                        else format('has %s entries', coalesce(n, 0)) end)
                          from pairs where differs and parted is not true order by id limit $2) examples from pairs
           union all
           select 'transfers_keep_to_one_currency', count(*), count(*) filter (where mixed and not lost),
                  array(select format('transfer %s: an account is missing or of another currency than %s', id, currency)
                          from pairs where mixed and not lost order by id limit $2) from pairs
           union all
           select 'transfers_have_a_journal', count(*), count(*) filter (where no_journal),
                  array(select format('transfer %s: journal %s does not exist', id, journal_id) from pairs where no_journal order by id limit $2) from pairs
           union all
           select 'journals_sum_to_zero', (select count(distinct journal_id) from pairs), count(*),
                  coalesce((array_agg(format('journal %s: %s in %s', journal_id, total, currency) order by journal_id))[:$2], '{}')
             from (select journal_id, currency, sum(total) total from pairs
                     where differs and parted is not true and total <> 0 group by journal_id, currency having sum(total) <> 0) x""",
        after, EXAMPLES_MAX))


async def check_open_orders(tx: Tx) -> dict[str, Check]:
    """Checks that open orders and their holds match one to one, and that the number of each is taken by it."""
    return _checks(await tx.fetch(
        """with pairs as materialized (
                  select coalesce(o.id, h.ref) id, o.state, h.state hold_state, o.price, h.amount, o.number_id, n.state number_state, n.order_id,
                         o.id is null or h.ref is null or h.state <> case when o.state < 2 then 0 else 1 end
                           or h.amount <> o.price or h.account_id <> o.wallet_id differs
                    from (select * from orders where state < 4) o
                    full join (select * from holds x where x.kind = 'order'
                                 and (x.state = 0 or x.ref in (select y.id from orders y where y.state < 4))) h on h.ref = o.id
                    left join numbers n on n.id = o.number_id)
           select 'open_orders_match_holds' as name, count(*) checked, count(*) filter (where differs) violations,
                  array(select format('order %s: state %s, price %s; hold: state %s, amount %s', id, coalesce(state::text, 'ended or none'), price,
                                      coalesce(hold_state::text, 'none'), amount) from pairs where differs order by id limit $1) examples from pairs
           union all
           select 'open_orders_own_their_numbers', count(*), count(*) filter (where number_state is distinct from 1 or order_id is distinct from id),
                  array(select format('order %s: number %s is in state %s, taken by order %s', id, number_id, number_state, order_id) from pairs
                          where number_id is not null and (number_state is distinct from 1 or order_id is distinct from id) order by id limit $1)
             from pairs where number_id is not null""", EXAMPLES_MAX))


async def check_all_orders(tx: Tx) -> dict[str, Check]:
    """Checks that every order that has ended, has ended its hold accordingly, and that no number is taken by an order that is not open."""
    return _checks(await tx.fetch(
        """with pairs as materialized (
                  select coalesce(o.id, h.ref) id, o.state, h.state hold_state,
                         o.id is null or h.ref is null or h.amount <> o.price or h.account_id <> o.wallet_id
                           or not case o.state when 4 then h.state = 1 when 5 then h.state = 2 when 6 then h.state = 3 when 7 then h.state in (2, 3) else true end
                           differs
                    from orders o full join (select * from holds where kind = 'order') h on h.ref = o.id),
                earned as materialized (
                  select h.ref, h.journal_id from holds h left join journals j on j.id = h.journal_id and j.reason = 'order.earn' and j.ref = 'ord:' || h.ref
                    where h.kind = 'order' and h.state = 1 and j.id is null),
                taken as materialized (
                  select n.id, n.order_id, o.id is null differs from numbers n
                    left join orders o on o.id = n.order_id and o.number_id = n.id and o.state < 4 where n.state = 1)
           select 'orders_match_holds' as name, count(*) checked, count(*) filter (where differs) violations,
                  array(select format('order %s: state %s; hold: state %s', id, coalesce(state::text, 'none'), coalesce(hold_state::text, 'none'))
                          from pairs where differs order by id limit $1) examples from pairs
           union all
           select 'posted_holds_have_their_journal', (select count(*) from holds where kind = 'order' and state = 1), count(*),
                  array(select format('order %s: its hold is posted, journal %s is not its earning', ref, journal_id) from earned order by ref limit $1)
             from earned
           union all
           select 'taken_numbers_belong_to_open_orders', count(*), count(*) filter (where differs),
                  array(select format('number %s: taken by order %s, which is not open or has another', id, order_id)
                          from taken where differs order by id limit $1) from taken""", EXAMPLES_MAX))


async def check_chain(tx: Tx, *, newest_only: bool) -> dict[str, Check]:
    """Checks that each block (or the newest) hashes to what was recorded when it was built, and that no block is missing."""
    newest = int(await tx.fetchval("select coalesce(max(number), 0) from ledger_blocks"))
    checked, wrong = 0, []
    for first in range(max(1, newest) if newest_only else 1, newest + 1, BLOCKS_PER_STATEMENT):
        rows = await tx.fetch(
            """select g.number, p.last_entry_id + 1 first_id, b.last_entry_id,
                      b.hash is distinct from ledger_block_hash_v1(p.hash, p.last_entry_id, b.last_entry_id) differs,
                      b.entries, (select count(*) from entries e where e.id > p.last_entry_id and e.id <= b.last_entry_id) found
                 from generate_series($1::bigint, $2::bigint) g(number)
                 left join ledger_blocks b on b.number = g.number
                 left join (select number, hash, last_entry_id from ledger_blocks union all select 0, '', 0) p on p.number = g.number - 1
                 order by g.number""", first, min(newest, first + BLOCKS_PER_STATEMENT - 1))
        checked += len(rows)
        wrong += [_named_block(row) for row in rows if row["differs"] or row["entries"] != row["found"]]
    return {"chain_verifies": Check(checked, len(wrong), tuple(wrong[:EXAMPLES_MAX]))}


async def keep_report(tx: Tx, *, at: datetime, scope: str, through_entry_id: int, report: str, kept: int) -> None:
    """Writes down what a check found, and drops all but the newest `kept` reports."""
    newest = await tx.fetchval(
        "insert into ledger_checks (at, scope, through_entry_id, report) values ($1, $2, $3, $4::text::jsonb) returning id",
        at, scope, through_entry_id, report)
    await tx.execute("delete from ledger_checks where id <= $1", int(newest) - kept)


def _named_block(row: Record) -> str:
    """Returns what is wrong with a block."""
    if row["last_entry_id"] is None or row["first_id"] is None:
        return f"block {row['number']}: it or the one before it is missing"
    span = f"block {row['number']} (entries {row['first_id']} to {row['last_entry_id']})"
    if row["entries"] != row["found"]:
        return f"{span}: {row['found']} entries, {row['entries']} were recorded"
    return f"{span}: what its entries say has changed"


def _checks(rows: list[Record]) -> dict[str, Check]:
    return {row["name"]: Check(row["checked"], row["violations"], tuple(row["examples"])) for row in rows}
