CREATE OR REPLACE FUNCTION public.count_endings_v1(p_now timestamp with time zone, p_what text, p_orders integer[])
 RETURNS void
 LANGUAGE sql
AS $function$
  insert into customer_hours as h (customer_id, hour, received, canceled, expired)
    select o.customer_id, date_trunc('hour', p_now, 'UTC'), count(*) filter (where p_what = 'received'), count(*) filter (where p_what = 'canceled'), count(*) filter (where p_what = 'expired')
      from orders o where o.id = any(p_orders) group by o.customer_id order by o.customer_id
    on conflict (customer_id, hour) do update
      set received = h.received + excluded.received, canceled = h.canceled + excluded.canceled, expired = h.expired + excluded.expired
$function$
