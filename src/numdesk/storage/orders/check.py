"""The checks of orders against the ledger."""

from __future__ import annotations

from numdesk.domain.ledger.journals import Check
from numdesk.storage.database.pool import Tx
from numdesk.storage.ledger.check import tally


async def check_open_orders(tx: Tx) -> dict[str, Check]:
    """Check that open orders and their holds match one to one, and that the number of each is taken
    by it."""
    return await tally(
        tx,
        """
           with open_orders as (select * from orders where state < 4),
                checked (name, n) as (
                  select v.* from (select count(*) n, count(number_id) numbers from open_orders) o,
                    lateral (values ('open_orders_match_holds', o.n),
                      ('open_orders_own_their_numbers', o.numbers)) v),
                wrong (name, id, what) as (
                  select 'open_orders_match_holds', o.id,
                    format('order %s: state %s, price %s; its hold: state %s, amount %s',
                                                                 o.id, o.state, o.price, h.state,
                                                                   h.amount)
                    from open_orders o left join holds h on h.kind = 'order' and h.ref = o.id
                    where (h.state, h.amount, h.account_id) is distinct from (case when o.state < 2
                      then 0 else 1 end, o.price, o.wallet_id)
                  union all
                  select 'open_orders_match_holds', h.ref,
                    format('hold of order %s: open, but the order is not', h.ref)
                    from holds h left join orders o on o.id = h.ref and o.state < 4
                      where h.kind = 'order' and h.state = 0 and o.id is null
                  union all
                  select 'open_orders_own_their_numbers', o.id,
                    format('order %s: number %s is in state %s, taken by order %s',
                                                                       o.id, o.number_id, n.state,
                                                                         n.order_id)
                    from open_orders o left join numbers n on n.id = o.number_id
                    where o.number_id is not null
                      and (n.state, n.order_id) is distinct from (1, o.id))""",
    )


async def check_all_orders(tx: Tx) -> dict[str, Check]:
    """Check that every order that has ended, has ended its hold accordingly, and that no number is
    taken by an order that is not open."""
    return await tally(
        tx,
        """
           with checked (name, n) as (
                  values ('orders_match_holds', (select count(*) from orders)),
                         ('posted_holds_have_their_journal', (select count(*) from holds
                           where kind = 'order' and state = 1)),
                         ('taken_numbers_belong_to_open_orders', (select count(*) from numbers
                           where state = 1))),
                wrong (name, id, what) as (
                  select 'orders_match_holds', coalesce(o.id, h.ref),
                         format('order %s: state %s; its hold: state %s', coalesce(o.id, h.ref),
                           o.state, h.state)
                    from orders o full join (select * from holds where kind = 'order') h
                      on h.ref = o.id
                    where o.id is null or h.ref is null or h.amount <> o.price
                      or h.account_id <> o.wallet_id
                       or not case o.state when 4 then h.state = 1 when 5 then h.state = 2 when 6
                         then h.state = 3
                                           when 7 then h.state in (2, 3) else true end
                  union all
                  select 'posted_holds_have_their_journal', h.ref,
                         format('order %s: its hold is posted, journal %s is not its earning',
                           h.ref, h.journal_id)
                    from holds h left join journals j on j.id = h.journal_id
                      and j.reason = 'order.earn' and j.ref = 'ord:' || h.ref
                    where h.kind = 'order' and h.state = 1 and j.id is null
                  union all
                  select 'taken_numbers_belong_to_open_orders', n.id,
                         format('number %s: taken by order %s, which is not open or has another',
                           n.id, n.order_id)
                    from numbers n left join orders o on o.id = n.order_id and o.number_id = n.id
                      and o.state < 4
                    where n.state = 1 and o.id is null)""",
    )
