-- Messages that arrived, events for customers, webhooks, jobs.

-- A message once accepted; unique by what its provider calls it, so a repeat is recognised. order_id null: nobody waited for it.
create table messages (
  id bigint generated always as identity primary key,
  provider text not null,
  provider_message_id text not null,
  msisdn bigint not null,
  sender text not null,
  text text not null,
  otp_code text,
  order_id int,
  late boolean not null default false,
  received_at timestamptz not null,
  constraint message_once unique (provider, provider_message_id)
);
create index messages_order on messages (order_id) where order_id is not null;
create index messages_msisdn on messages (msisdn, id);

-- Segments of a long message that wait for the others.
create table message_parts (
  provider text not null,
  msisdn bigint not null,
  sender text not null,
  reference int not null,
  total smallint not null,
  position smallint not null,
  provider_message_id text not null,
  text text not null,
  received_at timestamptz not null,
  joined boolean not null default false,
  primary key (provider, msisdn, sender, reference, total, position, provider_message_id),
  constraint part_once unique (provider, provider_message_id)
);
create index message_parts_waiting on message_parts (received_at) where not joined;

-- What a customer may be told. `document` holds the facts of the moment, so a body rendered from it is the same on every try.
create table events (
  id bigint generated always as identity primary key,
  customer_id int not null,
  dialect text not null,
  kind text not null,
  order_id int,
  document jsonb not null,
  at timestamptz not null
);
create index events_customer on events (customer_id, id);
create index events_order on events (order_id) where order_id is not null;

create table webhook_endpoints (
  id int generated always as identity primary key,
  customer_id int not null references customers,
  dialect text not null,
  url text not null,
  secret bytea,
  disabled_at timestamptz,
  disabled_reason text,
  consecutive_failures int not null default 0,
  updated_at timestamptz not null,
  unique (customer_id, dialect)
);
-- An event goes to one endpoint at most, so a delivery has the id of its event. State: 0 due, 1 delivered, 2 given up. due_at follows
-- the desk's clock (a sandbox may advance it), leases follow real time. A row with a lease in the future is being sent; lease_no fences
-- a sender that slept past its lease.
create table webhook_deliveries (
  id bigint primary key,
  endpoint_id int not null,
  state smallint not null default 0,
  attempts smallint not null default 0,
  due_at timestamptz not null,
  lease_until timestamptz,
  lease_no int not null default 0,
  ended_at timestamptz,
  status int,
  elapsed_ms int
) with (fillfactor = 50);
create index webhook_deliveries_due on webhook_deliveries (endpoint_id, due_at, id) where state = 0;
-- The delivery log: one row per attempt. The success that ends a delivery stands in the delivery itself (status, elapsed_ms), because
-- that is what nearly all come to.
create table webhook_attempts (
  id bigint generated always as identity primary key,
  delivery_id bigint not null,
  attempt smallint not null,
  at timestamptz not null,
  status int,
  failure text,
  elapsed_ms int not null,
  answer text
);
create index webhook_attempts_delivery on webhook_attempts (delivery_id);

-- An event for a customer with an endpoint is to be delivered: in the same transaction, whoever wrote the event.
create function events_fan_out() returns trigger language plpgsql
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off as $$
begin
  insert into webhook_deliveries (id, endpoint_id, due_at)
    select e.id, w.id, '-infinity' from fresh e
      join webhook_endpoints w on w.customer_id = e.customer_id and w.dialect = e.dialect
      where w.disabled_at is null and w.url <> '';
  return null;
end $$;
create trigger events_fan_out after insert on events referencing new table as fresh
  for each statement execute function events_fan_out();

-- Work to be done later. run_at follows the desk's clock, lease_until real time.
create table jobs (
  id bigint generated always as identity primary key,
  kind text not null,
  payload jsonb not null,
  unique_key text,
  run_at timestamptz not null,
  attempts int not null default 0,
  lease_until timestamptz,
  lease_no int not null default 0,
  dead_at timestamptz,
  last_error text
);
create index jobs_due on jobs (run_at) where dead_at is null;
create unique index jobs_unique on jobs (kind, unique_key) where unique_key is not null and dead_at is null;
