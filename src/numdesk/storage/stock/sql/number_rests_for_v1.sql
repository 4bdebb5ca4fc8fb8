CREATE OR REPLACE FUNCTION public.number_rests_for_v1(p_number bigint, p_msisdn bigint, p_order integer, p_ended_at timestamp with time zone)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  select not exists (select from orders o where o.msisdn = p_msisdn and o.number_id = p_number and o.id > p_order)
     and not exists (select from rental_terms t where t.number_id = p_number and t.starts_at >= p_ended_at)
$function$
