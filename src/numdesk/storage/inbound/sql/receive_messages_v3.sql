CREATE OR REPLACE FUNCTION public.receive_messages_v3(p_now timestamp with time zone, p_withhold boolean, p_cooldown interval, p_provider text[], p_message_id text[], p_msisdn bigint[], p_sender text[], p_text text[], p_code text[], p_ref text[], p_service integer[], p_told_by text[], p_fits text[])
 RETURNS TABLE(idx integer, status text, message_id bigint, order_id integer, customer_id integer)
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
#variable_conflict use_column
declare rented bigint[]; rest int[];
begin
  select array_agg(n.msisdn) into rented from numbers n where n.msisdn = any(p_msisdn) and n.state = 4;
  if rented is null then
    return query select * from receive_order_messages_v1(p_now, p_withhold, p_cooldown, p_provider, p_message_id,
      p_msisdn, p_sender, p_text, p_code, p_ref, p_service, p_told_by, p_fits);
    return;
  end if;
  select array_agg(r.id) into rented from numbers n join rentals r on r.id = n.rental_id
    where n.msisdn = any(rented) and r.state = 0 and r.expires_at > p_now;
  rented := array(select r.msisdn from rentals r where r.id = any(rented));
  rest := array(select i from generate_subscripts(p_msisdn, 1) i where p_msisdn[i] <> all(rented)
    or p_ref[i] is not null and exists (select from orders o where o.provider = p_provider[i] and o.provider_ref = p_ref[i]));
  return query select i, 'rented', null::bigint, null::int, null::int
    from generate_subscripts(p_msisdn, 1) i where i <> all(rest);
  if cardinality(rest) = 0 then return; end if;
  return query select rest[v.idx], v.status, v.message_id, v.order_id, v.customer_id
    from (select array_agg(p_provider[i] order by n) provider, array_agg(p_message_id[i] order by n) message_id,
                 array_agg(p_msisdn[i] order by n) msisdn, array_agg(p_sender[i] order by n) sender,
                 array_agg(p_text[i] order by n) body, array_agg(p_code[i] order by n) code, array_agg(p_ref[i] order by n) ref,
                 array_agg(p_service[i] order by n) service, array_agg(p_told_by[i] order by n) told_by,
                 array_agg(p_fits[i] order by n) fits
            from unnest(rest) with ordinality u(i, n)) a
    cross join lateral receive_order_messages_v1(p_now, p_withhold, p_cooldown, a.provider, a.message_id,
      a.msisdn, a.sender, a.body, a.code, a.ref, a.service, a.told_by, a.fits) v;
end $function$
