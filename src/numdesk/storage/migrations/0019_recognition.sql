-- The service that a message is really of: what operators say about services, messages that came for an order or rental of another
-- service, and the commands that compare. `messages.service_id` is now the recognised service for orders, too.

-- The operator's words of a service. In use "never", a word that numdesk brings along no longer counts.
create table service_words (
  service_id int not null references services,
  word text not null,
  use text not null,
  primary key (service_id, word),
  constraint service_word_use check (use in ('text', 'sender', 'never'))
);
-- Services of one family send each other's messages. Empty: the service is alone. No row: the family that numdesk brings along.
create table service_families (
  service_id int primary key references services,
  family text not null
);
insert into versions values ('services', 1);
create trigger services_recognised after insert or update or delete on services
  for each statement execute function version_bump('services');
create trigger service_words_version after insert or update or delete on service_words
  for each statement execute function version_bump('services');
create trigger service_families_version after insert or update or delete on service_families
  for each statement execute function version_bump('services');

-- A message that was recognised as another service's than its order or rental is for, and what told so. Withheld: the customer has
-- not seen it, and it has earned nothing. It goes when its message goes.
create table foreign_messages (
  message_id bigint primary key references messages on delete cascade,
  order_id int,
  rental_id bigint,
  told_by text not null,
  withheld boolean not null
);

-- Remembers that numbers of our own received messages of services, until a time.
create function remember_uses_v1(p_until timestamptz, p_msisdn bigint[], p_service int[]) returns void language sql
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
  insert into number_uses as u (number_id, service_id, until)
    select distinct n.id, x.service, p_until from unnest(p_msisdn, p_service) x(msisdn, service)
      join numbers n on n.msisdn = x.msisdn where x.service is not null order by 1, 2
    on conflict (number_id, service_id) do update set until = greatest(u.until, excluded.until)
$$;

-- Takes messages for orders as receive_messages_v1 does. p_service is the recognised service of each (null: not recognised), p_told_by
-- what told it, p_fits the ids, as an array in text, of the services whose orders may have it. A message of another service is
-- withheld (status withheld) when p_withhold: the order is left as it is. Our number remembers, for p_cooldown, a service that is not
-- its order's; its order's own is remembered when the order ends.
create function receive_order_messages_v1(
    p_now timestamptz, p_withhold boolean, p_cooldown interval, p_provider text[], p_message_id text[],
    p_msisdn bigint[], p_sender text[], p_text text[], p_code text[], p_ref text[],
    p_service int[], p_told_by text[], p_fits text[])
  returns table (idx int, status text, message_id bigint, order_id int, customer_id int) language plpgsql
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
  set enable_bitmapscan = off set enable_material = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
  size int := cardinality(p_msisdn);
  -- Item by item: the open order of the number, and repeats.
  m_order int[]; m_seen boolean[]; m_ident text[];
  -- The orders, locked.
  o_id int[]; o_state smallint[]; o_customer int[]; o_wallet bigint[]; o_dialect text[]; o_document jsonb[];
  o_code text[]; o_text text[]; o_revision int[]; o_first timestamptz[]; o_touched boolean[]; o_service int[];
  -- Messages to be kept.
  n_item int[] := '{}'; n_order int[] := '{}'; n_late boolean[] := '{}'; n_id bigint[] := '{}'; n_kept bigint[];
  n_foreign boolean[] := '{}'; n_used boolean[] := '{}';
  -- Events to be written.
  e_order int[] := '{}'; e_document jsonb[] := '{}';
  earned int[] := '{}'; i int; o int; known int; is_foreign boolean;
