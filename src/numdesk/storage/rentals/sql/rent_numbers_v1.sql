CREATE OR REPLACE FUNCTION public.rent_numbers_v1(p_now timestamp with time zone, p_customer integer[], p_dialect text[], p_wallet bigint[], p_bonus bigint[], p_currency text[], p_key text[], p_fingerprint bytea[], p_public text[], p_country integer[], p_rent_type integer[], p_units integer[], p_hours integer[], p_services text[], p_base bigint[], p_price bigint[], p_context jsonb[], p_pivot integer[])
 RETURNS TABLE(idx integer, status text, amount bigint, outcome jsonb)
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_material TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
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
end $function$
