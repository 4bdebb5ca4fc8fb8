CREATE OR REPLACE FUNCTION public.end_rentals_v1(p_now timestamp with time zone, p_event text, p_cooldown interval, p_quarantine interval, p_rentals bigint[])
 RETURNS TABLE(rental_id bigint, customer_id integer)
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_material TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
#variable_conflict use_column
declare ended bigint[];
begin
  perform from rentals r where r.id = any(p_rentals) order by r.id for update;
  with moved as (
    update rentals r set state = m.next, ended_at = greatest(least(p_now, r.expires_at), r.starts_at)
      from rental_moves m where r.id = any(p_rentals) and m.state = r.state and m.event = p_event returning r.id)
  select array_agg(v.id order by v.id) into ended from moved v;
  if ended is null then return; end if;

  update rental_terms t set ends_at = r.ended_at, canceled = true
    from rentals r where r.id = any(ended) and t.id = r.term_id and p_event = 'cancel';
  update numbers n set state = 2, rental_id = null, free_at = p_now + p_quarantine
    where n.id = any(array(select r.number_id from rentals r where r.id = any(ended))) and n.rental_id = any(ended);
  insert into number_uses as u (number_id, service_id, until)
    select distinct r.number_id, s.id, p_now + p_cooldown from rentals r cross join unnest(r.used_ids) s(id) where r.id = any(ended) order by 1, 2
    on conflict (number_id, service_id) do update set until = greatest(u.until, excluded.until);
  insert into events (customer_id, dialect, kind, document, at)
    select r.customer_id, r.dialect, 'rental.expired', jsonb_build_object('v', 1, 'rental', r.public_id, 'msisdn', r.msisdn, 'country', c.name,
                                                                      'rent_type', r.rent_type, 'expired_at', floor(extract(epoch from r.expires_at))), p_now
      from rentals r join rental_countries c on c.country_id = r.country_id where r.id = any(ended) and p_event = 'expire' order by r.id;
  return query select r.id, r.customer_id from rentals r where r.id = any(ended) order by r.id;
end $function$
