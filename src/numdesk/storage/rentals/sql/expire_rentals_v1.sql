CREATE OR REPLACE FUNCTION public.expire_rentals_v1(p_now timestamp with time zone, p_cooldown interval, p_quarantine interval, p_limit integer)
 RETURNS TABLE(rental_id bigint, customer_id integer)
 LANGUAGE plpgsql
AS $function$
#variable_conflict use_column
declare due bigint[];
begin
  select array_agg(x.id) into due from (
    select r.id from rentals r where r.state = 0 and r.expires_at <= p_now order by r.expires_at limit p_limit for update skip locked) x;
  return query select * from end_rentals_v1(p_now, 'expire', p_cooldown, p_quarantine, coalesce(due, '{}'));
end $function$
