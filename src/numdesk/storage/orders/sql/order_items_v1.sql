CREATE OR REPLACE FUNCTION public.order_items_v1(p_items json, p_wallets_locked bigint[], p_requests_open bigint[])
 RETURNS order_item[]
 LANGUAGE plpgsql
AS $function$
begin
  return array(
    select row(
        u.item, u.customer_id, u.dialect, u.wallet_id, a.balance - a.held + a.credit_limit,
        u.currency, u.key, f.fingerprint, u.offer_id, u.price, u.quantity, u.decision_id,
        u.request_id, u.context::jsonb, u.pivot, o.country_id, o.service_id, o.operator_id, t.name,
        o.catalogue_id, o.cost,
        case
          when a.id is null then 'busy'
          when k.fingerprint <> f.fingerprint then 'key_reused'
          when k.state = 1 then 'in_progress'
          when k.state = 2 then 'replayed'
          when u.request_id is not null and u.request_id <> all(p_requests_open) then 'in_progress'
          when o.id is null then 'offer_changed'
        end,
        case when k.fingerprint = f.fingerprint then k.outcome end)::order_item
      from rows from (json_to_recordset(p_items) as (
          customer_id int, dialect text, wallet_id bigint, currency text, key text,
          fingerprint text, offer_id int, price bigint, quantity int, decision_id bigint,
          request_id bigint, context text, pivot int)) with ordinality u(
          customer_id, dialect, wallet_id, currency, key, fingerprint, offer_id, price, quantity,
          decision_id, request_id, context, pivot, item)
      cross join lateral (select decode(u.fingerprint, 'base64') as fingerprint) f
      left join lateral (
        select a.id, a.balance, a.held, a.credit_limit from accounts a
          where a.id = u.wallet_id and a.id = any(p_wallets_locked) limit 1
      ) a on true
      left join lateral (
        select i.fingerprint, i.state, i.outcome from idempotency i
          where i.customer_id = u.customer_id and i.namespace = 0 and i.key = u.key limit 1
      ) k on true
      left join lateral (
        select o.id, o.country_id, o.service_id, o.operator_id, o.catalogue_id, o.cost
          from offer_prices p join offers o on o.id = p.offer_id
          where p.offer_id = u.offer_id and p.currency = u.currency and p.price = u.price
            and o.active and o.provider = 'local' limit 1
      ) o on true
      left join lateral (
        select t.name from operators t where t.id = o.operator_id limit 1
      ) t on true);
end $function$
