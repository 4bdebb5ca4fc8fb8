-- The ledger. Money moves by inserting transfers and holds, and in no other way: the triggers below write the entries and keep
-- the balances, so no statement, ours or typed by hand, can move one side without the other.
--
-- The tables that every order writes to (here and in the files that follow) have no foreign keys: their checks would share-lock the
-- same few parent rows from every transaction and cost more than the write. Parents are never deleted, the triggers and commands read
-- them in the same transaction, and the ledger check proves what a foreign key would.

create table currencies (
  code text primary key,
  decimals smallint not null
);
insert into currencies values ('IDR', 0), ('USD', 2), ('EUR', 2), ('RUB', 2), ('UAH', 2), ('KZT', 2), ('CNY', 2), ('USDT', 6), ('BTC', 8);

-- A wallet is a live account: it keeps its balance in the row and may not fall short. A system account keeps none: its balance
-- is the sum of its entries (rolled up in ledger_rollups), because one hot row would serialise all orders. `lines`: how many journals
-- moved the live account; one that moved several of the same owner and currency counts for the first of them, so that their sum is the
-- length of the owner's history.
create table accounts (
  id bigint generated always as identity primary key,
  kind text not null,
  owner bigint,
  label text,
  currency text not null references currencies,
  live boolean not null,
  balance bigint not null default 0,
  held bigint not null default 0,
  credit_limit bigint not null default 0,
  lines bigint not null default 0,
  constraint account_unique unique nulls not distinct (kind, owner, label, currency),
  constraint wallet_short check (not live or balance - held + credit_limit >= 0),
  constraint held_not_negative check (held >= 0),
  constraint credit_limit_not_negative check (credit_limit >= 0)
) with (fillfactor = 50);
create index accounts_owner on accounts (owner) where owner is not null;

create table journals (
  id bigint generated always as identity primary key,
  reason text not null,
  ref text not null,
  note text,
  at timestamptz not null,
  constraint journal_once unique (reason, ref)
);

create table transfers (
  id bigint generated always as identity primary key,
  journal_id bigint not null,
  debit_id bigint not null,
  credit_id bigint not null,
  amount bigint not null,
  currency text not null,
  constraint transfer_positive check (amount > 0),
  constraint transfer_two_accounts check (debit_id <> credit_id)
);
create index transfers_journal on transfers (journal_id);

-- amount is signed: what the account gains. balance_after is kept for live accounts only.
create table entries (
  id bigint generated always as identity primary key,
  transfer_id bigint not null,
  account_id bigint not null,
  amount bigint not null,
  balance_after bigint
);
create index entries_account on entries (account_id, id);

-- A hold reserves money of a wallet for one thing (kind, ref) and ends exactly once. State: 0 open, 1 posted, 2 voided, 3 expired.
create table holds (
  kind text not null,
  ref bigint not null,
  account_id bigint not null,
  amount bigint not null,
  state smallint not null default 0,
  opened_at timestamptz not null,
  ended_at timestamptz,
  journal_id bigint,
  primary key (kind, ref),
  constraint hold_not_negative check (amount >= 0),
  constraint hold_state check (state between 0 and 3 and (state = 0) = (ended_at is null) and (journal_id is null or state = 1))
) with (fillfactor = 80);
create index holds_open on holds (account_id) where state = 0;

-- What a customer's history says of a journal beside its amounts: {"type", "description", "metadata"}. Written with the journal, never changed.
create table journal_details (
  journal_id bigint primary key references journals,
  document jsonb not null
);

create function ledger_refuse() returns trigger language plpgsql as $$
begin
  raise exception 'the ledger is append-only: % on % is refused', tg_op, tg_table_name using errcode = 'PT001';
