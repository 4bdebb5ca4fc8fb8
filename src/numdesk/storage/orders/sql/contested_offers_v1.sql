CREATE OR REPLACE FUNCTION public.contested_offers_v1(p_items order_item[])
 RETURNS integer[]
 LANGUAGE plpgsql
AS $function$
declare
  wallets bigint[] := array(
    select i.wallet_id from unnest(p_items) i where i.status is null
      group by i.wallet_id having sum(i.price * i.quantity) > min(i.wallet_free));
  keys text[] := array(
    select i.key from unnest(p_items) i where i.status is null
      group by i.customer_id, i.key having count(*) > 1);
begin
  if cardinality(wallets) + cardinality(keys) = 0 then return '{}'; end if;
  return array(
    select distinct i.offer_id from unnest(p_items) i
      where i.status is null and (i.wallet_id = any(wallets) or i.key = any(keys)));
end $function$
