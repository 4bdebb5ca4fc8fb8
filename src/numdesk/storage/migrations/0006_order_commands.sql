-- The hot writes. A command takes a batch of items that are independent of each other, answers each on its own, and is one round
-- trip and one commit. Each decides item by item in memory and then writes table by table, so it is exact for the item and cheap
-- for the batch. Rows are locked in one order everywhere: orders, accounts, idempotency keys, customer_hours (each by id); free numbers
-- are taken with SKIP LOCKED and never waited for. The planner settings, and bounds such as `id = any(...)` beside a join on the same
-- ids, keep a plan that was made on an empty table from walking a full one.

-- Locks up to p_limit free numbers of a country (and operator) that may be sold for a service, beginning at a random pivot. Those in
-- p_taken are spoken for: SKIP LOCKED does not skip what this very transaction has locked before.
create function pick_numbers_v1(p_now timestamptz, p_country int, p_operator int, p_service int, p_pivot int, p_limit int, p_taken bigint[],
                                out ids bigint[], out msisdns bigint[]) language plpgsql as $$
begin
  if p_operator is null then
    select array_agg(x.id), array_agg(x.msisdn) into ids, msisdns from (
      select * from (select n.id, n.msisdn from numbers n where n.state = 0 and n.country_id = p_country and n.rnd >= p_pivot and n.id <> all(p_taken)
          and not exists (select from number_uses u where u.number_id = n.id and u.service_id = p_service and u.until > p_now)
          order by n.rnd limit p_limit for update of n skip locked) after_pivot
      union all
      select * from (select n.id, n.msisdn from numbers n where n.state = 0 and n.country_id = p_country and n.rnd < p_pivot and n.id <> all(p_taken)
          and not exists (select from number_uses u where u.number_id = n.id and u.service_id = p_service and u.until > p_now)
          order by n.rnd limit p_limit for update of n skip locked) before_pivot
      limit p_limit) x;
  else
    select array_agg(x.id), array_agg(x.msisdn) into ids, msisdns from (
      select * from (select n.id, n.msisdn from numbers n where n.state = 0 and n.country_id = p_country and n.operator_id = p_operator and n.rnd >= p_pivot and n.id <> all(p_taken)
          and not exists (select from number_uses u where u.number_id = n.id and u.service_id = p_service and u.until > p_now)
          order by n.rnd limit p_limit for update of n skip locked) after_pivot
      union all
      select * from (select n.id, n.msisdn from numbers n where n.state = 0 and n.country_id = p_country and n.operator_id = p_operator and n.rnd < p_pivot and n.id <> all(p_taken)
          and not exists (select from number_uses u where u.number_id = n.id and u.service_id = p_service and u.until > p_now)
          order by n.rnd limit p_limit for update of n skip locked) before_pivot
      limit p_limit) x;
  end if;
end $$;

-- Is there a free number that somebody else has locked at this moment?
create function numbers_exist_v1(p_now timestamptz, p_country int, p_operator int, p_service int) returns boolean language sql stable as $$
  select exists (select from numbers n where n.state = 0 and n.country_id = p_country and (p_operator is null or n.operator_id = p_operator)
    and not exists (select from number_uses u where u.number_id = n.id and u.service_id = p_service and u.until > p_now))
$$;

