"""The check of rentals against numbers, terms and the ledger: what foreign keys would prove, and
that money and charges agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numdesk.storage.ledger.check import tally

if TYPE_CHECKING:
    from numdesk.domain.ledger.journals import Check
    from numdesk.storage.database.pool import Tx


async def check_rentals(tx: Tx) -> dict[str, Check]:
    """Check that rented numbers and running rentals match one to one, that each charge is booked as
    it was paid, and each refund as the charges of its cancelled term."""
    return await tally(
        tx,
        """
           with booked as (
                  select j.reason, j.ref, coalesce(sum(t.amount) filter (where d.kind = 'bonus'
                    or c.kind = 'bonus'), 0) bonus,
                         coalesce(sum(t.amount) filter (where d.kind = 'wallet'
                           or c.kind = 'wallet'), 0) wallet,
                         min(coalesce(d.owner, c.owner)) owner
                    from journals j join transfers t on t.journal_id = j.id
                    join accounts d on d.id = t.debit_id join accounts c on c.id = t.credit_id
                    where j.reason in ('rental.charge', 'rental.refund') group by j.reason, j.ref),
                paid as (
                  select 'rental.charge' reason, c.id::text ref, c.id, c.from_bonus bonus,
                    c.from_wallet wallet, c.price,
                         t.customer_id owner
                    from rental_charges c left join rental_terms t on t.id = c.term_id
                      where c.price > 0),
                owed as (
                  select t.id::text ref, t.canceled, sum(c.from_bonus) bonus,
                    sum(c.from_wallet) wallet, t.customer_id owner
                    from rental_terms t join rental_charges c on c.term_id = t.id group by t.id),
                checked (name, n) as (
                  values ('rented_numbers_belong_to_running_rentals', (select count(*) from numbers
                    where state = 4)),
                         ('running_rentals_have_their_term', (select count(*) from rentals
                           where state = 0)),
                         ('rental_charges_are_booked', (select count(*) from paid)),
                         ('rental_refunds_match_charges', (select count(*) from booked
                           where reason = 'rental.refund'))),
                wrong (name, id, what) as (
                  select 'rented_numbers_belong_to_running_rentals', coalesce(n.id, r.number_id),
                         format(
                           'number %s: in the hands of rental %s; rental %s says that it has it',
                                coalesce(n.id, r.number_id), n.rental_id, r.id)
                    from (select * from numbers where state = 4) n full join (select * from rentals
                      where state = 0) r on r.number_id = n.id
                    where n.rental_id is distinct from r.id
                  union all
                  select 'running_rentals_have_their_term', r.id,
                    format('rental %s: its term %s says otherwise', r.id, r.term_id)
                    from rentals r left join rental_terms t on t.id = r.term_id
                      and t.rental_id = r.id
                    where r.state = 0 and (t.number_id, t.customer_id, t.starts_at, t.ends_at,
                      t.canceled)
                      is distinct from (r.number_id, r.customer_id, r.starts_at, r.expires_at,
                        false)
                  union all
                  select 'rental_charges_are_booked', coalesce(p.id, b.ref::bigint),
                         format('rental charge %s: it and its journal differ', coalesce(p.ref,
                           b.ref))
                    from paid p full join (select * from booked where reason = 'rental.charge') b
                      on b.ref = p.ref
                    where (p.bonus, p.wallet, p.owner, p.price) is distinct from (b.bonus,
                      b.wallet, b.owner, b.bonus + b.wallet)
                  union all
                  select 'rental_refunds_match_charges', b.ref::bigint,
                         format('refund of rental term %s: it is not what the term cost', b.ref)
                    from booked b left join owed o on o.ref = b.ref and o.canceled
                    where b.reason = 'rental.refund'
                      and (b.bonus, b.wallet, b.owner) is distinct from (o.bonus, o.wallet,
                      o.owner))""",
    )