begin
  -- An order may end, and its number be bought again, between our look and our lock: then look again.
  for look in 1 .. 3 loop
  select array_agg(x.id order by u.n), array_agg(u.provider || ' ' || u.message_id order by u.n)
    into m_order, m_ident
    from unnest(p_provider, p_message_id, p_msisdn, p_ref) with ordinality u(provider, message_id, msisdn, ref, n)
    left join lateral (
      select r.id from orders r where r.msisdn = u.msisdn and r.state in (1, 2, 3) and r.expires_at > p_now
        and r.provider in (u.provider, 'local') and (u.ref is null or r.provider_ref = u.ref)
        order by r.id desc limit 1) x on true;
  select array_agg(x.id), array_agg(x.state), array_agg(x.customer_id), array_agg(x.wallet_id), array_agg(x.dialect),
         array_agg(x.otp_code), array_agg(x.otp_message), array_agg(x.sms_revision), array_agg(x.first_sms_at),
         array_agg(false), array_agg(x.service_id)
    into o_id, o_state, o_customer, o_wallet, o_dialect, o_code, o_text, o_revision, o_first, o_touched, o_service
    from (select * from orders r where r.id = any(m_order) order by r.id for update) x;
  exit when not exists (select from unnest(o_state) s where s not in (1, 2, 3));
  end loop;
  perform from accounts a where a.id = any(o_wallet) order by a.id for update;
  select array_agg(order_document_v1(r) order by r.id) into o_document from orders r where r.id = any(o_id);
  select array_agg(k.id is not null order by u.n) into m_seen
    from unnest(p_provider, p_message_id) with ordinality u(provider, message_id, n)
    left join lateral (
      select e.id from messages e where e.provider = u.provider and e.provider_message_id = u.message_id limit 1) k on true;

  for i in 1 .. size loop
    if m_seen[i] or array_position(m_ident, m_ident[i]) < i then continue; end if;
    o := array_position(o_id, m_order[i]);
    n_item := n_item || i; n_id := n_id || nextval('messages_id_seq');
    if o is null or o_state[o] not in (1, 2, 3) then
      select max(r.id) into known from orders r where r.msisdn = p_msisdn[i] and r.provider in (p_provider[i], 'local');
      n_order := n_order || known; n_late := n_late || (known is not null);
      n_foreign := n_foreign || false; n_used := n_used || (p_service[i] is not null);
      continue;
    end if;
    is_foreign := p_service[i] is not null and o_service[o] <> all(p_fits[i]::int[]);
    n_order := n_order || o_id[o]; n_late := n_late || false; n_foreign := n_foreign || is_foreign;
    n_used := n_used || (p_service[i] is not null and p_service[i] <> o_service[o]);
    if is_foreign and p_withhold then continue; end if;
    if o_state[o] = 1 then earned := earned || o_id[o]; o_first[o] := p_now; end if;
    o_state[o] := 2; o_touched[o] := true;
    o_code[o] := coalesce(p_code[i], o_code[o]); o_text[o] := p_text[i]; o_revision[o] := o_revision[o] + 1;
    e_order := e_order || o;
    e_document := e_document || (o_document[o] || jsonb_build_object('state', 2, 'otp_code', o_code[o], 'otp_message', o_text[o],
      'sms_revision', o_revision[o], 'first_sms_at', extract(epoch from o_first[o])));
  end loop;

  with kept as (
    insert into messages (id, provider, provider_message_id, msisdn, sender, text, otp_code, order_id, late, received_at, service_id)
      overriding system value
      select n.id, p_provider[n.item], p_message_id[n.item], p_msisdn[n.item], p_sender[n.item], p_text[n.item], p_code[n.item],
             n.order_id, n.late, p_now, p_service[n.item]
        from unnest(n_id, n_item, n_order, n_late) n(id, item, order_id, late)
      on conflict do nothing returning id)
  select array_agg(id) into n_kept from kept;
  if true = any(n_foreign) then
    insert into foreign_messages (message_id, order_id, told_by, withheld)
      select n.id, n.order_id, p_told_by[n.item], p_withhold
        from unnest(n_id, n_item, n_order, n_foreign) n(id, item, order_id, is_foreign) where n.is_foreign and n.id = any(n_kept);
  end if;
  if true = any(n_used) then
    perform remember_uses_v1(p_now + p_cooldown, array_agg(p_msisdn[n.item]), array_agg(p_service[n.item]))
      from unnest(n_id, n_item, n_used) n(id, item, used) where n.used and n.id = any(n_kept);
  end if;
  if cardinality(e_order) > 0 then
    update orders r set state = c.state, otp_code = c.code, otp_message = c.text, sms_revision = c.revision, first_sms_at = c.first,
                        revision = r.revision + 1
      from unnest(o_id, o_state, o_code, o_text, o_revision, o_first, o_touched) c(id, state, code, text, revision, first, touched)
      where r.id = c.id and r.id = any(o_id) and c.touched;
    insert into events (customer_id, dialect, kind, order_id, document, at)
      select o_customer[e.o], o_dialect[e.o], 'order.received', o_id[e.o], e.document, p_now
        from unnest(e_order, e_document) e(o, document);
  end if;
  if cardinality(earned) > 0 then
    perform earn_orders_v1(p_now, earned);
    perform count_endings_v1(p_now, 'received', earned);
  end if;

  for i in 1 .. size loop
    idx := i; o := array_position(n_item, i); message_id := n_id[o]; order_id := null; customer_id := null;
    if o is null or not message_id = any(n_kept) then
      status := 'seen';
      select k.id, k.order_id into message_id, order_id
        from messages k where k.provider = p_provider[i] and k.provider_message_id = p_message_id[i];
    else
      order_id := n_order[o];
      status := case when n_late[o] then 'late' when order_id is null then 'orphan'
                     when n_foreign[o] and p_withhold then 'withheld' else 'taken' end;
    end if;
    customer_id := o_customer[array_position(o_id, order_id)];
    return next;
  end loop;
