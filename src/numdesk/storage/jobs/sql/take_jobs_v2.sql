CREATE OR REPLACE FUNCTION public.take_jobs_v2(p_now timestamp with time zone, p_wall timestamp with time zone, p_kind text[], p_limit integer[], p_lease interval[], p_busy_kind text[], p_busy_lane text[], p_busy integer[], p_only bigint[])
 RETURNS TABLE(id bigint, kind text, lane text, payload text, attempts integer, lease_no integer)
 LANGUAGE sql
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_material TO 'off'
AS $function$
  delete from set_aside s where s.sweep = 'jobs' and s.again_at <= p_now
    and (p_only is null or s.item = any(p_only::text[]));
  update jobs j set lease_until = p_wall + due.lease, lease_no = j.lease_no + 1, attempts = j.attempts + 1
    from due_jobs_v1(p_now, p_wall, p_kind, p_limit, p_lease, p_busy_kind, p_busy_lane, p_busy, p_only) due
    where j.id = due.id
    returning j.id, j.kind, j.lane, j.payload::text, j.attempts, j.lease_no
$function$
