-- Top-ups, what the gateways say of their payments, and every callback as it came.

-- State: see domain/topups.py. opening_until (real time): somebody is asking the gateway for the invoice. next_poll_at: null when nothing
-- more is expected.
create table topups (
  id bigint generated always as identity primary key,
  public_id text not null unique,
  customer_id int not null references customers,
  dialect text not null,
  provider text not null,
  currency text not null references currencies,
  amount bigint not null,
  final_amount bigint not null,
  discount_bp int not null,
  policy jsonb not null,
  state smallint not null default 0,
  credited bigint not null default 0,
  invoice_id text,
  payment_url text,
  created_at timestamptz not null,
  expires_at timestamptz,
  opening_until timestamptz,
  polls int not null default 0,
  next_poll_at timestamptz,
  constraint topup_amounts check (amount > 0 and final_amount > 0 and final_amount <= amount),
  constraint topup_state check (state between 0 and 10),
  constraint topup_credited check (credited >= 0),
  constraint topup_invoice_once unique (provider, invoice_id)
);
create index topups_customer on topups (customer_id, id);
create index topups_poll on topups (next_poll_at) where next_poll_at is not null;

-- Which state may follow which; the same table as domain/topups.py:MOVES.
create table topup_moves (
  state smallint not null,
  next smallint not null,
  primary key (state, next)
);
insert into topup_moves values
  (0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (0, 6), (0, 7), (0, 8), (0, 9), (0, 10),
  (1, 2), (1, 3), (1, 4), (1, 5), (1, 6), (1, 7), (1, 8), (1, 9), (1, 10),
  (2, 3), (2, 4), (2, 5), (2, 6), (2, 7), (2, 8), (2, 9), (2, 10),
  (3, 4), (3, 5), (3, 8), (3, 9), (3, 10),
  (4, 5), (4, 8), (4, 9),
  (5, 4), (5, 8), (5, 9),
  (6, 2), (6, 3), (6, 4), (6, 5), (6, 7), (6, 8), (6, 9), (6, 10),
  (7, 2), (7, 3), (7, 4), (7, 5), (7, 6), (7, 8), (7, 9), (7, 10),
  (8, 4), (8, 5), (8, 9), (8, 10),
  (9, 4), (9, 5), (9, 8), (9, 10),
  (10, 4), (10, 5), (10, 8), (10, 9);

create function topups_move_legal() returns trigger language plpgsql as $$
begin
  if not exists (select from topup_moves m where m.state = old.state and m.next = new.state) then
    raise exception 'top-up % cannot move from state % to %', old.id, old.state, new.state using errcode = 'PT004';
  end if;
  return new;
end $$;
create trigger topups_move_legal before update of state on topups for each row
  when (old.state <> new.state) execute function topups_move_legal();

-- `facts` is the newest truth that the gateway told. The amounts are what stands in the ledger for it, in minor units of the top-up's
-- currency: `owed` is what was taken back and the wallet did not have. `seq` counts its journals.
create table topup_payments (
  id bigint generated always as identity primary key,
  topup_id bigint not null references topups,
  provider text not null,
  payment_id text not null,
  facts jsonb not null,
  changed_at timestamptz,
  seen_at timestamptz,
  heard_at timestamptz not null,
  credit bigint not null default 0,
  received bigint not null default 0,
  fee bigint not null default 0,
  suspense bigint not null default 0,
  owed bigint not null default 0,
  seq int not null default 0,
  doubt text,
  decision text,
  worth bigint,
  constraint topup_payment_once unique (provider, payment_id),
  constraint topup_payment_amounts check (credit >= 0 and received >= 0 and suspense >= 0 and owed >= 0)
);
create index topup_payments_topup on topup_payments (topup_id);
create index topup_payments_changed on topup_payments (provider, (coalesce(changed_at, heard_at)));
create index topup_payments_doubt on topup_payments (id) where doubt is not null;

-- A callback is kept before it is looked at; `result` says what became of it.
create table payment_inbox (
  id bigint generated always as identity primary key,
  provider text not null,
  sha256 bytea not null,
  received_at timestamptz not null,
  headers jsonb not null,
  body bytea not null,
  reference text not null,
  invoice_id text,
  payment_id text,
  done_at timestamptz,
  result text,
  constraint payment_inbox_once unique (provider, sha256)
);
create index payment_inbox_age on payment_inbox (received_at);

-- What the nightly comparison with each gateway found.
create table payment_audits (
  id bigint generated always as identity primary key,
  provider text not null,
  at timestamptz not null,
  since timestamptz not null,
  until timestamptz not null,
  checked int not null,
  differences jsonb not null
);
create index payment_audits_newest on payment_audits (provider, id);

-- Keys of providers that are not given by the environment, sealed.
create table provider_settings (
  provider text not null,
  name text not null,
  sealed bytea not null,
  set_at timestamptz not null,
  primary key (provider, name)
);