end $$;

-- Takes messages for orders, but leaves those for numbers that are rented now (status rented), unless their provider says which of our
-- orders they are for: nothing is written of them, because whose they are is decided by their text.
create function receive_messages_v3(
    p_now timestamptz, p_withhold boolean, p_cooldown interval, p_provider text[], p_message_id text[],
    p_msisdn bigint[], p_sender text[], p_text text[], p_code text[], p_ref text[],
    p_service int[], p_told_by text[], p_fits text[])
  returns table (idx int, status text, message_id bigint, order_id int, customer_id int) language plpgsql
  set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare rented bigint[]; rest int[];
begin
  select array_agg(n.msisdn) into rented from numbers n where n.msisdn = any(p_msisdn) and n.state = 4;
  if rented is null then
    return query select * from receive_order_messages_v1(p_now, p_withhold, p_cooldown, p_provider, p_message_id,
      p_msisdn, p_sender, p_text, p_code, p_ref, p_service, p_told_by, p_fits);
    return;
  end if;
  select array_agg(r.id) into rented from numbers n join rentals r on r.id = n.rental_id
    where n.msisdn = any(rented) and r.state = 0 and r.expires_at > p_now;
  rented := array(select r.msisdn from rentals r where r.id = any(rented));
  rest := array(select i from generate_subscripts(p_msisdn, 1) i where p_msisdn[i] <> all(rented)
    or p_ref[i] is not null and exists (select from orders o where o.provider = p_provider[i] and o.provider_ref = p_ref[i]));
  return query select i, 'rented', null::bigint, null::int, null::int
    from generate_subscripts(p_msisdn, 1) i where i <> all(rest);
  if cardinality(rest) = 0 then return; end if;
  return query select rest[v.idx], v.status, v.message_id, v.order_id, v.customer_id
    from (select array_agg(p_provider[i] order by n) provider, array_agg(p_message_id[i] order by n) message_id,
                 array_agg(p_msisdn[i] order by n) msisdn, array_agg(p_sender[i] order by n) sender,
                 array_agg(p_text[i] order by n) body, array_agg(p_code[i] order by n) code, array_agg(p_ref[i] order by n) ref,
                 array_agg(p_service[i] order by n) service, array_agg(p_told_by[i] order by n) told_by,
                 array_agg(p_fits[i] order by n) fits
            from unnest(rest) with ordinality u(i, n)) a
    cross join lateral receive_order_messages_v1(p_now, p_withhold, p_cooldown, a.provider, a.message_id,
      a.msisdn, a.sender, a.body, a.code, a.ref, a.service, a.told_by, a.fits) v;
end $$;

-- Takes messages for rentals that the caller has locked. p_service is the rented service that a message marks as used, p_recognised the
-- one that it is really of. p_told_by is set for one that the rental is not for: it is withheld when p_withhold, else it is the
-- rental's like any other. Status of an item: seen (the provider told us before), taken or withheld.
create function receive_rental_messages_v2(
    p_now timestamptz, p_withhold boolean, p_cooldown interval, p_provider text[], p_message_id text[], p_sender text[],
    p_text text[], p_code text[], p_rental bigint[], p_service int[], p_recognised int[], p_told_by text[])
  returns table (idx int, status text, message_id bigint, customer_id int) language plpgsql
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
  set enable_bitmapscan = off set enable_material = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare n_id bigint[]; n_kept bigint[]; n_shown bigint[];
