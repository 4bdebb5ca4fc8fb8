-- Rentals: numbers by the hour or by the day. A rental is one customer's hold of one number; its terms follow each other (rent,
-- re-rent), and each term has charges (rent, extend). Rows are locked in the order of the orders' commands, a rental standing where an
-- order stands: rentals, accounts, idempotency keys (each by id), then numbers.

-- What can be rented: countries by the name that customers use, services in the order of their priority, prices in cents of EUR.
create table rental_countries (
  country_id int primary key references countries,
  name text not null,
  open boolean not null default false
);
create unique index rental_countries_name on rental_countries (lower(name));
-- rent_type: 0 by the hour, 1 by the day. `units` is how many hours or days a period has.
create table rental_offers (
  country_id int not null references rental_countries,
  rent_type smallint not null,
  service_id int not null references services,
  priority int not null default 100,
  primary key (country_id, rent_type, service_id),
  constraint rental_offer_type check (rent_type in (0, 1))
);
create table rental_prices (
  country_id int not null,
  rent_type smallint not null,
  service_id int not null,
  units smallint not null,
  price bigint not null,
  primary key (country_id, rent_type, service_id, units),
  foreign key (country_id, rent_type, service_id) references rental_offers,
  constraint rental_price_positive check (price > 0 and units > 0)
);
insert into versions values ('rentals', 1);
create trigger rental_countries_version after insert or update or delete on rental_countries execute function version_bump('rentals');
create trigger rental_offers_version after insert or update or delete on rental_offers execute function version_bump('rentals');
create trigger rental_prices_version after insert or update or delete on rental_prices execute function version_bump('rentals');

-- State: 0 active, 1 expired, 2 cancelled.
create table rental_moves (
  state smallint not null,
  event text not null,
  next smallint not null,
  primary key (state, event)
);
insert into rental_moves values (0, 'cancel', 2), (0, 'expire', 1), (1, 'rerent', 0), (2, 'rerent', 0);

create sequence rental_serials;
create sequence rental_term_serials;
create sequence rental_charge_serials;
-- From term_id on: facts of the current or last term. units and price are those it began with; units_total counts its extensions, too.
create table rentals (
  id bigint primary key default nextval('rental_serials'),
  public_id text not null unique,
  customer_id int not null,
  dialect text not null,
  state smallint not null,
  number_id bigint not null,
  msisdn bigint not null,
  country_id int not null,
  rent_type smallint not null,
  service_ids int[] not null,
  currency text not null,
  rented_at timestamptz not null,
  term_id bigint not null,
  units int not null,
  price bigint not null,
  units_total int not null,
  used_ids int[] not null default '{}',
  messages int not null default 0,
  starts_at timestamptz not null,
  expires_at timestamptz not null,
  ended_at timestamptz,
  constraint rental_ended check ((state = 0) = (ended_at is null))
) with (fillfactor = 80);
alter sequence rental_serials owned by rentals.id;
create index rentals_customer on rentals (customer_id, term_id);
create index rentals_due on rentals (expires_at) where state = 0;

create function rentals_move_legal() returns trigger language plpgsql as $$
begin
  if not exists (select from rental_moves m where m.state = old.state and m.next = new.state) then
    raise exception 'rental % cannot move from state % to %', old.id, old.state, new.state using errcode = 'PT004';
  end if;
  return new;
end $$;
create trigger rentals_move_legal before update of state on rentals for each row
  when (old.state <> new.state) execute function rentals_move_legal();

-- A term ends when its time is over, or earlier by a cancel. No number has two terms at one time, whoever writes them: PostgreSQL
-- refuses the second. (A range of one id stands for the id, because a plain one would need an extension that not every server has.)
create table rental_terms (
  id bigint primary key default nextval('rental_term_serials'),
  rental_id bigint not null,
  customer_id int not null,
  number_id bigint not null,
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  canceled boolean not null default false,
  constraint term_not_backwards check (starts_at <= ends_at),
  constraint rental_number_once exclude using gist (int8range(number_id, number_id, '[]') with &&, tstzrange(starts_at, ends_at) with &&)
);
alter sequence rental_term_serials owned by rental_terms.id;
create index rental_terms_rental on rental_terms (rental_id, id);
create index rental_terms_number on rental_terms (number_id, id);

