-- Orders from our own stock, decided for a whole batch at once: most items want what is there for
-- everybody. Those that share money or numbers too few for all are decided one after the other.
-- `create_orders_v1` stays for programs of the version before.

-- One item of a batch of orders with what the database knows of it; no `status`: not decided yet.
create type order_item as (
  item int, customer_id int, dialect text, wallet_id bigint, wallet_free bigint, currency text,
  key text, fingerprint bytea, offer_id int, price bigint, quantity int, decision_id bigint,
  request_id bigint, context jsonb, pivot int, country_id int, service_id int, operator_id int,
  operator_name text, catalogue_id int, cost bigint, status text, outcome jsonb);
-- A number sold to an item.
create type order_sale as (order_id int, item int, number_id bigint, msisdn bigint);
-- How an item ended; `same_as` is the item of this batch whose outcome it replays.
create type order_answer as (item int, status text, amount bigint, same_as int);

-- Returns what is known of each item: its locked wallet, its key, its offer at the price named.
create function order_items_v1(p_items json, p_wallets_locked bigint[], p_requests_open bigint[])
  returns order_item[] language plpgsql as $$
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
end $$;

-- Returns the offers of items that depend on each other: their wallet is too small for all of its
-- items, or two of them have one key.
create function contested_offers_v1(p_items order_item[]) returns int[] language plpgsql as $$
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
end $$;

-- Sells at once from the offers that are not contested and have a number for each item.
create function sell_at_once_v1(p_now timestamptz, p_items order_item[], p_contested int[])
  returns order_sale[] language plpgsql set enable_hashjoin = off as $$
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
end $$;
-- Sells to items one after the other: each has what those before it left of its wallet's money and
-- its offer's numbers.
create function sell_in_turn_v1(
    p_now timestamptz, p_items order_item[], p_taken bigint[],
    out answers order_answer[], out sales order_sale[]) language plpgsql as $$
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
end $$;

-- Writes the orders of a batch with their holds and documents; returns the documents by item.
create function write_orders_v1(
    p_now timestamptz, p_lifetime interval, p_items order_item[], p_sales order_sale[])
  returns table (item int, outcome jsonb) language plpgsql as $$
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
end $$;

-- Gives the numbers of a batch to their orders.
create function take_numbers_v1(p_sales order_sale[]) returns void language plpgsql
  set enable_hashjoin = off as $$
declare
  taken int;
begin
  update numbers n set state = 1, order_id = s.order_id, free_at = null
    from unnest(p_sales) s where n.id = s.number_id;
  get diagnostics taken = row_count;
  if taken <> cardinality(p_sales) then raise exception 'a number was to be sold twice'; end if;
end $$;

-- Sells numbers of our own stock to independent items, a JSON array of them. Status of an item:
--   created        `outcome` is the document of its orders
--   replayed       the same, recorded before
--   in_progress    its key is in use, or its request is settled and would not show this order
--   key_reused     its key was used for another request
--   offer_changed  price or offer is not what the caller ranked
--   wallet_short   `amount` is what was available
--   busy           another transaction works on the wallet
--   no_numbers     none is free
--   retry          the free numbers are locked by another buyer who may yet give up
create function create_orders_v2(
    p_now timestamptz, p_lifetime interval, p_wallets bigint[], p_requests bigint[], p_items json)
  returns table (idx int, status text, amount bigint, outcome jsonb) language plpgsql
  set enable_seqscan = off set enable_mergejoin = off set enable_bitmapscan = off
  set enable_material = off set plan_cache_mode = force_generic_plan
as $$
declare
  wallets_locked bigint[] := array(
    select a.id from accounts a where a.id = any(p_wallets) order by a.id for update skip locked);
  requests_open bigint[] := '{}';
  items order_item[]; waiting order_item[]; sales order_sale[]; turns record;
  answers order_answer[] := '{}';
begin
  if cardinality(p_requests) > 0 then
    requests_open := array(
      select r.request_id from idempotency r
        where r.request_id = any(p_requests) and r.state = 1 order by r.request_id for share);
  end if;
  items := order_items_v1(p_items, wallets_locked, requests_open);
  sales := sell_at_once_v1(p_now, items, contested_offers_v1(items));
  waiting := array(
    select i from unnest(items) i
      where i.status is null and i.item <> all(array(select s.item from unnest(sales) s))
      order by i.item);
  if cardinality(waiting) > 0 then
    turns := sell_in_turn_v1(p_now, waiting, array(select s.number_id from unnest(sales) s));
    sales := sales || turns.sales;
    answers := turns.answers;
  end if;
  if cardinality(sales) = 0 then
    return query
      select i.item, coalesce(a.status, i.status), a.amount, i.outcome
        from unnest(items) i left join unnest(answers) a on a.item = i.item;
    return;
  end if;
  perform take_numbers_v1(sales);
  return query
    select i.item, coalesce(a.status, i.status, 'created'), a.amount, coalesce(i.outcome, d.outcome)
      from unnest(items) i
      left join unnest(answers) a on a.item = i.item
      left join write_orders_v1(p_now, p_lifetime, items, sales) d
        on d.item = coalesce(a.same_as, i.item);
end $$;
-- What a wallet has on hold, added up by one update for each statement that opens or ends holds.
create or replace function holds_opened() returns trigger language plpgsql
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
  set enable_bitmapscan = off set enable_material = off
as $$
begin
  update accounts a set held = a.held + s.amount
    from (select f.account_id, sum(f.amount)::bigint as amount from fresh f where f.state = 0
            group by f.account_id) s
    where a.id = s.account_id;
  return null;
end $$;

create or replace function holds_ended() returns trigger language plpgsql
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
  set enable_bitmapscan = off set enable_material = off
as $$
begin
  update accounts a set held = a.held - s.amount
    from (select e.account_id, sum(e.amount)::bigint as amount from ended e
            group by e.account_id) s
    where a.id = s.account_id;
  return null;
end $$;
