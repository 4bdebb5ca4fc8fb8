CREATE OR REPLACE FUNCTION public.take_deliveries_v2(p_now timestamp with time zone, p_wall timestamp with time zone, p_lease interval, p_after integer, p_limit integer, p_room integer, p_endpoint integer[], p_free integer[], p_without bigint[], p_only bigint[])
 RETURNS TABLE(endpoint_id integer, customer_id integer, dialect text, url text, secret bytea, delivery_id bigint[], lease_no integer[], attempts integer[], kind text[], at timestamp with time zone[], document text[])
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_material TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
#variable_conflict use_column
declare pending int[]; idle int[]; taken bigint[];
begin
  if p_only is null then
    select array_agg(p.endpoint_id) into pending from pending_endpoints_v1(p_after) p;
  else
    select array_agg(p.endpoint_id) into pending
      from (select distinct d.endpoint_id from webhook_deliveries d where d.id = any(p_only) and d.state = 0 order by 1) p;
  end if;
  if pending is null then return; end if;

  select array_agg(w.id) into idle from webhook_endpoints w where w.id = any(pending) and (w.disabled_at is not null or w.url = '');
  if idle is not null then
    update webhook_deliveries d set state = 2, ended_at = p_now, lease_no = d.lease_no + 1 where d.id in (
      select x.id from unnest(idle) as i (id) cross join lateral (
        select u.id from webhook_deliveries u where u.endpoint_id = i.id and u.state = 0 and (u.lease_until is null or u.lease_until <= p_wall)
            and u.id <> all(p_without) and (p_only is null or u.id = any(p_only))
          order by u.due_at, u.id limit p_limit for update skip locked) x);
  end if;

  select array_agg(x.id) into taken from (
    select due.id from unnest(pending) with ordinality as e (id, pos)
      join webhook_endpoints w on w.id = e.id and w.disabled_at is null and w.url <> ''
      cross join lateral (
        select u.id from webhook_deliveries u
          where u.endpoint_id = e.id and u.state = 0 and u.due_at <= p_now and (u.lease_until is null or u.lease_until <= p_wall)
            and u.id <> all(p_without) and (p_only is null or u.id = any(p_only))
          order by u.due_at, u.id limit coalesce(p_free[array_position(p_endpoint, e.id)], p_room) for update skip locked) due
      order by e.pos limit p_limit) x;
  if taken is null then return; end if;

  return query
    with leased as (
      update webhook_deliveries d set lease_until = p_wall + p_lease, lease_no = d.lease_no + 1 where d.id = any(taken)
        returning d.id, d.lease_no, d.attempts, d.endpoint_id)
    select w.id, w.customer_id, w.dialect, w.url, w.secret, d.ids, d.lease_nos, d.attempts, d.kinds, d.ats, d.documents
      from (select x.endpoint_id, array_agg(x.id) ids, array_agg(x.lease_no) lease_nos, array_agg(x.attempts) attempts,
                   array_agg(x.kind) kinds, array_agg(x.at) ats, array_agg(x.document) documents
              from (select l.endpoint_id, l.id, l.lease_no, l.attempts::int, e.kind, e.at, e.document::text
                      from leased l join events e on e.id = l.id order by l.endpoint_id, l.id) x
              group by x.endpoint_id) d
        join webhook_endpoints w on w.id = d.endpoint_id order by w.id;
end $function$
