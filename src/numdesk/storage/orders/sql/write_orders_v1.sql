CREATE OR REPLACE FUNCTION public.write_orders_v1(p_now timestamp with time zone, p_lifetime interval, p_items order_item[], p_sales order_sale[])
 RETURNS TABLE(item integer, outcome jsonb)
 LANGUAGE plpgsql
AS $function$
#variable_conflict use_column
declare
  created_at bigint := floor(extract(epoch from p_now));
  expires_at bigint := floor(extract(epoch from p_now + p_lifetime));
begin
  return query
    with sold as materialized (
      select s.order_id, s.number_id, s.msisdn, i.*
        from unnest(p_sales) s join unnest(p_items) i on i.item = s.item
    ), orders_written as (
      insert into orders (id, customer_id, dialect, state, offer_id, catalogue_id, country_id,
          service_id, operator_id, provider, number_id, msisdn, wallet_id, currency, price, cost,
          created_at, expires_at, reactivatable, decision_id, request_id)
        select s.order_id, s.customer_id, s.dialect, 1, s.offer_id, s.catalogue_id, s.country_id,
            s.service_id, s.operator_id, 'local', s.number_id, s.msisdn, s.wallet_id, s.currency,
            s.price, s.cost, p_now, p_now + p_lifetime, true, s.decision_id, s.request_id
          from sold s
    ), holds_written as (
      insert into holds (kind, ref, account_id, amount, opened_at)
        select 'order', s.order_id, s.wallet_id, s.price, p_now from sold s
    ), bought as (
      select s.item, s.customer_id, s.key, s.fingerprint, s.context, s.quantity,
          count(*) as numbers,
          jsonb_agg(jsonb_build_object('id', s.order_id, 'msisdn', s.msisdn, 'price', s.price,
            'offer', s.offer_id, 'catalogue', s.catalogue_id, 'operator', s.operator_id,
            'operator_name', s.operator_name, 'created_at', created_at,
            'expires_at', expires_at) order by s.order_id) as orders
        from sold s
        group by s.item, s.customer_id, s.key, s.fingerprint, s.context, s.quantity
    ), documents as materialized (
      select b.*, b.context || jsonb_build_object(
          'v', 1, 'failed', b.quantity - b.numbers, 'orders', b.orders) as outcome
        from bought b
    ), documents_written as (
      insert into idempotency (customer_id, namespace, key, fingerprint, state, outcome, created_at)
        select d.customer_id, 0, d.key, d.fingerprint, 2, d.outcome, p_now from documents d
    )
    select d.item, d.outcome from documents d;
end $function$
