CREATE OR REPLACE FUNCTION public.pick_numbers_v1(p_now timestamp with time zone, p_country integer, p_operator integer, p_service integer, p_pivot integer, p_limit integer, p_taken bigint[], OUT ids bigint[], OUT msisdns bigint[])
 RETURNS record
 LANGUAGE plpgsql
AS $function$
begin
  if p_operator is null then
    select array_agg(x.id), array_agg(x.msisdn) into ids, msisdns from (
      select * from (select n.id, n.msisdn from numbers n where n.state = 0 and n.country_id = p_country and n.rnd >= p_pivot and n.id <> all(p_taken)
          and not exists (select from number_uses u where u.number_id = n.id and u.service_id = p_service and u.until > p_now)
          order by n.rnd limit p_limit for update of n skip locked) after_pivot
      union all
      select * from (select n.id, n.msisdn from numbers n where n.state = 0 and n.country_id = p_country and n.rnd < p_pivot and n.id <> all(p_taken)
          and not exists (select from number_uses u where u.number_id = n.id and u.service_id = p_service and u.until > p_now)
          order by n.rnd limit p_limit for update of n skip locked) before_pivot
      limit p_limit) x;
  else
    select array_agg(x.id), array_agg(x.msisdn) into ids, msisdns from (
      select * from (select n.id, n.msisdn from numbers n where n.state = 0 and n.country_id = p_country and n.operator_id = p_operator and n.rnd >= p_pivot and n.id <> all(p_taken)
          and not exists (select from number_uses u where u.number_id = n.id and u.service_id = p_service and u.until > p_now)
          order by n.rnd limit p_limit for update of n skip locked) after_pivot
      union all
      select * from (select n.id, n.msisdn from numbers n where n.state = 0 and n.country_id = p_country and n.operator_id = p_operator and n.rnd < p_pivot and n.id <> all(p_taken)
          and not exists (select from number_uses u where u.number_id = n.id and u.service_id = p_service and u.until > p_now)
          order by n.rnd limit p_limit for update of n skip locked) before_pivot
      limit p_limit) x;
  end if;
end $function$
