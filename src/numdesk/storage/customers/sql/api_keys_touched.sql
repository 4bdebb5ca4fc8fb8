CREATE OR REPLACE FUNCTION public.api_keys_touched()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  -- Writing down when a key was used must not make every process forget every key.
  if tg_op <> 'UPDATE' or (old.customer_id, old.hash, old.scopes, old.methods, old.networks, old.expires_at, old.revoked_at)
       is distinct from (new.customer_id, new.hash, new.scopes, new.methods, new.networks, new.expires_at, new.revoked_at) then
    update versions set n = n + 1 where name = 'customers';
  end if;
  return null;
end $function$
