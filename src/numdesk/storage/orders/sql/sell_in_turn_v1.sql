CREATE OR REPLACE FUNCTION public.sell_in_turn_v1(p_now timestamp with time zone, p_items order_item[], p_taken bigint[], OUT answers order_answer[], OUT sales order_sale[])
 RETURNS record
 LANGUAGE plpgsql
AS $function$
declare
  item order_item; earlier order_item; pool record; status text; amount bigint; same_as int;
  wallets bigint[] := '{}'; free bigint[] := '{}';
  offers int[] := '{}'; demands int[] := '{}'; next_of int[] := '{}'; end_of int[] := '{}';
  pool_ids bigint[] := '{}'; pool_msisdns bigint[] := '{}';
  wallet int; offer int; got int;
begin
  answers := '{}'; sales := '{}';
  -- An offer may need as many numbers as those could pay for who would pay if nobody else bought.
  foreach item in array p_items loop
    if item.price * item.quantity > item.wallet_free then continue; end if;
    offer := array_position(offers, item.offer_id);
    if offer is null then
      offers := offers || item.offer_id;
      demands := demands || 0;
      offer := cardinality(offers);
    end if;
    demands[offer] := demands[offer] + item.quantity;
  end loop;
  foreach item in array p_items loop
    offer := array_position(offers, item.offer_id);
    if offer is null or next_of[offer] is not null then continue; end if;
    pool := pick_numbers_v1(p_now, item.country_id, item.operator_id, item.service_id, item.pivot,
      demands[offer], p_taken || pool_ids);
    next_of[offer] := cardinality(pool_ids) + 1;
    pool_ids := pool_ids || coalesce(pool.ids, '{}');
    pool_msisdns := pool_msisdns || coalesce(pool.msisdns, '{}');
    end_of[offer] := cardinality(pool_ids);
  end loop;

  foreach item in array p_items loop
    amount := null; same_as := null;
    wallet := array_position(wallets, item.wallet_id);
    if wallet is null then
      wallets := wallets || item.wallet_id; free := free || item.wallet_free;
      wallet := cardinality(wallets);
    end if;
    select i.* into earlier from unnest(sales) s join unnest(p_items) i on i.item = s.item
      where i.customer_id = item.customer_id and i.key = item.key limit 1;
    offer := array_position(offers, item.offer_id);
    got := least(item.quantity, end_of[offer] - next_of[offer] + 1);
    if earlier.item is not null then
      if earlier.fingerprint = item.fingerprint then
        status := 'replayed'; same_as := earlier.item;
      else
        status := 'key_reused';
      end if;
    elsif item.price * item.quantity > free[wallet] then
      status := 'wallet_short'; amount := free[wallet];
    elsif got <= 0 then
      status := case
        when numbers_exist_v1(p_now, item.country_id, item.operator_id, item.service_id)
        then 'retry'
        else 'no_numbers'
      end;
    else
      status := 'created';
      for place in next_of[offer] .. next_of[offer] + got - 1 loop
        sales := sales || row(nextval('order_serials'), item.item, pool_ids[place],
          pool_msisdns[place])::order_sale;
      end loop;
      next_of[offer] := next_of[offer] + got;
      free[wallet] := free[wallet] - item.price * got;
    end if;
    answers := answers || row(item.item, status, amount, same_as)::order_answer;
  end loop;
end $function$
