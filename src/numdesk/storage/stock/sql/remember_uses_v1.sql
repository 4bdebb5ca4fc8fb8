CREATE OR REPLACE FUNCTION public.remember_uses_v1(p_until timestamp with time zone, p_msisdn bigint[], p_service integer[])
 RETURNS void
 LANGUAGE sql
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
  insert into number_uses as u (number_id, service_id, until)
    select distinct n.id, x.service, p_until from unnest(p_msisdn, p_service) x(msisdn, service)
      join numbers n on n.msisdn = x.msisdn where x.service is not null order by 1, 2
    on conflict (number_id, service_id) do update set until = greatest(u.until, excluded.until)
$function$
