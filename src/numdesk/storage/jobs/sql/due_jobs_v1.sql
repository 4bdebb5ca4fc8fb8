CREATE OR REPLACE FUNCTION public.due_jobs_v1(p_now timestamp with time zone, p_wall timestamp with time zone, p_kind text[], p_limit integer[], p_lease interval[], p_busy_kind text[], p_busy_lane text[], p_busy integer[], p_only bigint[])
 RETURNS TABLE(id bigint, lease interval)
 LANGUAGE sql
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_material TO 'off'
AS $function$
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
$function$
