CREATE OR REPLACE FUNCTION public.events_fan_out()
 RETURNS trigger
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_material TO 'off'
AS $function$
begin
  insert into webhook_deliveries (id, endpoint_id, due_at)
    select e.id, w.id, '-infinity' from fresh e
      join webhook_endpoints w on w.customer_id = e.customer_id and w.dialect = e.dialect
      where w.disabled_at is null and w.url <> '';
  return null;
end $function$
