"""The check of top-ups and earned orders against the ledger: what their rows hold is what their
journals say, which the chain covers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numdesk.storage.ledger.check import tally

if TYPE_CHECKING:
    from numdesk.domain.ledger.journals import Check
    from numdesk.storage.database.pool import Tx


async def check_topups(tx: Tx) -> dict[str, Check]:
    """Check that each payment's amounts are the sums of its journals by account, that a top-up is
    credited what its payments are, and that its price goes with its discount.

    A payment's journals bear its name and a number: `gateway:payment:1`, and so on.
    """
    return await tally(
        tx,
        """
           with booked as (
                  select regexp_replace(j.ref, ':[0-9]+$', '') ref, max(substring(j.ref
                    from '[0-9]+$')::int) newest,
                         min(j.id) id, count(distinct a.currency) currencies,
                           min(a.currency) currency,
                         min(a.owner) filter (where a.kind = 'wallet') owner,
                         coalesce(sum(e.amount) filter (where a.kind in ('wallet', 'receivable')),
                           0) credit,
                         -coalesce(sum(e.amount) filter (where a.kind = 'receivable'), 0) owed,
                         -coalesce(sum(e.amount) filter (where a.kind = 'clearing'
                           or a.label like 'fee:%'), 0) received,
                         -coalesce(sum(e.amount) filter (where a.label like 'fee:%'), 0) fee,
                         coalesce(sum(e.amount) filter (where a.kind = 'suspense'), 0) suspense
                    from journals j join transfers t on t.journal_id = j.id join entries e
                      on e.transfer_id = t.id
                    join accounts a on a.id = e.account_id
                    where j.reason in ('topup.credit', 'topup.clawback') group by 1),
                kept as (
                  select p.*, concat_ws(':', p.provider, p.payment_id) ref, t.currency,
                    t.customer_id
                    from topup_payments p left join topups t on t.id = p.topup_id),
                checked (name, n) as (
                  values ('topup_payments_match_journals', (select count(*) from kept)),
                         ('topups_match_payments', (select count(*) from topups))),
                wrong (name, id, what) as (
                  select 'topup_payments_match_journals', coalesce(k.id, b.id),
                    format(
                      'payment %s: (credit, owed, received, fee, suspense) is %s,'
                      ' its journals say %s',
                      coalesce(k.ref, b.ref),
                      (k.credit, k.owed, k.received, k.fee, k.suspense)::text,
                      (b.credit, b.owed, b.received, b.fee, b.suspense)::text)
                    from kept k full join booked b on b.ref = k.ref
                    where k.id is null
                       or (k.credit, k.owed, k.received, k.fee, k.suspense) is distinct from
                          (coalesce(b.credit, 0), coalesce(b.owed, 0), coalesce(b.received, 0),
                            coalesce(b.fee, 0), coalesce(b.suspense, 0))
                       or k.seq < coalesce(b.newest, 0) or k.customer_id <> b.owner
                         or k.currency <> b.currency or b.currencies > 1
                  union all
                  select 'topups_match_payments', t.id,
                    format(
                      'top-up %s: credited %s, its payments %s;'
                      ' to pay %s of %s at %s basis points off',
                      t.public_id, t.credited, coalesce(p.credit, 0), t.final_amount, t.amount,
                      t.discount_bp)
                    from topups t
                    left join (select topup_id, sum(credit) credit from topup_payments
                      group by topup_id) p on p.topup_id = t.id
                    where t.credited <> coalesce(p.credit, 0)
                      or t.final_amount <> (t.amount * (10000 - t.discount_bp) + 5000) / 10000)""",
    )


async def check_earnings(tx: Tx) -> dict[str, Check]:
    """Check that price and cost of each earned order are what its journal moved."""
    return await tally(
        tx,
        """
           with booked as (
                  select j.ref, min(j.id) id,
                    coalesce(sum(t.amount) filter (where d.kind = 'wallet'), 0) price,
                         coalesce(sum(t.amount) filter (where d.kind = 'cost_of_sales'), 0) cost
                    from journals j left join transfers t on t.journal_id = j.id left
                      join accounts d on d.id = t.debit_id
                    where j.reason = 'order.earn' group by j.ref),
                earned as (select o.id, 'ord:' || o.id ref, o.price, o.cost from orders o
                  where o.state in (2, 3, 4)),
                checked (name, n) as (select 'earned_orders_match_journals', count(*) from earned),
                wrong (name, id, what) as (
                  select 'earned_orders_match_journals', coalesce(o.id, b.id),
                         format('order %s: (price, cost) is %s, its journal says %s',
                           coalesce(o.ref, b.ref),
                                (o.price, o.cost)::text, (b.price, b.cost)::text)
                    from earned o full join booked b on b.ref = o.ref
                      where (o.price, o.cost) is distinct from (b.price, b.cost))""",
    )


async def paid_after(tx: Tx, topup_id: int, *, limit: int) -> list[int]:
    """Return the next top-ups after one that have payments."""
    rows = await tx.fetch(
        "select distinct topup_id from topup_payments where topup_id > $1 order by topup_id limit "
        "$2",
        topup_id,
        limit,
    )
    return [row["topup_id"] for row in rows]
