CREATE OR REPLACE FUNCTION public.expire_orders_v1(p_now timestamp with time zone, p_cooldown interval, p_quarantine interval, p_limit integer)
 RETURNS TABLE(order_id integer, customer_id integer, state smallint, unearned boolean)
 LANGUAGE plpgsql
AS $function$
#variable_conflict use_column
declare due int[];
begin
  select array_agg(x.id) into due from (
    select o.id from orders o where o.state in (1, 2, 3) and o.expires_at <= p_now order by o.expires_at limit p_limit for update skip locked) x;
  return query select * from end_orders_v1(p_now, 'expire', p_cooldown, p_quarantine, coalesce(due, '{}'));
end $function$
