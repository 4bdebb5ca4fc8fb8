CREATE OR REPLACE FUNCTION public.holds_end_once()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if old.state <> 0 or new.state = 0 or (new.kind, new.ref, new.account_id, new.amount) is distinct from (old.kind, old.ref, old.account_id, old.amount) then
    raise exception 'hold % % ends exactly once', old.kind, old.ref using errcode = 'PT003';
  end if;
  return new;
end $function$
