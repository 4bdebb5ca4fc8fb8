CREATE OR REPLACE FUNCTION public.end_orders_v2(p_now timestamp with time zone, p_event text, p_cooldown interval, p_quarantine interval, p_orders integer[])
 RETURNS TABLE(order_id integer, customer_id integer, state smallint, unearned boolean)
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_material TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
#variable_conflict use_column
declare ended int[]; refunded int[];
begin
  perform from orders o where o.id = any(p_orders) order by o.id for update;
  perform from accounts a where a.id in (select o.wallet_id from orders o where o.id = any(p_orders)) order by a.id for update;
  with moved as (
    update orders o set state = m.next, ended_at = p_now, revision = o.revision + 1
      from order_moves m where o.id = any(p_orders) and m.state = o.state and m.event = p_event returning o.id, o.first_sms_at)
  select array_agg(v.id order by v.id), array_agg(v.id order by v.id) filter (where v.first_sms_at is null)
    into ended, refunded from moved v;
  if ended is null then return; end if;

  update holds h set state = case when p_event = 'expire' then 3 else 2 end, ended_at = p_now
    where h.kind = 'order' and h.ref = any(refunded);
  if refunded is not null then
    perform count_endings_v1(p_now, case when p_event = 'expire' then 'expired' else 'canceled' end, refunded);
  end if;
  insert into number_uses as u (number_id, service_id, until)
    select o.number_id, o.service_id, p_now + p_cooldown from orders o
      where o.id = any(ended) and o.number_id is not null
        and coalesce((select bool_or(f.message_id is null) from messages m left join foreign_messages f on f.message_id = m.id
                        where m.order_id = o.id and not m.late), true)
      order by 1, 2
    on conflict (number_id, service_id) do update set until = greatest(u.until, excluded.until);
  update numbers n set state = 2, order_id = null, free_at = p_now + p_quarantine
    where n.id = any(array(select o.number_id from orders o where o.id = any(ended) and o.number_id is not null))
      and n.order_id = any(ended);
  insert into jobs (kind, payload, run_at)
    select 'orders.release', jsonb_build_object('order', o.id, 'provider', o.provider), p_now
      from orders o where o.id = any(ended) and o.provider_ref is not null and p_event <> 'cancel';
  insert into events (customer_id, dialect, kind, order_id, document, at)
    select o.customer_id, o.dialect, case o.state when 4 then 'order.completed' when 5 then 'order.canceled' else 'order.expired' end,
           o.id, order_document_v1(o), p_now
      from orders o where o.id = any(ended) order by o.id;
  return query select o.id, o.customer_id, o.state, o.first_sms_at is null from orders o where o.id = any(ended) order by o.id;
end $function$
