CREATE OR REPLACE FUNCTION public.take_jobs_v1(p_now timestamp with time zone, p_wall timestamp with time zone, p_kind text[], p_limit integer[], p_lease interval[])
 RETURNS TABLE(id bigint, kind text, payload text, attempts integer, lease_no integer)
 LANGUAGE sql
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_material TO 'off'
AS $function$
  with due as (
    select x.id, k.lease from unnest(p_kind, p_limit, p_lease) as k (kind, size, lease) cross join lateral (
      select j.id from jobs j
        where j.kind = k.kind and j.dead_at is null and j.run_at <= p_now and (j.lease_until is null or j.lease_until <= p_wall)
        order by j.run_at, j.id limit k.size for update skip locked) x)
  update jobs j set lease_until = p_wall + due.lease, lease_no = j.lease_no + 1, attempts = j.attempts + 1
    from due where j.id = due.id
    returning j.id, j.kind, j.payload::text, j.attempts, j.lease_no
$function$
