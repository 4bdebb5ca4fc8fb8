-- A number is chosen for a rental by all that would refuse it. One that is free may have a term that ends later than now: when the clock
-- was set back, or when an operator put the number back on sale. The condition is that of the constraint rental_number_once, word by word,
-- so that its index answers it.

create or replace function pick_rental_number_v1(p_now timestamptz, p_country int, p_services int[], p_pivot int, p_taken bigint[],
                                                 out id bigint, out msisdn bigint) language plpgsql as $$
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
end $$;

create or replace function rental_numbers_exist_v1(p_now timestamptz, p_country int, p_services int[], p_taken bigint[])
  returns boolean language sql stable as $$
  select exists (select from numbers n where n.state = 0 and n.country_id = p_country and n.id <> all(p_taken)
    and not exists (select from number_uses u where u.number_id = n.id and u.service_id = any(p_services) and u.until > p_now)
    and not exists (select from rental_terms t where int8range(t.number_id, t.number_id, '[]') && int8range(n.id, n.id, '[]')
                      and tstzrange(t.starts_at, t.ends_at) && tstzrange(p_now, null)))
$$;
