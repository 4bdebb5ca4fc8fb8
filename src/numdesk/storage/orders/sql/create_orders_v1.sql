CREATE OR REPLACE FUNCTION public.create_orders_v1(p_now timestamp with time zone, p_lifetime interval, p_customer integer[], p_dialect text[], p_wallet bigint[], p_currency text[], p_key text[], p_fingerprint bytea[], p_offer integer[], p_price bigint[], p_quantity integer[], p_decision bigint[], p_request bigint[], p_context jsonb[], p_pivot integer[])
 RETURNS TABLE(idx integer, status text, amount bigint, outcome jsonb)
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_material TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  size int := cardinality(p_customer);
  w_id bigint[]; w_free bigint[];                                          -- wallets of the batch, and what each can still spend
  k_fingerprint bytea[]; k_state smallint[]; k_outcome jsonb[]; k_ident text[];  -- keys that are known already, item by item
  o_country int[]; o_service int[]; o_operator int[]; o_catalogue int[]; o_name text[]; o_cost bigint[];  -- offers, item by item
  g_offer int[] := '{}'; g_item int[] := '{}'; g_demand int[] := '{}'; g_next int[] := '{}'; g_end int[] := '{}';  -- one group per offer
  pool_id bigint[] := '{}'; pool_msisdn bigint[] := '{}';                  -- numbers locked for the groups
  c_order int[] := '{}'; c_item int[] := '{}'; c_number bigint[] := '{}'; c_msisdn bigint[] := '{}';  -- orders to be written
  d_item int[] := '{}'; d_ident text[] := '{}'; d_outcome jsonb[] := '{}';  -- items that were sold
  r_live bigint[];                                                         -- requests of the batch that nobody has settled yet
  i int; g int; w int; got int; serial int; documents jsonb; picked record;
