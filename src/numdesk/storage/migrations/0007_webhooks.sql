-- Sending webhooks and working off jobs: both are taken in batches with a lease of real time and a number that fences whoever
-- slept past it. Nothing else marks a row as being worked on, so there is nothing to rescue: an expired lease is free to take.

-- Ended rows stay as the log while the index of due ones must stay small, so it is cleaned long before the usual fifth has changed.
alter table webhook_deliveries set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 10000);
alter table jobs set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 10000);
-- What may be replayed.
create index webhook_deliveries_given_up on webhook_deliveries (endpoint_id, ended_at) where state = 2;

-- The next endpoint after p_after that has anything pending: hops from one to the next in the index, however many rows each has.
create function pending_endpoints_v1(p_after int) returns table (endpoint_id int) language sql stable
  set enable_seqscan = off set enable_bitmapscan = off as $$
  with recursive hop (id) as (
    (select d.endpoint_id from webhook_deliveries d where d.state = 0 and d.endpoint_id > p_after order by d.endpoint_id limit 1)
    union all
    select (select d.endpoint_id from webhook_deliveries d where d.state = 0 and d.endpoint_id > hop.id order by d.endpoint_id limit 1)
      from hop where hop.id is not null)
  select hop.id from hop where hop.id is not null
$$;

-- Takes up to p_limit due deliveries of endpoints after p_after, of each endpoint at most what it has room for: p_free for those in
-- p_endpoint, p_room for all others; returns a row for each endpoint, with its deliveries by age. What waits for an endpoint that is switched off or has no URL is given up on the way.
create function take_deliveries_v1(p_now timestamptz, p_wall timestamptz, p_lease interval, p_after int, p_limit int,
                                   p_room int, p_endpoint int[], p_free int[])
  returns table (endpoint_id int, customer_id int, dialect text, url text, secret bytea, delivery_id bigint[], lease_no int[], attempts int[],
                 kind text[], at timestamptz[], document text[]) language plpgsql
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off set enable_bitmapscan = off
  set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare pending int[]; idle int[]; taken bigint[];
