CREATE OR REPLACE FUNCTION public.sell_at_once_v1(p_now timestamp with time zone, p_items order_item[], p_contested integer[])
 RETURNS order_sale[]
 LANGUAGE plpgsql
 SET enable_hashjoin TO 'off'
AS $function$
declare
  offers int[]; numbers_picked bigint[]; msisdns bigint[];
begin
  with wanted as materialized (
    select i.offer_id, i.country_id, i.service_id, i.operator_id, bit_xor(i.pivot) as pivot,
        sum(i.quantity) as demand
      from unnest(p_items) i where i.status is null and i.offer_id <> all(p_contested)
      group by i.offer_id, i.country_id, i.service_id, i.operator_id
  ), picked as (
    select w.offer_id, w.demand, n.id, n.msisdn, row_number() over (partition by n.id) as copy
      from wanted w
      cross join lateral (
        select * from (
          select n.id, n.msisdn from numbers n
            where w.operator_id is null and n.state = 0 and n.country_id = w.country_id
              and n.rnd >= w.pivot
              and not exists (select from number_uses u where u.number_id = n.id
                                and u.service_id = w.service_id and u.until > p_now)
            order by n.rnd limit w.demand for update of n skip locked) of_any_operator
        union all
        select * from (
          select n.id, n.msisdn from numbers n
            where n.operator_id = w.operator_id and n.state = 0 and n.country_id = w.country_id
              and n.rnd >= w.pivot
              and not exists (select from number_uses u where u.number_id = n.id
                                and u.service_id = w.service_id and u.until > p_now)
            order by n.rnd limit w.demand for update of n skip locked) of_the_operator) n
  ), counted as (
    select p.*, count(*) filter (where p.copy = 1) over (partition by p.offer_id) as found
      from picked p
  )
  select array_agg(c.offer_id order by c.offer_id), array_agg(c.id order by c.offer_id),
      array_agg(c.msisdn order by c.offer_id)
    into offers, numbers_picked, msisdns
    from counted c where c.found = c.demand;
  return array(
    select row(nextval('order_serials'), u.item, numbers_picked[u.place],
        msisdns[u.place])::order_sale
      from (
        select i.item, row_number() over (order by i.offer_id, i.item) as place
          from unnest(p_items) i cross join lateral generate_series(1, i.quantity)
          where i.status is null and i.offer_id = any(offers)) u);
end $function$