begin
  n_id := array(select nextval('messages_id_seq') from generate_subscripts(p_rental, 1));
  with kept as (
    insert into messages (id, provider, provider_message_id, msisdn, sender, text, otp_code, term_id, service_id, received_at)
      overriding system value
      select u.id, u.provider, u.message_id, r.msisdn, u.sender, u.text, u.code,
             case when u.told_by is null or not p_withhold then r.term_id end, coalesce(u.service, u.recognised), p_now
        from unnest(n_id, p_provider, p_message_id, p_sender, p_text, p_code, p_rental, p_service, p_recognised, p_told_by)
          u(id, provider, message_id, sender, text, code, rental, service, recognised, told_by)
        join rentals r on r.id = u.rental order by u.id
      on conflict do nothing returning id)
  select coalesce(array_agg(id), '{}') into n_kept from kept;
  insert into foreign_messages (message_id, rental_id, told_by, withheld)
    select u.id, u.rental, u.told_by, p_withhold from unnest(n_id, p_rental, p_told_by) u(id, rental, told_by)
      where u.told_by is not null and u.id = any(n_kept);
  perform remember_uses_v1(p_now + p_cooldown, array_agg(r.msisdn), array_agg(u.recognised))
    from unnest(n_id, p_rental, p_recognised) u(id, rental, recognised) join rentals r on r.id = u.rental
    where u.id = any(n_kept) and u.recognised <> all(r.service_ids);
  n_shown := array(select u.id from unnest(n_id, p_told_by) u(id, told_by)
    where u.id = any(n_kept) and (u.told_by is null or not p_withhold));
  insert into customer_hours as h (customer_id, hour, received)
    select r.customer_id, date_trunc('hour', p_now, 'UTC'), count(distinct r.id)
      from unnest(n_id, p_rental) u(id, rental) join rentals r on r.id = u.rental
      where u.id = any(n_shown) and r.messages = 0 group by r.customer_id order by r.customer_id
    on conflict (customer_id, hour) do update set received = h.received + excluded.received;
  update rentals r set messages = r.messages + x.n, used_ids = r.used_ids || x.services
    from (select u.rental, count(*)::int n,
                 coalesce(array_agg(distinct u.service) filter (where u.service is not null and u.service <> all(o.used_ids)),
                          '{}') services
            from unnest(n_id, p_rental, p_service) u(id, rental, service) join rentals o on o.id = u.rental
            where u.id = any(n_shown) group by u.rental) x
    where r.id = x.rental and r.id = any(p_rental);
  insert into events (customer_id, dialect, kind, document, at)
    select r.customer_id, r.dialect, 'rental.message',
           jsonb_build_object('v', 1, 'rental', r.public_id, 'msisdn', r.msisdn, 'sender', u.sender, 'text', u.text,
                              'received_at', floor(extract(epoch from p_now))), p_now
      from unnest(n_id, p_rental, p_sender, p_text) u(id, rental, sender, text) join rentals r on r.id = u.rental
      where u.id = any(n_shown) order by u.id;
  return query
    select u.n::int, case when u.id = any(n_shown) then 'taken' when u.id = any(n_kept) then 'withheld' else 'seen' end,
           case when u.id = any(n_kept) then u.id
                else (select k.id from messages k where k.provider = u.provider and k.provider_message_id = u.message_id) end,
           r.customer_id
      from unnest(n_id, p_rental, p_provider, p_message_id) with ordinality u(id, rental, provider, message_id, n)
      join rentals r on r.id = u.rental order by u.n;
end $$;

-- Ends orders as end_orders_v1 does, but a number does not remember its order's service when all that came was another's.
create function end_orders_v2(p_now timestamptz, p_event text, p_cooldown interval, p_quarantine interval, p_orders int[])
  returns table (order_id int, customer_id int, state smallint, unearned boolean) language plpgsql
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
  set enable_bitmapscan = off set enable_material = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare ended int[]; refunded int[];
begin
  perform from orders o where o.id = any(p_orders) order by o.id for update;
  perform from accounts a where a.id in (select o.wallet_id from orders o where o.id = any(p_orders)) order by a.id for update;
  with moved as (
    update orders o set state = m.next, ended_at = p_now, revision = o.revision + 1
      from order_moves m where o.id = any(p_orders) and m.state = o.state and m.event = p_event returning o.id, o.first_sms_at)
  select array_agg(v.id order by v.id), array_agg(v.id order by v.id) filter (where v.first_sms_at is null)
    into ended, refunded from moved v;
  if ended is null then return; end if;

  update holds h set state = case when p_event = 'expire' then 3 else 2 end, ended_at = p_now
    where h.kind = 'order' and h.ref = any(refunded);
  if refunded is not null then
    perform count_endings_v1(p_now, case when p_event = 'expire' then 'expired' else 'canceled' end, refunded);
  end if;
  insert into number_uses as u (number_id, service_id, until)
    select o.number_id, o.service_id, p_now + p_cooldown from orders o
      where o.id = any(ended) and o.number_id is not null
        and coalesce((select bool_or(f.message_id is null) from messages m left join foreign_messages f on f.message_id = m.id
                        where m.order_id = o.id and not m.late), true)
      order by 1, 2
    on conflict (number_id, service_id) do update set until = greatest(u.until, excluded.until);
  update numbers n set state = 2, order_id = null, free_at = p_now + p_quarantine
    where n.id = any(array(select o.number_id from orders o where o.id = any(ended) and o.number_id is not null))
      and n.order_id = any(ended);
  insert into jobs (kind, payload, run_at)
    select 'orders.release', jsonb_build_object('order', o.id), p_now
      from orders o where o.id = any(ended) and o.provider_ref is not null and p_event <> 'cancel';
  insert into events (customer_id, dialect, kind, order_id, document, at)
    select o.customer_id, o.dialect, case o.state when 4 then 'order.completed' when 5 then 'order.canceled' else 'order.expired' end,
           o.id, order_document_v1(o), p_now
      from orders o where o.id = any(ended) order by o.id;
  return query select o.id, o.customer_id, o.state, o.first_sms_at is null from orders o where o.id = any(ended) order by o.id;
end $$;
