CREATE OR REPLACE FUNCTION public.rental_numbers_exist_v1(p_now timestamp with time zone, p_country integer, p_services integer[], p_taken bigint[])
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  select exists (select from numbers n where n.state = 0 and n.country_id = p_country and n.id <> all(p_taken)
    and not exists (select from number_uses u where u.number_id = n.id and u.service_id = any(p_services) and u.until > p_now)
    and not exists (select from rental_terms t where int8range(t.number_id, t.number_id, '[]') && int8range(n.id, n.id, '[]')
                      and tstzrange(t.starts_at, t.ends_at) && tstzrange(p_now, null)))
$function$