begin
  select array_agg(x.id), array_agg(x.balance - x.held + x.credit_limit) into w_id, w_free
    from (select a.id, a.balance, a.held, a.credit_limit from accounts a where a.id = any(p_wallet) order by a.id for update skip locked) x;
  select array_agg(k.fingerprint order by u.n), array_agg(k.state order by u.n), array_agg(k.outcome order by u.n), array_agg(u.customer || ':' || u.key order by u.n),
         array_agg(o.country_id order by u.n), array_agg(o.service_id order by u.n), array_agg(o.operator_id order by u.n),
         array_agg(o.catalogue_id order by u.n), array_agg(t.name order by u.n), array_agg(o.cost order by u.n)
    into k_fingerprint, k_state, k_outcome, k_ident, o_country, o_service, o_operator, o_catalogue, o_name, o_cost
    from unnest(p_customer, p_key, p_offer, p_currency, p_price) with ordinality u(customer, key, offer, currency, price, n)
    left join lateral (select i.fingerprint, i.state, i.outcome from idempotency i where i.customer_id = u.customer and i.namespace = 0 and i.key = u.key limit 1) k on true
    left join offer_prices p on p.offer_id = u.offer and p.currency = u.currency and p.price = u.price
    left join offers o on o.id = p.offer_id and o.active and o.provider = 'local'
    left join operators t on t.id = o.operator_id;

  if array_remove(p_request, null) <> '{}' then
    select array_agg(x.request_id) into r_live
      from (select r.request_id from idempotency r where r.request_id = any(p_request) and r.state = 1 order by r.request_id for share) x;
  end if;

  -- How many numbers each offer may need: whoever could pay if nobody else in the batch bought.
  for i in 1 .. size loop
    w := array_position(w_id, p_wallet[i]);
    if k_state[i] is null and o_country[i] is not null and p_price[i] * p_quantity[i] <= w_free[w] then
      g := array_position(g_offer, p_offer[i]);
      if g is null then
        g_offer := g_offer || p_offer[i]; g_item := g_item || i; g_demand := g_demand || p_quantity[i];
      else
        g_demand[g] := g_demand[g] + p_quantity[i];
      end if;
    end if;
  end loop;
  for g in 1 .. cardinality(g_offer) loop
    i := g_item[g];
    picked := pick_numbers_v1(p_now, o_country[i], o_operator[i], o_service[i], p_pivot[i], g_demand[g], pool_id);
    g_next[g] := cardinality(pool_id) + 1;
    pool_id := pool_id || coalesce(picked.ids, '{}'); pool_msisdn := pool_msisdn || coalesce(picked.msisdns, '{}');
    g_end[g] := cardinality(pool_id);
  end loop;

  -- Decide each item in turn; a refused one leaves money and numbers to the next.
  for i in 1 .. size loop
    idx := i; amount := null; outcome := null;
    w := array_position(w_id, p_wallet[i]);
    if w is null then status := 'busy'; return next; continue; end if;
    g := array_position(d_ident, k_ident[i]);
    if k_state[i] is not null or g is not null then
      if coalesce(k_fingerprint[i], p_fingerprint[d_item[g]]) <> p_fingerprint[i] then status := 'key_reused';
      elsif k_state[i] = 1 then status := 'in_progress';
      else status := 'replayed'; outcome := coalesce(k_outcome[i], d_outcome[g]);
      end if;
      return next; continue;
    end if;
    if p_request[i] is not null and array_position(r_live, p_request[i]) is null then status := 'in_progress'; return next; continue; end if;
    if o_country[i] is null then status := 'offer_changed'; return next; continue; end if;
    if p_price[i] * p_quantity[i] > w_free[w] then status := 'wallet_short'; amount := w_free[w]; return next; continue; end if;
    g := array_position(g_offer, p_offer[i]);
    got := least(p_quantity[i], g_end[g] - g_next[g] + 1);
    if got <= 0 then
      status := case when numbers_exist_v1(p_now, o_country[i], o_operator[i], o_service[i]) then 'retry' else 'no_numbers' end;
      return next; continue;
    end if;
    documents := '[]';
    for j in g_next[g] .. g_next[g] + got - 1 loop
      serial := nextval('order_serials');
      c_order := c_order || serial; c_item := c_item || i; c_number := c_number || pool_id[j]; c_msisdn := c_msisdn || pool_msisdn[j];
      documents := documents || jsonb_build_object('id', serial, 'msisdn', pool_msisdn[j], 'price', p_price[i], 'offer', p_offer[i], 'catalogue', o_catalogue[i],
        'operator', o_operator[i], 'operator_name', o_name[i], 'created_at', floor(extract(epoch from p_now)), 'expires_at', floor(extract(epoch from p_now + p_lifetime)));
    end loop;
    g_next[g] := g_next[g] + got;
    w_free[w] := w_free[w] - p_price[i] * got;
    status := 'created';
    outcome := p_context[i] || jsonb_build_object('v', 1, 'failed', p_quantity[i] - got, 'orders', documents);
    d_item := d_item || i; d_ident := d_ident || k_ident[i]; d_outcome := d_outcome || outcome;
    return next;
  end loop;
  if cardinality(c_order) = 0 then return; end if;

  update numbers n set state = 1, order_id = c.order_id, free_at = null from unnest(c_order, c_number) c(order_id, number_id)
    where n.id = c.number_id and n.id = any(c_number);
  get diagnostics got = row_count;
  if got <> cardinality(c_number) then raise exception 'a number was to be sold twice'; end if;
  insert into orders (id, customer_id, dialect, state, offer_id, catalogue_id, country_id, service_id, operator_id, provider, number_id, msisdn,
                      wallet_id, currency, price, cost, created_at, expires_at, reactivatable, decision_id, request_id)
    select c.order_id, p_customer[c.item], p_dialect[c.item], 1, p_offer[c.item], o_catalogue[c.item], o_country[c.item], o_service[c.item], o_operator[c.item], 'local',
           c.number_id, c.msisdn, p_wallet[c.item], p_currency[c.item], p_price[c.item], o_cost[c.item], p_now, p_now + p_lifetime, true, p_decision[c.item], p_request[c.item]
      from unnest(c_order, c_item, c_number, c_msisdn) c(order_id, item, number_id, msisdn);
  insert into holds (kind, ref, account_id, amount, opened_at)
    select 'order', c.order_id, p_wallet[c.item], p_price[c.item], p_now from unnest(c_order, c_item) c(order_id, item);
  insert into idempotency (customer_id, namespace, key, fingerprint, state, outcome, created_at)
    select p_customer[d.item], 0, p_key[d.item], p_fingerprint[d.item], 2, d.outcome, p_now from unnest(d_item, d_outcome) d(item, outcome);
end $function$
