CREATE OR REPLACE FUNCTION public.earn_orders_v1(p_now timestamp with time zone, p_orders integer[])
 RETURNS void
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_material TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
begin
  with posted as (
    insert into journals (reason, ref, at) select 'order.earn', 'ord:' || o, p_now from unnest(p_orders) o returning id, ref
  ), ended as (
    update holds h set state = 1, ended_at = p_now, journal_id = p.id from posted p
      where h.kind = 'order' and h.ref = substr(p.ref, 5)::int and h.ref = any(p_orders) returning h.ref, h.journal_id
  )
  insert into transfers (journal_id, debit_id, credit_id, amount, currency)
    select e.journal_id, side.debit, side.credit, side.amount, o.currency
      from ended e join orders o on o.id = e.ref and o.id = any(p_orders)
      cross join lateral (values
        (1, o.wallet_id, system_account_v1('revenue', 'orders', o.currency), o.price),
        (2, system_account_v1('cost_of_sales', o.provider, o.currency), system_account_v1('payable', o.provider, o.currency), o.cost)) side(n, debit, credit, amount)
      where side.amount > 0
      order by e.ref, side.n;
end $function$