-- What was charged for a term, and from where. Kind: 0 rent or re-rent, 1 extend.
create table rental_charges (
  id bigint primary key default nextval('rental_charge_serials'),
  term_id bigint not null,
  kind smallint not null,
  units int not null,
  price bigint not null,
  from_bonus bigint not null,
  from_wallet bigint not null,
  at timestamptz not null,
  constraint charge_sources check (price = from_bonus + from_wallet and from_bonus >= 0 and from_wallet >= 0)
);
alter sequence rental_charge_serials owned by rental_charges.id;
create index rental_charges_term on rental_charges (term_id, id);

-- State 4 of a number: rented, by the rental named.
alter table numbers add column rental_id bigint;
alter table numbers add constraint number_held_by_rental check ((state = 4) = (rental_id is not null));
-- Small, because every batch of messages asks it whether any of its numbers is rented.
create index numbers_rented on numbers (msisdn) where state = 4;
-- The term that a message came in, and the service it is of when that could be told.
alter table messages add column term_id bigint;
alter table messages add column service_id int;
create index messages_term on messages (term_id, id) where term_id is not null;

-- Was this order the last that anybody had of a number of our own, by the code or by the day?
create or replace function number_rests_for_v1(p_number bigint, p_msisdn bigint, p_order int, p_ended_at timestamptz) returns boolean language sql stable as $$
  select not exists (select from orders o where o.msisdn = p_msisdn and o.number_id = p_number and o.id > p_order)
     and not exists (select from rental_terms t where t.number_id = p_number and t.starts_at >= p_ended_at)
$$;

-- Could the number be rented again by the customer of this rental, which has ended? While it rests, only when nobody had it since.
-- Once it is free again, a service that somebody else used on it meanwhile rests for this customer as for all.
create function rental_number_available_v1(r rentals, p_now timestamptz) returns boolean language sql stable as $$
  select case
    when r.state = 0 then r.expires_at <= p_now  -- its time is up, and nobody has written that down yet
    when n.state not in (0, 2) then false
    when not exists (select from rental_terms t where t.number_id = r.number_id and t.id > r.term_id)
     and not exists (select from orders o where o.msisdn = r.msisdn and o.number_id = r.number_id and o.created_at >= r.ended_at) then true
    else n.state = 0 and not exists (select from number_uses u where u.number_id = n.id and u.service_id = any(r.service_ids) and u.until > p_now)
    end
  from numbers n where n.id = r.number_id
$$;

-- Locks a free number of a country that may be sold for all of some services, beginning at a random pivot; those in p_taken are spoken for.
create function pick_rental_number_v1(p_now timestamptz, p_country int, p_services int[], p_pivot int, p_taken bigint[],
                                      out id bigint, out msisdn bigint) language plpgsql as $$
begin
  select n.id, n.msisdn into id, msisdn from numbers n
    where n.state = 0 and n.country_id = p_country and n.rnd >= p_pivot and n.id <> all(p_taken)
      and not exists (select from number_uses u where u.number_id = n.id and u.service_id = any(p_services) and u.until > p_now)
    order by n.rnd limit 1 for update of n skip locked;
  if id is not null then return; end if;
  select n.id, n.msisdn into id, msisdn from numbers n
    where n.state = 0 and n.country_id = p_country and n.rnd < p_pivot and n.id <> all(p_taken)
      and not exists (select from number_uses u where u.number_id = n.id and u.service_id = any(p_services) and u.until > p_now)
    order by n.rnd limit 1 for update of n skip locked;
end $$;

-- Is there a free number that somebody else has locked at this moment?
create function rental_numbers_exist_v1(p_now timestamptz, p_country int, p_services int[], p_taken bigint[]) returns boolean language sql stable as $$
  select exists (select from numbers n where n.state = 0 and n.country_id = p_country and n.id <> all(p_taken)
    and not exists (select from number_uses u where u.number_id = n.id and u.service_id = any(p_services) and u.until > p_now))
$$;

-- What a customer's history says of a charge or refund.
create function rental_note_v1(p_type text, p_msisdn bigint, p_country text, p_names jsonb, p_units int, p_rent_type int) returns jsonb language sql immutable as $$
  select jsonb_build_object('type', p_type,
    'description', case p_type when 'charge' then 'Number rental: +' else 'Refund of a number rental: +' end || p_msisdn,
    'metadata', jsonb_build_object('number', '+' || p_msisdn, 'country', p_country, 'services', p_names, 'period', p_units::text,
                                   'rentType', (array['SHORT', 'LONG'])[1 + p_rent_type]))