end $$;
create trigger journals_append_only before update or delete or truncate on journals execute function ledger_refuse();
create trigger transfers_append_only before update or delete or truncate on transfers execute function ledger_refuse();
create trigger entries_append_only before update or delete or truncate on entries execute function ledger_refuse();
create trigger journal_details_append_only before update or delete or truncate on journal_details execute function ledger_refuse();
create trigger holds_never_deleted before delete or truncate on holds execute function ledger_refuse();

-- Writes both entries of each new transfer and adds them to the live balances, wallets locked in id order.
create function transfers_apply() returns trigger language plpgsql
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off as $$
declare touched bigint[] := array(select debit_id from fresh union select credit_id from fresh); has_bonus boolean;
begin
  if exists (select from fresh t left join accounts d on d.id = t.debit_id left join accounts c on c.id = t.credit_id
             where d.currency is distinct from t.currency or c.currency is distinct from t.currency) then
    raise exception 'a transfer joins two accounts of its currency' using errcode = 'PT002';
  end if;
  select bool_or(x.kind = 'bonus') into has_bonus
    from (select a.kind from accounts a where a.live and a.id = any(touched) order by a.id for update) x;
  insert into entries (transfer_id, account_id, amount, balance_after)
    select s.transfer_id, s.account_id, s.amount,
           case when a.live then a.balance + sum(s.amount) over (partition by s.account_id order by s.transfer_id, s.side) end
      from (select id transfer_id, 0 side, debit_id account_id, -amount amount from fresh
            union all select id, 1, credit_id, amount from fresh) s
      join accounts a on a.id = s.account_id and a.id = any(touched)
      order by s.transfer_id, s.side;
  if has_bonus is not true then
    update accounts a set balance = a.balance + s.amount, lines = a.lines + s.lines
      from (select account_id, sum(amount)::bigint amount, count(distinct journal_id) lines
              from (select journal_id, debit_id account_id, -amount amount from fresh union all select journal_id, credit_id, amount from fresh) x
              group by account_id) s
      where a.id = s.account_id and a.id = any(touched) and a.live;
    return null;
  end if;
  -- What moves a customer's wallet and bonus together is one line of their history.
  update accounts a set balance = a.balance + s.amount, lines = a.lines + s.lines
    from (select account_id, sum(amount)::bigint amount, count(distinct journal_id) filter (where account_id = first_id) lines
            from (select m.*, min(o.id) over (partition by m.journal_id, o.owner, o.currency) first_id
                    from (select journal_id, debit_id account_id, -amount amount from fresh union all select journal_id, credit_id, amount from fresh) m
                    join accounts o on o.id = m.account_id and o.id = any(touched) and o.live) x
            group by account_id) s
    where a.id = s.account_id and a.id = any(touched) and a.live;
  return null;
end $$;
create trigger transfers_apply after insert on transfers referencing new table as fresh
  for each statement execute function transfers_apply();

create function holds_opened() returns trigger language plpgsql
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off as $$
declare ids bigint[]; amounts bigint[];
begin
  select array_agg(s.account_id), array_agg(s.amount) into ids, amounts
    from (select account_id, sum(amount)::bigint amount from fresh where state = 0 group by account_id) s;
  update accounts a set held = a.held + s.amount from unnest(ids, amounts) s(account_id, amount) where a.id = s.account_id and a.id = any(ids);
  return null;
end $$;
create trigger holds_opened after insert on holds referencing new table as fresh
  for each statement execute function holds_opened();

-- A hold that has ended never changes again, and an open one changes only by ending.
create function holds_end_once() returns trigger language plpgsql as $$
begin
  if old.state <> 0 or new.state = 0 or (new.kind, new.ref, new.account_id, new.amount) is distinct from (old.kind, old.ref, old.account_id, old.amount) then
    raise exception 'hold % % ends exactly once', old.kind, old.ref using errcode = 'PT003';
  end if;
  return new;
end $$;
create trigger holds_end_once before update on holds for each row execute function holds_end_once();

