CREATE OR REPLACE FUNCTION public.record_deliveries_v2(p_now timestamp with time zone, p_delivery bigint[], p_lease integer[], p_state smallint[], p_at timestamp with time zone[], p_due timestamp with time zone[], p_status integer[], p_failure text[], p_elapsed integer[], p_answer text[], p_failures_max integer[], p_reason text[], p_spread interval)
 RETURNS TABLE(endpoint_id integer, customer_id integer, reason text)
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_material TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
#variable_conflict use_column
declare t_endpoint int[]; t_failures int[]; t_first timestamptz[]; t_last timestamptz[]; t_success boolean[]; t_max int[]; t_reason text[];
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
           min(b.at) filter (where b.state <> 1 and b.pos > coalesce(b.success, 0)) as first,
           max(b.at) filter (where b.state <> 1 and b.pos > coalesce(b.success, 0)) as last,
           bool_or(b.success is not null) as success, min(b.failures_max) as failures_max, min(b.reason) as reason
      from blamed b group by b.endpoint_id)
  select array_agg(t.endpoint_id), array_agg(t.failures), array_agg(t.first), array_agg(t.last), array_agg(t.success),
         array_agg(t.failures_max), array_agg(t.reason)
    into t_endpoint, t_failures, t_first, t_last, t_success, t_max, t_reason
    from tally t join webhook_endpoints w on w.id = t.endpoint_id where t.failures > 0 or w.consecutive_failures > 0;
  if t_endpoint is null then return; end if;

  perform from webhook_endpoints w where w.id = any(t_endpoint) order by w.id for update;
  return query
    with t as (
      select * from unnest(t_endpoint, t_failures, t_first, t_last, t_success, t_max, t_reason)
        as t (id, failures, first, last, success, failures_max, reason)),
    before as (select w.id, w.disabled_at from webhook_endpoints w where w.id = any(t_endpoint)),
    counted as (
      update webhook_endpoints w
        set consecutive_failures = x.failures, failing_since = x.since,
            disabled_at = case when x.is_dead then p_now else w.disabled_at end,
            disabled_reason = case when x.is_dead then x.reason else w.disabled_reason end
        from (select y.*, y.failures >= y.failures_max and y.last - y.since >= p_spread and y.disabled_at is null as is_dead
                from (select t.id, t.last, t.failures_max, t.reason, v.disabled_at,
                             t.failures + case when t.success then 0 else v.consecutive_failures end as failures,
                             case when t.success or v.consecutive_failures = 0 then t.first else coalesce(v.failing_since, t.first) end as since
                        from t join webhook_endpoints v on v.id = t.id) y) x
        where w.id = x.id
        returning w.id, w.customer_id, w.disabled_at, w.disabled_reason)
    select c.id, c.customer_id, c.disabled_reason from counted c join before b on b.id = c.id
      where b.disabled_at is null and c.disabled_at is not null order by c.id;
end $function$