$$;

-- Rents numbers. p_services is an array of service ids as text, p_base their price by the list (it must still be that), p_price what the
-- customer pays, p_hours the length of the term, p_context {country, services: [{code, name}]} for the recorded document. Bonus is spent
-- before the wallet. Status of an item: rented (outcome is the recorded document), replayed, in_progress, key_reused, price_changed,
-- wallet_short (amount is what was available), busy (another transaction works on the wallet), no_numbers, retry (free numbers exist
-- but are locked by somebody who may yet give up).
create function rent_numbers_v1(
    p_now timestamptz, p_customer int[], p_dialect text[], p_wallet bigint[], p_bonus bigint[], p_currency text[], p_key text[], p_fingerprint bytea[],
    p_public text[], p_country int[], p_rent_type int[], p_units int[], p_hours int[], p_services text[], p_base bigint[], p_price bigint[], p_context jsonb[], p_pivot int[])
  returns table (idx int, status text, amount bigint, outcome jsonb) language plpgsql
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
  size int := cardinality(p_customer);
  a_id bigint[]; a_free bigint[];                                          -- wallets and bonuses of the batch, and what each can still spend
  k_fingerprint bytea[]; k_state smallint[]; k_outcome jsonb[]; k_ident text[];  -- keys that are known already, item by item
  l_price bigint[];                                                        -- the list's price of each item, null when the list has none
  c_item int[] := '{}'; c_rental bigint[] := '{}'; c_term bigint[] := '{}'; c_charge bigint[] := '{}';  -- rentals to be written
  c_number bigint[] := '{}'; c_msisdn bigint[] := '{}'; c_bonus bigint[] := '{}';
  d_ident text[] := '{}'; d_outcome jsonb[] := '{}';                       -- the same, for replays within the batch
  exhausted text[] := '{}'; place text; ends timestamptz; n_id bigint; n_msisdn bigint; i int; g int; w int; b int; given bigint; wanted int[];
