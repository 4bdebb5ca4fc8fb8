CREATE OR REPLACE FUNCTION public.pending_endpoints_v1(p_after integer)
 RETURNS TABLE(endpoint_id integer)
 LANGUAGE sql
 STABLE
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
AS $function$
  with recursive hop (id) as (
    (select d.endpoint_id from webhook_deliveries d where d.state = 0 and d.endpoint_id > p_after order by d.endpoint_id limit 1)
    union all
    select (select d.endpoint_id from webhook_deliveries d where d.state = 0 and d.endpoint_id > hop.id order by d.endpoint_id limit 1)
      from hop where hop.id is not null)
  select hop.id from hop where hop.id is not null
$function$
