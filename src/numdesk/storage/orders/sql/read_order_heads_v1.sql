CREATE OR REPLACE FUNCTION public.read_order_heads_v1(p_id integer[])
 RETURNS TABLE(customer_id integer, id integer, revision integer, number_free boolean)
 LANGUAGE sql
 STABLE
 SET enable_seqscan TO 'off'
AS $function$
  select f.customer_id, f.id, f.revision, f.number_free from order_facts f where f.id = any(p_id)
$function$