begin
  select array_agg(x.id), array_agg(x.balance - x.held + x.credit_limit) into a_id, a_free
    from (select a.id, a.balance, a.held, a.credit_limit from accounts a where a.id = any(p_wallet || p_bonus) order by a.id for update skip locked) x;
  select array_agg(k.fingerprint order by u.n), array_agg(k.state order by u.n), array_agg(k.outcome order by u.n), array_agg(u.customer || ':' || u.key order by u.n),
         array_agg(l.price order by u.n)
    into k_fingerprint, k_state, k_outcome, k_ident, l_price
    from unnest(p_customer, p_key, p_country, p_rent_type, p_units, p_services) with ordinality u(customer, key, country, rent_type, units, services, n)
    left join lateral (select i.fingerprint, i.state, i.outcome from idempotency i where i.customer_id = u.customer and i.namespace = 2 and i.key = u.key limit 1) k on true
    left join lateral (select sum(p.price)::bigint price from unnest(u.services::int[]) s(id)
        join rental_prices p on p.country_id = u.country and p.rent_type = u.rent_type and p.service_id = s.id and p.units = u.units
        having count(*) = cardinality(u.services::int[]) and exists (select from rental_countries c where c.country_id = u.country and c.open)) l on true;

  -- Decide each item in turn; a refused one leaves money and numbers to the next.
  for i in 1 .. size loop
    idx := i; amount := null; outcome := null;
    w := array_position(a_id, p_wallet[i]); b := array_position(a_id, p_bonus[i]);
    if w is null or (p_bonus[i] is not null and b is null) then status := 'busy'; return next; continue; end if;
    g := array_position(d_ident, k_ident[i]);
    if k_state[i] is not null or g is not null then
      if coalesce(k_fingerprint[i], p_fingerprint[c_item[g]]) <> p_fingerprint[i] then status := 'key_reused';
      elsif k_state[i] = 1 then status := 'in_progress';
      else status := 'replayed'; outcome := coalesce(k_outcome[i], d_outcome[g]);
      end if;
      return next; continue;
    end if;
    if l_price[i] is distinct from p_base[i] then status := 'price_changed'; return next; continue; end if;
    given := least(p_price[i], greatest(coalesce(a_free[b], 0), 0));
    if p_price[i] - given > a_free[w] then status := 'wallet_short'; amount := a_free[w] + coalesce(a_free[b], 0); return next; continue; end if;
    wanted := p_services[i]::int[]; place := p_country[i] || ':' || p_services[i];
    n_id := null;
    if place <> all(exhausted) then
      select n.id, n.msisdn into n_id, n_msisdn from pick_rental_number_v1(p_now, p_country[i], wanted, p_pivot[i], c_number) n;
    end if;
    if n_id is null then
      exhausted := exhausted || place;
      status := case when rental_numbers_exist_v1(p_now, p_country[i], wanted, c_number) then 'retry' else 'no_numbers' end;
      return next; continue;
    end if;
    c_item := c_item || i; c_number := c_number || n_id; c_msisdn := c_msisdn || n_msisdn; c_bonus := c_bonus || given;
    c_rental := c_rental || nextval('rental_serials'); c_term := c_term || nextval('rental_term_serials'); c_charge := c_charge || nextval('rental_charge_serials');
    a_free[w] := a_free[w] - (p_price[i] - given);
    if b is not null then a_free[b] := a_free[b] - given; end if;
    ends := p_now + p_hours[i] * interval '1 hour';
    status := 'rented';
    outcome := jsonb_build_object('v', 1, 'units', p_units[i], 'price', p_price[i], 'currency', p_currency[i], 'starts_at', floor(extract(epoch from p_now)),
      'expires_at', floor(extract(epoch from ends)), 'rental', p_context[i] || jsonb_build_object('id', p_public[i], 'msisdn', n_msisdn, 'rent_type', p_rent_type[i]));
    d_ident := d_ident || k_ident[i]; d_outcome := d_outcome || outcome;
    return next;
  end loop;
  if cardinality(c_item) = 0 then return; end if;

  update numbers n set state = 4, rental_id = c.rental_id, free_at = null from unnest(c_rental, c_number) c(rental_id, number_id)
    where n.id = c.number_id and n.id = any(c_number);
  insert into rentals (id, public_id, customer_id, dialect, state, number_id, msisdn, country_id, rent_type, service_ids, currency,
                       rented_at, term_id, units, price, units_total, starts_at, expires_at)
    select c.rental_id, p_public[c.item], p_customer[c.item], p_dialect[c.item], 0, c.number_id, c.msisdn, p_country[c.item], p_rent_type[c.item], p_services[c.item]::int[],
           p_currency[c.item], p_now, c.term_id, p_units[c.item], p_price[c.item], p_units[c.item], p_now,
           p_now + p_hours[c.item] * interval '1 hour'
      from unnest(c_rental, c_term, c_item, c_number, c_msisdn) c(rental_id, term_id, item, number_id, msisdn);
  insert into rental_terms (id, rental_id, customer_id, number_id, starts_at, ends_at)
    select c.term_id, c.rental_id, p_customer[c.item], c.number_id, p_now, p_now + p_hours[c.item] * interval '1 hour'
      from unnest(c_term, c_rental, c_item, c_number) c(term_id, rental_id, item, number_id);
  insert into rental_charges (id, term_id, kind, units, price, from_bonus, from_wallet, at)
    select c.charge_id, c.term_id, 0, p_units[c.item], p_price[c.item], c.given, p_price[c.item] - c.given, p_now
      from unnest(c_charge, c_term, c_item, c_bonus) c(charge_id, term_id, item, given);
  with booked as (
    insert into journals (reason, ref, at) select 'rental.charge', c.charge_id, p_now from unnest(c_charge, c_item) c(charge_id, item)
      where p_price[c.item] > 0 returning id, ref::bigint charge_id
  ), noted as (
    insert into journal_details (journal_id, document)
      select b.id, rental_note_v1('charge', c.msisdn, p_context[c.item]->>'country', jsonb_path_query_array(p_context[c.item], '$.services[*].name'),
                                  p_units[c.item], p_rent_type[c.item])
        from unnest(c_charge, c_item, c_msisdn) c(charge_id, item, msisdn) join booked b on b.charge_id = c.charge_id
  )
  insert into transfers (journal_id, debit_id, credit_id, amount, currency)
    select b.id, side.debit, system_account_v1('revenue', 'rentals', p_currency[c.item]), side.amount, p_currency[c.item]
      from unnest(c_charge, c_item, c_bonus) c(charge_id, item, given) join booked b on b.charge_id = c.charge_id
      cross join lateral (values (1, p_bonus[c.item], c.given), (2, p_wallet[c.item], p_price[c.item] - c.given)) side(n, debit, amount)
      where side.amount > 0 order by c.charge_id, side.n;
  insert into idempotency (customer_id, namespace, key, fingerprint, state, outcome, created_at)
    select p_customer[d.item], 2, p_key[d.item], p_fingerprint[d.item], 2, d.outcome, p_now from unnest(c_item, d_outcome) d(item, outcome);