begin
  select array_agg(p.endpoint_id) into pending from pending_endpoints_v1(p_after) p;
  if pending is null then return; end if;

  select array_agg(w.id) into idle from webhook_endpoints w where w.id = any(pending) and (w.disabled_at is not null or w.url = '');
  if idle is not null then
    update webhook_deliveries d set state = 2, ended_at = p_now, lease_no = d.lease_no + 1 where d.id in (
      select x.id from unnest(idle) as i (id) cross join lateral (
        select u.id from webhook_deliveries u where u.endpoint_id = i.id and u.state = 0 and (u.lease_until is null or u.lease_until <= p_wall)
          order by u.due_at, u.id limit p_limit for update skip locked) x);
  end if;

  select array_agg(x.id) into taken from (
    select due.id from unnest(pending) with ordinality as e (id, pos)
      join webhook_endpoints w on w.id = e.id and w.disabled_at is null and w.url <> ''
      cross join lateral (
        select u.id from webhook_deliveries u
          where u.endpoint_id = e.id and u.state = 0 and u.due_at <= p_now and (u.lease_until is null or u.lease_until <= p_wall)
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
end $$;

-- Writes down how sends ended. p_state: 0 again at p_due, 1 delivered, 2 given up. No status and no failure means that nothing was
-- sent. p_failures_max null means that the endpoint is not to blame. An outcome counts only while its lease number is the row's:
-- whoever slept past the lease, and whoever reports twice, changes nothing. Returns the endpoints that were switched off now.
create function record_deliveries_v1(p_now timestamptz, p_delivery bigint[], p_lease int[], p_state smallint[], p_at timestamptz[],
                                     p_due timestamptz[], p_status int[], p_failure text[], p_elapsed int[], p_answer text[],
                                     p_failures_max int[], p_reason text[])
  returns table (endpoint_id int, customer_id int, reason text) language plpgsql
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare t_endpoint int[]; t_failures int[]; t_success boolean[]; t_max int[]; t_reason text[];
begin
  with f as materialized (
    select * from unnest(p_delivery, p_lease, p_state, p_at, p_due, p_status, p_failure, p_elapsed, p_answer, p_failures_max, p_reason) with ordinality
      as f (delivery, lease, state, at, due, status, failure, elapsed, answer, failures_max, reason, pos) order by delivery),
  done as (
    update webhook_deliveries d
      set state = f.state, due_at = coalesce(f.due, d.due_at), lease_until = null, lease_no = d.lease_no + 1,
          attempts = d.attempts + (f.status is not null or f.failure is not null)::int,
          ended_at = case when f.state <> 0 then p_now end, status = case when f.state = 1 then f.status end,
          elapsed_ms = case when f.state = 1 and f.status is not null then f.elapsed end
      -- The number is enough: whatever ends a delivery raises it. Asking for state = 0 as well would let the planner walk all that is
      -- due for every batch, as it does (seconds, not milliseconds) once statistics were taken while nothing was due.
      from f where d.id = f.delivery and d.lease_no = f.lease
      returning d.endpoint_id, d.attempts, f.*),
  logged as (
    insert into webhook_attempts (delivery_id, attempt, at, status, failure, elapsed_ms, answer)
      select o.delivery, o.attempts, o.at, o.status, o.failure, o.elapsed, o.answer from done o
        where o.state <> 1 and (o.status is not null or o.failure is not null) order by o.pos),
  touched as (select distinct o.endpoint_id from done o),
  blamed as (
    -- An attempt that began before the endpoint was last configured says nothing about it as it is now.
    select o.*, max(o.pos) filter (where o.state = 1) over (partition by o.endpoint_id) as success
      from done o join webhook_endpoints w on w.id = o.endpoint_id and o.at >= w.updated_at
      -- Nothing is counted for the usual batch: successes alone, of endpoints that did not fail before.
      where ((select bool_or(x.state <> 1) from done x)
             or exists (select from touched t join webhook_endpoints v on v.id = t.endpoint_id where v.consecutive_failures > 0))
        and o.failures_max is not null and (o.status is not null or o.failure is not null)),
  tally as (
    select b.endpoint_id, count(*) filter (where b.state <> 1 and b.pos > coalesce(b.success, 0)) as failures,
           bool_or(b.success is not null) as success, min(b.failures_max) as failures_max, min(b.reason) as reason
      from blamed b group by b.endpoint_id)
  select array_agg(t.endpoint_id), array_agg(t.failures), array_agg(t.success), array_agg(t.failures_max), array_agg(t.reason)
    into t_endpoint, t_failures, t_success, t_max, t_reason
    from tally t join webhook_endpoints w on w.id = t.endpoint_id where t.failures > 0 or w.consecutive_failures > 0;
  if t_endpoint is null then return; end if;

  perform from webhook_endpoints w where w.id = any(t_endpoint) order by w.id for update;
  return query
    with t as (select * from unnest(t_endpoint, t_failures, t_success, t_max, t_reason) as t (id, failures, success, failures_max, reason)),
    before as (select w.id, w.disabled_at from webhook_endpoints w where w.id = any(t_endpoint)),
    counted as (
      update webhook_endpoints w
        set consecutive_failures = x.failures,
            disabled_at = case when w.disabled_at is null and x.failures >= x.failures_max then p_now else w.disabled_at end,
            disabled_reason = case when w.disabled_at is null and x.failures >= x.failures_max then x.reason else w.disabled_reason end
        from (select t.id, t.failures_max, t.reason, t.failures + case when t.success then 0 else v.consecutive_failures end as failures
                from t join webhook_endpoints v on v.id = t.id) x
        where w.id = x.id
        returning w.id, w.customer_id, w.disabled_at, w.disabled_reason)
    select c.id, c.customer_id, c.disabled_reason from counted c join before b on b.id = c.id
      where b.disabled_at is null and c.disabled_at is not null order by c.id;
end $$;

-- Kinds are taken side by side, each with its own limit, so that many jobs of one never stand before the few of another.
drop index jobs_due;
create index jobs_due on jobs (kind, run_at, id) where dead_at is null;

-- Takes due jobs: of each kind in p_kind at most p_limit, for as long as p_lease.
create function take_jobs_v1(p_now timestamptz, p_wall timestamptz, p_kind text[], p_limit int[], p_lease interval[])
  returns table (id bigint, kind text, payload text, attempts int, lease_no int) language sql
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off as $$
  with due as (
    select x.id, k.lease from unnest(p_kind, p_limit, p_lease) as k (kind, size, lease) cross join lateral (
      select j.id from jobs j
        where j.kind = k.kind and j.dead_at is null and j.run_at <= p_now and (j.lease_until is null or j.lease_until <= p_wall)
        order by j.run_at, j.id limit k.size for update skip locked) x)
  update jobs j set lease_until = p_wall + due.lease, lease_no = j.lease_no + 1, attempts = j.attempts + 1
    from due where j.id = due.id
    returning j.id, j.kind, j.payload::text, j.attempts, j.lease_no
$$;
