CREATE OR REPLACE FUNCTION public.system_account_v1(p_kind text, p_label text, p_currency text)
 RETURNS bigint
 LANGUAGE plpgsql
AS $function$
declare found_id bigint;
begin
  select id into found_id from accounts where kind = p_kind and owner is null and label is not distinct from p_label and currency = p_currency;
  if found_id is null then
    insert into accounts (kind, label, currency, live) values (p_kind, p_label, p_currency, false) on conflict do nothing;
    select id into found_id from accounts where kind = p_kind and owner is null and label is not distinct from p_label and currency = p_currency;
  end if;
  return found_id;
end $function$