end $$;

-- Ends rentals by one event (cancel, expire): cuts the term, releases the number into quarantine, lets the services rest whose messages
-- came, and tells of an expiry. A rental for which the event is not legal is left alone and not returned.
create function end_rentals_v1(p_now timestamptz, p_event text, p_cooldown interval, p_quarantine interval, p_rentals bigint[])
  returns table (rental_id bigint, customer_id int) language plpgsql
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare ended bigint[];
begin
  perform from rentals r where r.id = any(p_rentals) order by r.id for update;
  with moved as (
    update rentals r set state = m.next, ended_at = greatest(least(p_now, r.expires_at), r.starts_at)
      from rental_moves m where r.id = any(p_rentals) and m.state = r.state and m.event = p_event returning r.id)
  select array_agg(v.id order by v.id) into ended from moved v;
  if ended is null then return; end if;

  update rental_terms t set ends_at = r.ended_at, canceled = true
    from rentals r where r.id = any(ended) and t.id = r.term_id and p_event = 'cancel';
  update numbers n set state = 2, rental_id = null, free_at = p_now + p_quarantine
    where n.id = any(array(select r.number_id from rentals r where r.id = any(ended))) and n.rental_id = any(ended);
  insert into number_uses as u (number_id, service_id, until)
    select distinct r.number_id, s.id, p_now + p_cooldown from rentals r cross join unnest(r.used_ids) s(id) where r.id = any(ended) order by 1, 2
    on conflict (number_id, service_id) do update set until = greatest(u.until, excluded.until);
  insert into events (customer_id, dialect, kind, document, at)
    select r.customer_id, r.dialect, 'rental.expired', jsonb_build_object('v', 1, 'rental', r.public_id, 'msisdn', r.msisdn, 'country', c.name,
                                                                      'rent_type', r.rent_type, 'expired_at', floor(extract(epoch from r.expires_at))), p_now
      from rentals r join rental_countries c on c.country_id = r.country_id where r.id = any(ended) and p_event = 'expire' order by r.id;
  return query select r.id, r.customer_id from rentals r where r.id = any(ended) order by r.id;
end $$;

-- Ends up to p_limit rentals whose time has passed.
create function expire_rentals_v1(p_now timestamptz, p_cooldown interval, p_quarantine interval, p_limit int)
  returns table (rental_id bigint, customer_id int) language plpgsql as $$
#variable_conflict use_column
declare due bigint[];
begin
  select array_agg(x.id) into due from (
    select r.id from rentals r where r.state = 0 and r.expires_at <= p_now order by r.expires_at limit p_limit for update skip locked) x;
  return query select * from end_rentals_v1(p_now, 'expire', p_cooldown, p_quarantine, coalesce(due, '{}'));
end $$;

-- Takes messages as receive_messages_v1 does, but leaves those for numbers that are rented now (status rented), unless their provider
-- says which of our orders they are for: nothing is written of them, because whose they are is decided by their text.
create function receive_messages_v2(
    p_now timestamptz, p_provider text[], p_message_id text[], p_msisdn bigint[], p_sender text[], p_text text[], p_code text[], p_ref text[])
  returns table (idx int, status text, message_id bigint, order_id int, customer_id int) language plpgsql
  set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare rented bigint[]; rest int[];
