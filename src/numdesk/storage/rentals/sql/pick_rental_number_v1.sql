CREATE OR REPLACE FUNCTION public.pick_rental_number_v1(p_now timestamp with time zone, p_country integer, p_services integer[], p_pivot integer, p_taken bigint[], OUT id bigint, OUT msisdn bigint)
 RETURNS record
 LANGUAGE plpgsql
AS $function$
begin
  select n.id, n.msisdn into id, msisdn from numbers n
    where n.state = 0 and n.country_id = p_country and n.rnd >= p_pivot and n.id <> all(p_taken)
      and not exists (select from number_uses u where u.number_id = n.id and u.service_id = any(p_services) and u.until > p_now)
      and not exists (select from rental_terms t where int8range(t.number_id, t.number_id, '[]') && int8range(n.id, n.id, '[]')
                        and tstzrange(t.starts_at, t.ends_at) && tstzrange(p_now, null))
    order by n.rnd limit 1 for update of n skip locked;
  if id is not null then return; end if;
  select n.id, n.msisdn into id, msisdn from numbers n
    where n.state = 0 and n.country_id = p_country and n.rnd < p_pivot and n.id <> all(p_taken)
      and not exists (select from number_uses u where u.number_id = n.id and u.service_id = any(p_services) and u.until > p_now)
      and not exists (select from rental_terms t where int8range(t.number_id, t.number_id, '[]') && int8range(n.id, n.id, '[]')
                        and tstzrange(t.starts_at, t.ends_at) && tstzrange(p_now, null))
    order by n.rnd limit 1 for update of n skip locked;
end $function$
