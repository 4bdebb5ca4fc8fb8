CREATE OR REPLACE FUNCTION public.rental_number_available_v1(r rentals, p_now timestamp with time zone)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  select case
    when r.state = 0 then r.expires_at <= p_now  -- its time is up, and nobody has written that down yet
    when n.state not in (0, 2) then false
    when not exists (select from rental_terms t where t.number_id = r.number_id and t.id > r.term_id)
     and not exists (select from orders o where o.msisdn = r.msisdn and o.number_id = r.number_id and o.created_at >= r.ended_at) then true
    else n.state = 0 and not exists (select from number_uses u where u.number_id = n.id and u.service_id = any(r.service_ids) and u.until > p_now)
    end
  from numbers n where n.id = r.number_id
$function$
