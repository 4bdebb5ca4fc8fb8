CREATE OR REPLACE FUNCTION public.holds_ended()
 RETURNS trigger
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_material TO 'off'
AS $function$
begin
  update accounts a set held = a.held - s.amount
    from (select e.account_id, sum(e.amount)::bigint as amount from ended e
            group by e.account_id) s
    where a.id = s.account_id;
  return null;
end $function$
