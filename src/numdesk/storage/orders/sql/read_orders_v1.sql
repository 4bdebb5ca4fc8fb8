CREATE OR REPLACE FUNCTION public.read_orders_v1(p_customer integer[], p_id integer[])
 RETURNS SETOF order_facts
 LANGUAGE sql
 STABLE
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_material TO 'off'
AS $function$
  select f.* from unnest(p_customer, p_id) u(customer, id) join order_facts f on f.id = u.id and f.customer_id = u.customer
$function$
