-- A lane is the provider that a job's payload names, '' when it names none. Each lane has slots of its own in
-- every process, so that the jobs of a provider that hangs never take those of another.
alter table jobs add column lane text not null generated always as (coalesce(payload ->> 'provider', '')) stored;
drop index jobs_due;
create index jobs_due on jobs (kind, lane, run_at, id) where dead_at is null;

-- Locks due jobs that nobody else has locked: of each lane of each kind as many as p_limit says, less those
-- in p_busy, which are under way already. Leaves out what was set aside, until it is time to try that again.
create function due_jobs_v1(p_now timestamptz, p_wall timestamptz, p_kind text[], p_limit int[], p_lease interval[],
                            p_busy_kind text[], p_busy_lane text[], p_busy int[], p_only bigint[])
  returns table (id bigint, lease interval) language sql
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
  set enable_bitmapscan = off set enable_material = off as $$
  with recursive kinds as (
    select k.kind, k.size, k.lease from unnest(p_kind, p_limit, p_lease) k(kind, size, lease)),
  -- Hops from lane to lane in the index, however many jobs each has.
  lanes as (
    select k.kind, (select min(j.lane) from jobs j where j.kind = k.kind and j.dead_at is null) lane from kinds k
    union all
    select l.kind, (select min(j.lane) from jobs j where j.kind = l.kind and j.dead_at is null and j.lane > l.lane)
      from lanes l where l.lane is not null)
  select x.id, k.lease
    from lanes l join kinds k on k.kind = l.kind
    left join unnest(p_busy_kind, p_busy_lane, p_busy) b(kind, lane, size) on b.kind = l.kind and b.lane = l.lane
    cross join lateral (
      select j.id from jobs j
        where j.kind = l.kind and j.lane = l.lane and j.dead_at is null and j.run_at <= p_now
          and (j.lease_until is null or j.lease_until <= p_wall)
          and (p_only is null or j.id = any(p_only))
          and not exists (select from set_aside s
                            where s.sweep = 'jobs' and s.item = j.id::text and s.again_at > p_now)
        order by j.run_at, j.id limit greatest(0, k.size - coalesce(b.size, 0)) for update of j skip locked) x
$$;

-- Takes those jobs under a lease. What was set aside and is tried again is forgotten: it is set aside anew when this fails.
create function take_jobs_v2(p_now timestamptz, p_wall timestamptz, p_kind text[], p_limit int[], p_lease interval[],
                             p_busy_kind text[], p_busy_lane text[], p_busy int[], p_only bigint[])
  returns table (id bigint, kind text, lane text, payload text, attempts int, lease_no int) language sql
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
  set enable_bitmapscan = off set enable_material = off as $$
  delete from set_aside s where s.sweep = 'jobs' and s.again_at <= p_now
    and (p_only is null or s.item = any(p_only::text[]));
  update jobs j set lease_until = p_wall + due.lease, lease_no = j.lease_no + 1, attempts = j.attempts + 1
    from due_jobs_v1(p_now, p_wall, p_kind, p_limit, p_lease, p_busy_kind, p_busy_lane, p_busy, p_only) due
    where j.id = due.id
    returning j.id, j.kind, j.lane, j.payload::text, j.attempts, j.lease_no
$$;

-- As before, but the job that tells a supplier names it.
create or replace function end_orders_v2(p_now timestamptz, p_event text, p_cooldown interval, p_quarantine interval, p_orders int[])
  returns table (order_id int, customer_id int, state smallint, unearned boolean) language plpgsql
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
  set enable_bitmapscan = off set enable_material = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare ended int[]; refunded int[];
begin
  perform from orders o where o.id = any(p_orders) order by o.id for update;
  perform from accounts a where a.id in (select o.wallet_id from orders o where o.id = any(p_orders)) order by a.id for update;
  with moved as (
    update orders o set state = m.next, ended_at = p_now, revision = o.revision + 1
      from order_moves m where o.id = any(p_orders) and m.state = o.state and m.event = p_event returning o.id, o.first_sms_at)
  select array_agg(v.id order by v.id), array_agg(v.id order by v.id) filter (where v.first_sms_at is null)
    into ended, refunded from moved v;
  if ended is null then return; end if;

  update holds h set state = case when p_event = 'expire' then 3 else 2 end, ended_at = p_now
    where h.kind = 'order' and h.ref = any(refunded);
  if refunded is not null then
    perform count_endings_v1(p_now, case when p_event = 'expire' then 'expired' else 'canceled' end, refunded);
  end if;
  insert into number_uses as u (number_id, service_id, until)
    select o.number_id, o.service_id, p_now + p_cooldown from orders o
      where o.id = any(ended) and o.number_id is not null
        and coalesce((select bool_or(f.message_id is null) from messages m left join foreign_messages f on f.message_id = m.id
                        where m.order_id = o.id and not m.late), true)
      order by 1, 2
    on conflict (number_id, service_id) do update set until = greatest(u.until, excluded.until);
  update numbers n set state = 2, order_id = null, free_at = p_now + p_quarantine
    where n.id = any(array(select o.number_id from orders o where o.id = any(ended) and o.number_id is not null))
      and n.order_id = any(ended);
  insert into jobs (kind, payload, run_at)
    select 'orders.release', jsonb_build_object('order', o.id, 'provider', o.provider), p_now
      from orders o where o.id = any(ended) and o.provider_ref is not null and p_event <> 'cancel';
  insert into events (customer_id, dialect, kind, order_id, document, at)
    select o.customer_id, o.dialect, case o.state when 4 then 'order.completed' when 5 then 'order.canceled' else 'order.expired' end,
           o.id, order_document_v1(o), p_now
      from orders o where o.id = any(ended) order by o.id;
  return query select o.id, o.customer_id, o.state, o.first_sms_at is null from orders o where o.id = any(ended) order by o.id;
end $$;