begin
  select array_agg(n.msisdn) into rented from numbers n where n.msisdn = any(p_msisdn) and n.state = 4;
  if rented is null then
    return query select * from receive_messages_v1(p_now, p_provider, p_message_id, p_msisdn, p_sender, p_text, p_code, p_ref);
    return;
  end if;
  select array_agg(r.id) into rented from numbers n join rentals r on r.id = n.rental_id
    where n.msisdn = any(rented) and r.state = 0 and r.expires_at > p_now;
  rented := array(select r.msisdn from rentals r where r.id = any(rented));
  rest := array(select i from generate_subscripts(p_msisdn, 1) i where p_msisdn[i] <> all(rented)
    or p_ref[i] is not null and exists (select from orders o where o.provider = p_provider[i] and o.provider_ref = p_ref[i]));
  return query select i, 'rented', null::bigint, null::int, null::int from generate_subscripts(p_msisdn, 1) i where i <> all(rest);
  if cardinality(rest) = 0 then return; end if;
  return query select rest[v.idx], v.status, v.message_id, v.order_id, v.customer_id from receive_messages_v1(p_now,
    array(select p_provider[i] from unnest(rest) with ordinality u(i, n) order by n), array(select p_message_id[i] from unnest(rest) with ordinality u(i, n) order by n),
    array(select p_msisdn[i] from unnest(rest) with ordinality u(i, n) order by n), array(select p_sender[i] from unnest(rest) with ordinality u(i, n) order by n),
    array(select p_text[i] from unnest(rest) with ordinality u(i, n) order by n), array(select p_code[i] from unnest(rest) with ordinality u(i, n) order by n),
    array(select p_ref[i] from unnest(rest) with ordinality u(i, n) order by n)) v;
end $$;

-- Takes messages for rentals that the caller has locked. Status of an item: seen (the provider told us before) or taken.
create function receive_rental_messages_v1(
    p_now timestamptz, p_provider text[], p_message_id text[], p_sender text[], p_text text[], p_code text[], p_rental bigint[], p_service int[])
  returns table (idx int, status text, message_id bigint, customer_id int) language plpgsql
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare n_id bigint[]; n_kept bigint[];
begin
  n_id := array(select nextval('messages_id_seq') from generate_subscripts(p_rental, 1));
  with kept as (
    insert into messages (id, provider, provider_message_id, msisdn, sender, text, otp_code, term_id, service_id, received_at) overriding system value
      select u.id, u.provider, u.message_id, r.msisdn, u.sender, u.text, u.code, r.term_id, u.service, p_now
        from unnest(n_id, p_provider, p_message_id, p_sender, p_text, p_code, p_rental, p_service) u(id, provider, message_id, sender, text, code, rental, service)
        join rentals r on r.id = u.rental order by u.id
      on conflict do nothing returning id)
  select coalesce(array_agg(id), '{}') into n_kept from kept;
  insert into customer_hours as h (customer_id, hour, received)
    select r.customer_id, date_trunc('hour', p_now, 'UTC'), count(distinct r.id)
      from unnest(n_id, p_rental) u(id, rental) join rentals r on r.id = u.rental where u.id = any(n_kept) and r.messages = 0
      group by r.customer_id order by r.customer_id
    on conflict (customer_id, hour) do update set received = h.received + excluded.received;
  update rentals r set messages = r.messages + x.n, used_ids = r.used_ids || x.services
    from (select u.rental, count(*)::int n,
                 coalesce(array_agg(distinct u.service) filter (where u.service is not null and u.service <> all(o.used_ids)), '{}') services
            from unnest(n_id, p_rental, p_service) u(id, rental, service) join rentals o on o.id = u.rental where u.id = any(n_kept) group by u.rental) x
    where r.id = x.rental and r.id = any(p_rental);
  insert into events (customer_id, dialect, kind, document, at)
    select r.customer_id, r.dialect, 'rental.message', jsonb_build_object('v', 1, 'rental', r.public_id, 'msisdn', r.msisdn, 'sender', u.sender, 'text', u.text,
                                                                         'received_at', floor(extract(epoch from p_now))), p_now
      from unnest(n_id, p_rental, p_sender, p_text) u(id, rental, sender, text) join rentals r on r.id = u.rental where u.id = any(n_kept) order by u.id;
  return query
    select u.n::int, case when u.id = any(n_kept) then 'taken' else 'seen' end,
           case when u.id = any(n_kept) then u.id else (select k.id from messages k where k.provider = u.provider and k.provider_message_id = u.message_id) end,
           r.customer_id
      from unnest(n_id, p_rental, p_provider, p_message_id) with ordinality u(id, rental, provider, message_id, n) join rentals r on r.id = u.rental order by u.n;
end $$;