-- Sells numbers of our own stock. Status of an item: created (outcome is the recorded document), replayed (the same, recorded
-- before), in_progress (also when p_request has been settled: an order made now would be in nobody's answer), key_reused,
-- offer_changed (price or tier is not what the caller ranked), wallet_short (amount is what was available), busy (another transaction works on the wallet: one customer's wait is not everybody's), no_numbers, retry (free
-- numbers exist but are locked by another buyer who may yet give up).
create function create_orders_v1(
    p_now timestamptz, p_lifetime interval,
    p_customer int[], p_dialect text[], p_wallet bigint[], p_currency text[], p_key text[], p_fingerprint bytea[],
    p_offer int[], p_price bigint[], p_quantity int[], p_decision bigint[], p_request bigint[], p_context jsonb[], p_pivot int[])
  returns table (idx int, status text, amount bigint, outcome jsonb) language plpgsql
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off set plan_cache_mode = force_generic_plan as $$
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
end $$;

-- Orders as the desk reads them, for many readers at once; an order that is not the customer's is not there.
create function read_orders_v1(p_customer int[], p_id int[]) returns setof order_facts language sql stable
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off as $$
  select f.* from unnest(p_customer, p_id) u(customer, id) join order_facts f on f.id = u.id and f.customer_id = u.customer
$$;

-- Only what tells whether a remembered order is still as it was: polling asks for the same order again and again.
create function read_order_heads_v1(p_id int[]) returns table (customer_id int, id int, revision int, number_free boolean) language sql stable
  set enable_seqscan = off as $$
  select f.customer_id, f.id, f.revision, f.number_free from order_facts f where f.id = any(p_id)
$$;

-- The facts of an order as an event keeps them: what a webhook body is rendered from, now or at a retry next week.
create function order_document_v1(o orders) returns jsonb language sql stable as $$
  select jsonb_build_object('v', 1, 'id', o.id, 'state', o.state, 'offer', o.offer_id, 'catalogue', o.catalogue_id, 'country', c.name, 'service', s.name,
    'operator', o.operator_id, 'operator_name', t.name, 'msisdn', o.msisdn, 'currency', o.currency, 'price', o.price,
    'created_at', extract(epoch from o.created_at), 'expires_at', extract(epoch from o.expires_at), 'otp_code', o.otp_code, 'otp_message', o.otp_message,
    'sms_revision', o.sms_revision, 'first_sms_at', extract(epoch from o.first_sms_at), 'resend_at', extract(epoch from o.resend_at),
    'ended_at', extract(epoch from o.ended_at), 'reactivatable', o.reactivatable)
  from countries c, services s left join operators t on t.id = o.operator_id where c.id = o.country_id and s.id = o.service_id
$$;

-- Finds a system account, or opens it.
create function system_account_v1(p_kind text, p_label text, p_currency text) returns bigint language plpgsql as $$
declare found_id bigint;
begin
  select id into found_id from accounts where kind = p_kind and owner is null and label is not distinct from p_label and currency = p_currency;
  if found_id is null then
    insert into accounts (kind, label, currency, live) values (p_kind, p_label, p_currency, false) on conflict do nothing;
    select id into found_id from accounts where kind = p_kind and owner is null and label is not distinct from p_label and currency = p_currency;
  end if;
  return found_id;
end $$;

-- Books the price of orders whose first message arrived: the hold is posted as income, and the supplier's share as cost.
create function earn_orders_v1(p_now timestamptz, p_orders int[]) returns void language plpgsql
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off set plan_cache_mode = force_generic_plan as $$
begin
  with posted as (
    insert into journals (reason, ref, at) select 'order.earn', 'ord:' || o, p_now from unnest(p_orders) o returning id, ref
  ), ended as (
    update holds h set state = 1, ended_at = p_now, journal_id = p.id from posted p
      where h.kind = 'order' and h.ref = substr(p.ref, 5)::int and h.ref = any(p_orders) returning h.ref, h.journal_id
  )
  insert into transfers (journal_id, debit_id, credit_id, amount, currency)
    select e.journal_id, side.debit, side.credit, side.amount, o.currency
      from ended e join orders o on o.id = e.ref and o.id = any(p_orders)
      cross join lateral (values
        (1, o.wallet_id, system_account_v1('revenue', 'orders', o.currency), o.price),
        (2, system_account_v1('cost_of_sales', o.provider, o.currency), system_account_v1('payable', o.provider, o.currency), o.cost)) side(n, debit, credit, amount)
      where side.amount > 0
      order by e.ref, side.n;
end $$;

-- Takes messages that arrived. Status of an item: seen (the provider told us before), taken (an open order got it), late (the number's
-- last order has ended), orphan (nobody ever rented the number from this provider). p_ref is the provider's name of the order, when it
-- gives one. Any provider may bring messages for our own numbers; for its own, a supplier only.
create function receive_messages_v1(
    p_now timestamptz, p_provider text[], p_message_id text[], p_msisdn bigint[], p_sender text[], p_text text[], p_code text[], p_ref text[])
  returns table (idx int, status text, message_id bigint, order_id int, customer_id int) language plpgsql
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
  size int := cardinality(p_msisdn);
  m_order int[]; m_seen boolean[]; m_ident text[];                          -- item by item: the open order of the number, repeats
  o_id int[]; o_state smallint[]; o_customer int[]; o_wallet bigint[]; o_dialect text[]; o_document jsonb[];  -- the orders, locked
  o_code text[]; o_text text[]; o_revision int[]; o_first timestamptz[]; o_touched boolean[];
  n_item int[] := '{}'; n_order int[] := '{}'; n_late boolean[] := '{}'; n_id bigint[] := '{}'; n_kept bigint[];  -- messages to be kept
  e_order int[] := '{}'; e_document jsonb[] := '{}';                        -- events to be written
  earned int[] := '{}'; i int; o int; known int;
begin
  -- An order may end, and its number be bought again, between our look and our lock: then look again.
  for look in 1 .. 3 loop
  select array_agg(x.id order by u.n), array_agg(u.provider || ' ' || u.message_id order by u.n) into m_order, m_ident
    from unnest(p_provider, p_message_id, p_msisdn, p_ref) with ordinality u(provider, message_id, msisdn, ref, n)
    left join lateral (select r.id from orders r where r.msisdn = u.msisdn and r.state in (1, 2, 3) and r.expires_at > p_now
        and r.provider in (u.provider, 'local') and (u.ref is null or r.provider_ref = u.ref) order by r.id desc limit 1) x on true;
  select array_agg(x.id), array_agg(x.state), array_agg(x.customer_id), array_agg(x.wallet_id), array_agg(x.dialect),
         array_agg(x.otp_code), array_agg(x.otp_message), array_agg(x.sms_revision), array_agg(x.first_sms_at), array_agg(false)
    into o_id, o_state, o_customer, o_wallet, o_dialect, o_code, o_text, o_revision, o_first, o_touched
    from (select * from orders r where r.id = any(m_order) order by r.id for update) x;
  exit when not exists (select from unnest(o_state) s where s not in (1, 2, 3));
  end loop;
  perform from accounts a where a.id = any(o_wallet) order by a.id for update;
  select array_agg(order_document_v1(r) order by r.id) into o_document from orders r where r.id = any(o_id);
  select array_agg(k.id is not null order by u.n) into m_seen
    from unnest(p_provider, p_message_id) with ordinality u(provider, message_id, n)
    left join lateral (select e.id from messages e where e.provider = u.provider and e.provider_message_id = u.message_id limit 1) k on true;

  for i in 1 .. size loop
    if m_seen[i] or array_position(m_ident, m_ident[i]) < i then continue; end if;
    o := array_position(o_id, m_order[i]);
    n_item := n_item || i; n_id := n_id || nextval('messages_id_seq');
    if o is null or o_state[o] not in (1, 2, 3) then
      select max(r.id) into known from orders r where r.msisdn = p_msisdn[i] and r.provider in (p_provider[i], 'local');
      n_order := n_order || known; n_late := n_late || (known is not null);
      continue;
    end if;
    n_order := n_order || o_id[o]; n_late := n_late || false;
    if o_state[o] = 1 then earned := earned || o_id[o]; o_first[o] := p_now; end if;
    o_state[o] := 2; o_touched[o] := true;
    o_code[o] := coalesce(p_code[i], o_code[o]); o_text[o] := p_text[i]; o_revision[o] := o_revision[o] + 1;
    e_order := e_order || o;
    e_document := e_document || (o_document[o] || jsonb_build_object('state', 2, 'otp_code', o_code[o], 'otp_message', o_text[o],
      'sms_revision', o_revision[o], 'first_sms_at', extract(epoch from o_first[o])));
  end loop;

  with kept as (
    insert into messages (id, provider, provider_message_id, msisdn, sender, text, otp_code, order_id, late, received_at) overriding system value
      select n.id, p_provider[n.item], p_message_id[n.item], p_msisdn[n.item], p_sender[n.item], p_text[n.item], p_code[n.item], n.order_id, n.late, p_now
        from unnest(n_id, n_item, n_order, n_late) n(id, item, order_id, late)
      on conflict do nothing returning id)
  select array_agg(id) into n_kept from kept;
  if cardinality(e_order) > 0 then
    update orders r set state = c.state, otp_code = c.code, otp_message = c.text, sms_revision = c.revision, first_sms_at = c.first, revision = r.revision + 1
      from unnest(o_id, o_state, o_code, o_text, o_revision, o_first, o_touched) c(id, state, code, text, revision, first, touched)
      where r.id = c.id and r.id = any(o_id) and c.touched;
    insert into events (customer_id, dialect, kind, order_id, document, at)
      select o_customer[e.o], o_dialect[e.o], 'order.received', o_id[e.o], e.document, p_now from unnest(e_order, e_document) e(o, document);
  end if;
  if cardinality(earned) > 0 then
    perform earn_orders_v1(p_now, earned);
    perform count_endings_v1(p_now, 'received', earned);
  end if;

  for i in 1 .. size loop
    idx := i; o := array_position(n_item, i); message_id := n_id[o]; order_id := null; customer_id := null;
    if o is null or not message_id = any(n_kept) then
      status := 'seen';
      select k.id, k.order_id into message_id, order_id from messages k where k.provider = p_provider[i] and k.provider_message_id = p_message_id[i];
    else
      order_id := n_order[o];
      status := case when n_late[o] then 'late' when order_id is null then 'orphan' else 'taken' end;
    end if;
    customer_id := o_customer[array_position(o_id, order_id)];
    return next;
  end loop;
end $$;

-- Counts how orders of customers ended in this hour; p_what is received, canceled or expired.
create function count_endings_v1(p_now timestamptz, p_what text, p_orders int[]) returns void language sql as $$
  insert into customer_hours as h (customer_id, hour, received, canceled, expired)
    select o.customer_id, date_trunc('hour', p_now, 'UTC'), count(*) filter (where p_what = 'received'), count(*) filter (where p_what = 'canceled'), count(*) filter (where p_what = 'expired')
      from orders o where o.id = any(p_orders) group by o.customer_id order by o.customer_id
    on conflict (customer_id, hour) do update
      set received = h.received + excluded.received, canceled = h.canceled + excluded.canceled, expired = h.expired + excluded.expired
$$;

-- Ends orders by one event (cancel, expire, finish): moves the state, gives back what was not earned, releases the number into
-- quarantine, writes the event, and leaves word for a remote supplier. An order for which the event is not legal is left alone and
-- not returned.
create function end_orders_v1(p_now timestamptz, p_event text, p_cooldown interval, p_quarantine interval, p_orders int[])
  returns table (order_id int, customer_id int, state smallint, unearned boolean) language plpgsql
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare ended int[]; refunded int[];
begin
  perform from orders o where o.id = any(p_orders) order by o.id for update;
  perform from accounts a where a.id in (select o.wallet_id from orders o where o.id = any(p_orders)) order by a.id for update;
  with moved as (
    update orders o set state = m.next, ended_at = p_now, revision = o.revision + 1
      from order_moves m where o.id = any(p_orders) and m.state = o.state and m.event = p_event returning o.id, o.first_sms_at)
  select array_agg(v.id order by v.id), array_agg(v.id order by v.id) filter (where v.first_sms_at is null) into ended, refunded from moved v;
  if ended is null then return; end if;

  update holds h set state = case when p_event = 'expire' then 3 else 2 end, ended_at = p_now where h.kind = 'order' and h.ref = any(refunded);
  if refunded is not null then
    perform count_endings_v1(p_now, case when p_event = 'expire' then 'expired' else 'canceled' end, refunded);
  end if;
  insert into number_uses as u (number_id, service_id, until)
    select o.number_id, o.service_id, p_now + p_cooldown from orders o where o.id = any(ended) and o.number_id is not null
    on conflict (number_id, service_id) do update set until = excluded.until;
  update numbers n set state = 2, order_id = null, free_at = p_now + p_quarantine
    where n.id = any(array(select o.number_id from orders o where o.id = any(ended) and o.number_id is not null)) and n.order_id = any(ended);
  insert into jobs (kind, payload, run_at)
    select 'orders.release', jsonb_build_object('order', o.id), p_now from orders o where o.id = any(ended) and o.provider_ref is not null and p_event <> 'cancel';
  insert into events (customer_id, dialect, kind, order_id, document, at)
    select o.customer_id, o.dialect, case o.state when 4 then 'order.completed' when 5 then 'order.canceled' else 'order.expired' end, o.id, order_document_v1(o), p_now
      from orders o where o.id = any(ended) order by o.id;
  return query select o.id, o.customer_id, o.state, o.first_sms_at is null from orders o where o.id = any(ended) order by o.id;
end $$;

-- Ends up to p_limit orders whose time has passed.
create function expire_orders_v1(p_now timestamptz, p_cooldown interval, p_quarantine interval, p_limit int)
  returns table (order_id int, customer_id int, state smallint, unearned boolean) language plpgsql as $$
#variable_conflict use_column
declare due int[];
begin
  select array_agg(x.id) into due from (
    select o.id from orders o where o.state in (1, 2, 3) and o.expires_at <= p_now order by o.expires_at limit p_limit for update skip locked) x;
  return query select * from end_orders_v1(p_now, 'expire', p_cooldown, p_quarantine, coalesce(due, '{}'));
end $$;
