CREATE OR REPLACE FUNCTION public.receive_messages_v1(p_now timestamp with time zone, p_provider text[], p_message_id text[], p_msisdn bigint[], p_sender text[], p_text text[], p_code text[], p_ref text[])
 RETURNS TABLE(idx integer, status text, message_id bigint, order_id integer, customer_id integer)
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
end $function$
