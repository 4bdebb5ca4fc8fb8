CREATE OR REPLACE FUNCTION public.holds_opened()
 RETURNS trigger
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_material TO 'off'
AS $function$
begin
  update accounts a set held = a.held + s.amount
    from (select f.account_id, sum(f.amount)::bigint as amount from fresh f where f.state = 0
            group by f.account_id) s
    where a.id = s.account_id;
  return null;
end $function$
