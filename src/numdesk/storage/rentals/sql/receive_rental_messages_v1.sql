CREATE OR REPLACE FUNCTION public.receive_rental_messages_v1(p_now timestamp with time zone, p_provider text[], p_message_id text[], p_sender text[], p_text text[], p_code text[], p_rental bigint[], p_service integer[])
 RETURNS TABLE(idx integer, status text, message_id bigint, customer_id integer)
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_material TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
#variable_conflict use_column
declare n_id bigint[]; n_kept bigint[];
begin
  n_id := array(select nextval('messages_id_seq') from generate_subscripts(p_rental, 1));
  with kept as (
    insert into messages (id, provider, provider_message_id, msisdn, sender, text, otp_code, term_id, service_id, received_at) overriding system value
      select u.id, u.provider, u.message_id, r.msisdn, u.sender, u.text, u.code, r.term_id, u.service, p_now
        from unnest(n_id, p_provider, p_message_id, p_sender, p_text, p_code, p_rental, p_service) u(id, provider, message_id, sender, text, code, rental, service)
        join rentals r on r.id = u.rental order by u.id
      on conflict do nothing returning id)
  select coalesce(array_agg(id), '{}') into n_kept from kept;
  insert into customer_hours as h (customer_id, hour, received)
    select r.customer_id, date_trunc('hour', p_now, 'UTC'), count(distinct r.id)
      from unnest(n_id, p_rental) u(id, rental) join rentals r on r.id = u.rental where u.id = any(n_kept) and r.messages = 0
      group by r.customer_id order by r.customer_id
    on conflict (customer_id, hour) do update set received = h.received + excluded.received;
  update rentals r set messages = r.messages + x.n, used_ids = r.used_ids || x.services
    from (select u.rental, count(*)::int n,
                 coalesce(array_agg(distinct u.service) filter (where u.service is not null and u.service <> all(o.used_ids)), '{}') services
            from unnest(n_id, p_rental, p_service) u(id, rental, service) join rentals o on o.id = u.rental where u.id = any(n_kept) group by u.rental) x
    where r.id = x.rental and r.id = any(p_rental);
  insert into events (customer_id, dialect, kind, document, at)
    select r.customer_id, r.dialect, 'rental.message', jsonb_build_object('v', 1, 'rental', r.public_id, 'msisdn', r.msisdn, 'sender', u.sender, 'text', u.text,
                                                                         'received_at', floor(extract(epoch from p_now))), p_now
      from unnest(n_id, p_rental, p_sender, p_text) u(id, rental, sender, text) join rentals r on r.id = u.rental where u.id = any(n_kept) order by u.id;
  return query
    select u.n::int, case when u.id = any(n_kept) then 'taken' else 'seen' end,
           case when u.id = any(n_kept) then u.id else (select k.id from messages k where k.provider = u.provider and k.provider_message_id = u.message_id) end,
           r.customer_id
      from unnest(n_id, p_rental, p_provider, p_message_id) with ordinality u(id, rental, provider, message_id, n) join rentals r on r.id = u.rental order by u.n;
end $function$
