CREATE OR REPLACE FUNCTION public.create_orders_v2(p_now timestamp with time zone, p_lifetime interval, p_wallets bigint[], p_requests bigint[], p_items json)
 RETURNS TABLE(idx integer, status text, amount bigint, outcome jsonb)
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_material TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  wallets_locked bigint[] := array(
    select a.id from accounts a where a.id = any(p_wallets) order by a.id for update skip locked);
  requests_open bigint[] := '{}';
  items order_item[]; waiting order_item[]; sales order_sale[]; turns record;
  answers order_answer[] := '{}';
begin
  if cardinality(p_requests) > 0 then
    requests_open := array(
      select r.request_id from idempotency r
        where r.request_id = any(p_requests) and r.state = 1 order by r.request_id for share);
  end if;
  items := order_items_v1(p_items, wallets_locked, requests_open);
  sales := sell_at_once_v1(p_now, items, contested_offers_v1(items));
  waiting := array(
    select i from unnest(items) i
      where i.status is null and i.item <> all(array(select s.item from unnest(sales) s))
      order by i.item);
  if cardinality(waiting) > 0 then
    turns := sell_in_turn_v1(p_now, waiting, array(select s.number_id from unnest(sales) s));
    sales := sales || turns.sales;
    answers := turns.answers;
  end if;
  if cardinality(sales) = 0 then
    return query
      select i.item, coalesce(a.status, i.status), a.amount, i.outcome
        from unnest(items) i left join unnest(answers) a on a.item = i.item;
    return;
  end if;
  perform take_numbers_v1(sales);
  return query
    select i.item, coalesce(a.status, i.status, 'created'), a.amount, coalesce(i.outcome, d.outcome)
      from unnest(items) i
      left join unnest(answers) a on a.item = i.item
      left join write_orders_v1(p_now, p_lifetime, items, sales) d
        on d.item = coalesce(a.same_as, i.item);
end $function$
