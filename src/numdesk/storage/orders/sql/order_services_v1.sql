CREATE OR REPLACE FUNCTION public.order_services_v1(p_now timestamp with time zone, p_provider text[], p_msisdn bigint[], p_ref text[])
 RETURNS TABLE(idx integer, service_id integer)
 LANGUAGE sql
 STABLE
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_material TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
  select u.n::int, x.service_id
    from unnest(p_provider, p_msisdn, p_ref) with ordinality u(provider, msisdn, ref, n)
    left join lateral (select r.service_id from orders r where r.msisdn = u.msisdn and r.state in (1, 2, 3) and r.expires_at > p_now
        and r.provider in (u.provider, 'local') and (u.ref is null or r.provider_ref = u.ref) order by r.id desc limit 1) x on true
    order by u.n
$function$