create function holds_ended() returns trigger language plpgsql
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off as $$
declare ids bigint[]; amounts bigint[];
begin
  select array_agg(s.account_id), array_agg(s.amount) into ids, amounts
    from (select account_id, sum(amount)::bigint amount from ended group by account_id) s;
  update accounts a set held = a.held - s.amount from unnest(ids, amounts) s(account_id, amount) where a.id = s.account_id and a.id = any(ids);
  return null;
end $$;
create trigger holds_ended after update on holds referencing new table as ended
  for each statement execute function holds_ended();

-- The sum of all entries up to `through_id`, per account: what makes a system balance cheap and a check incremental.
create table ledger_rollups (
  account_id bigint primary key references accounts,
  balance bigint not null
);
-- The hash chain: each block covers the entries after the previous block's last one, in id order.
create table ledger_blocks (
  number bigint primary key,
  last_entry_id bigint not null unique,
  entries bigint not null,
  hash bytea not null,
  at timestamptz not null
);
create trigger ledger_blocks_append_only before update or delete or truncate on ledger_blocks execute function ledger_refuse();

-- The state of the last check, for /readyz and the incremental run.
create table ledger_checks (
  id bigint generated always as identity primary key,
  at timestamptz not null,
  scope text not null,
  through_entry_id bigint not null,
  report jsonb not null
);

-- A page of what moved one or two live accounts of one owner, journal by journal: found by a walk over the entries from the oldest or the
-- newest one on, which ends with the page. A journal stands at the last of its entries; those of one journal follow each other, because
-- they are written under the accounts' locks. (Pairs are compared where one id would do, so that no plan but that index serves.)
create function account_lines_v1(p_account bigint, p_other bigint, p_from_oldest boolean, p_limit bigint, p_skip bigint)
  returns table (last_id bigint, journal_id bigint, amount bigint, after bigint, reason text, note text, at timestamptz, document jsonb) language plpgsql stable
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare ids bigint[];
begin
  if p_from_oldest then
    ids := array(select w.id from unnest(array[p_account, p_other]) a(id) cross join lateral (
                   select e.id from entries e join transfers t on t.id = e.transfer_id
                     where (e.account_id, e.id) >= (a.id, 0) and (e.account_id, e.id) <= (a.id, 9223372036854775807)
                       and not exists (select from transfers y where y.journal_id = t.journal_id and y.id > t.id
                                         and (y.debit_id in (p_account, p_other) or y.credit_id in (p_account, p_other)))
                     order by e.account_id, e.id limit p_skip + p_limit) w
                 order by w.id limit p_limit offset p_skip);
  else
    ids := array(select w.id from unnest(array[p_account, p_other]) a(id) cross join lateral (
                   select e.id from entries e join transfers t on t.id = e.transfer_id
                     where (e.account_id, e.id) >= (a.id, 0) and (e.account_id, e.id) <= (a.id, 9223372036854775807)
                       and not exists (select from transfers y where y.journal_id = t.journal_id and y.id > t.id
                                         and (y.debit_id in (p_account, p_other) or y.credit_id in (p_account, p_other)))
                     order by e.account_id desc, e.id desc limit p_skip + p_limit) w
                 order by w.id desc limit p_limit offset p_skip);
  end if;
  return query
    select l.id, j.id,
           (select sum(case when y.credit_id in (p_account, p_other) then y.amount else 0 end - case when y.debit_id in (p_account, p_other) then y.amount else 0 end)::bigint
              from transfers y where y.journal_id = j.id),
           (select coalesce(sum((select case when e.account_id = a.id then e.balance_after end from entries e
                                   where (e.account_id, e.id) <= (a.id, l.id) order by e.account_id desc, e.id desc limit 1)), 0)::bigint
              from unnest(array[p_account, p_other]) a(id)),
           j.reason, j.note, j.at, d.document
      from unnest(ids) l(id) join entries e on e.id = l.id join transfers t on t.id = e.transfer_id join journals j on j.id = t.journal_id
      left join journal_details d on d.journal_id = j.id;
end $$;
