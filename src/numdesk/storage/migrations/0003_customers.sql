-- Customers, their keys, and the abuse guard's memory of them.

create table customers (
  id int generated always as identity primary key,
  name text not null,
  state smallint not null,
  created_at timestamptz not null,
  guard_until timestamptz,
  guard_tier text,
  contact jsonb not null default '{}',
  options jsonb not null default '{}',
  told_low boolean not null default false,
  constraint customer_state check (state between 0 and 3)
);
-- `secret` (sealed) signs requests and webhooks, in a dialect where customers sign. `told_low`: was told of the low balance, and not above since.
-- hash = HMAC-SHA256 of the token under the server's pepper; `shown` is the part that a list may show.
create table api_keys (
  id int generated always as identity primary key,
  customer_id int not null references customers,
  dialect text not null,
  hash bytea not null unique,
  shown text not null,
  name text not null,
  secret bytea,
  currency text not null references currencies,
  scopes smallint[] not null,
  methods text[] not null default '{}',
  networks cidr[] not null default '{}',
  created_at timestamptz not null,
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz
);
create index api_keys_customer on api_keys (customer_id);
create trigger customers_version after insert or delete or update of name, state, guard_until, guard_tier, options on customers
  execute function version_bump('customers');
create function api_keys_touched() returns trigger language plpgsql as $$
begin
  -- Writing down when a key was used must not make every process forget every key.
  if tg_op <> 'UPDATE' or (old.customer_id, old.hash, old.scopes, old.methods, old.networks, old.expires_at, old.revoked_at)
       is distinct from (new.customer_id, new.hash, new.scopes, new.methods, new.networks, new.expires_at, new.revoked_at) then
    update versions set n = n + 1 where name = 'customers';
  end if;
  return null;
end $$;
create trigger api_keys_version after insert or update on api_keys for each row execute function api_keys_touched();

-- Rate limits: requests of this window as each process last wrote them (lost in a crash, which only forgives). `origin` names the process.
create unlogged table rate_counts (
  customer_id int not null,
  bucket text not null,
  origin text not null,
  window_start bigint not null,
  n int not null,
  primary key (customer_id, bucket, origin)
);

-- How a customer's orders ended, per hour of the desk's clock: what the abuse guard and the daily cancel cap look at.
create table customer_hours (
  customer_id int not null references customers,
  hour timestamptz not null,
  received int not null default 0,
  canceled int not null default 0,
  expired int not null default 0,
  primary key (customer_id, hour)
) with (fillfactor = 70);
