-- Orders and what they promise: legal moves, idempotency keys, explanations of routing.

create table order_moves (
  state smallint not null,
  event text not null,
  next smallint not null,
  primary key (state, event)
);
insert into order_moves values
  (0, 'assign', 1), (0, 'fail', 7),
  (1, 'receive', 2), (1, 'cancel', 5), (1, 'expire', 6),
  (2, 'receive', 2), (2, 'resend', 3), (2, 'finish', 4), (2, 'expire', 4),
  (3, 'receive', 2), (3, 'resend', 3), (3, 'finish', 4), (3, 'expire', 4);

-- Which offers were looked at, at which price and score, and why each was taken or left out. Equal decisions share a row.
create table routing_decisions (
  id bigint generated always as identity primary key,
  digest bytea not null unique,
  document jsonb not null
);

create sequence order_serials as int;
create table orders (
  id int primary key default nextval('order_serials'),
  customer_id int not null,
  dialect text not null,
  state smallint not null,
  offer_id int not null,
  catalogue_id int not null,
  country_id int not null,
  service_id int not null,
  operator_id int,
  provider text not null,
  provider_ref text,
  number_id bigint,
  msisdn bigint,
  wallet_id bigint not null,
  currency text not null,
  price bigint not null,
  cost bigint not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  otp_code text,
  otp_message text,
  sms_revision int not null default 0,
  first_sms_at timestamptz,
  resend_at timestamptz,
  ended_at timestamptz,
  failed_reason text,
  parent_id int,
  reactivatable boolean not null default false,
  decision_id bigint,
  request_id bigint,
  revision int not null default 1,
  constraint order_number_assigned check (state in (0, 7) or msisdn is not null),
  constraint order_ended check ((state between 4 and 7) = (ended_at is not null))
) with (fillfactor = 80);
alter sequence order_serials owned by orders.id;
create index orders_customer on orders (customer_id, id);
create index orders_msisdn on orders (msisdn, id) where msisdn is not null;
create index orders_due on orders (expires_at) where state in (1, 2, 3);
create index orders_pending on orders (created_at) where state = 0;
create index orders_open_by_customer on orders (customer_id) where state < 4;
create index orders_parent on orders (parent_id) where parent_id is not null;
create index orders_request on orders (request_id) where request_id is not null;
create index orders_created on orders using brin (created_at);
create unique index orders_provider_ref on orders (provider, provider_ref) where provider_ref is not null;

create function orders_move_legal() returns trigger language plpgsql as $$
begin
  if not exists (select from order_moves m where m.state = old.state and m.next = new.state) then
    raise exception 'order % cannot move from state % to %', old.id, old.state, new.state using errcode = 'PT004';
  end if;
  return new;
end $$;
create trigger orders_move_legal before update of state on orders for each row
  when (old.state <> new.state) execute function orders_move_legal();

-- Was this order the last that anybody had of a number of our own? (Rentals add their part when they come.)
create function number_rests_for_v1(p_number bigint, p_msisdn bigint, p_order int, p_ended_at timestamptz) returns boolean language sql stable as $$
  select not exists (select from orders o where o.msisdn = p_msisdn and o.number_id = p_number and o.id > p_order)
$$;

-- An order with what a reader wants beside it. `number_free`: could the same number be bought once more? Our own number, free or resting, only
-- when nobody had it since: what a later tenant opened with it must never be told to an earlier one. Of a supplier's number we know only whether another order of ours has it for the same service.
create view order_facts as
  select o.*, t.name as operator_name,
         case when o.state <> 4 then true
              when o.number_id is not null then (select n.state in (0, 2) and number_rests_for_v1(n.id, o.msisdn, o.id, o.ended_at) from numbers n where n.id = o.number_id)
              else not exists (select from orders u where u.msisdn = o.msisdn and u.provider = o.provider and u.service_id = o.service_id
                                and u.state in (1, 2, 3)) end as number_free
    from orders o left join operators t on t.id = o.operator_id;

-- Orders per provider and UTC day: what best_success scores.
create table provider_days (
  provider text not null references providers,
  day date not null,
  total int not null default 0,
  received int not null default 0,
  primary key (provider, day)
);

-- A request that must ask suppliers is claimed first (state 1, in progress) and gets a request_id that its orders carry.
create sequence request_serials;
-- State: 1 in progress, 2 recorded. Namespace: see storage/idempotency.py. `outcome` is a versioned document that a dialect renders.
create table idempotency (
  customer_id int not null,
  namespace smallint not null,
  key text not null,
  fingerprint bytea not null,
  state smallint not null,
  outcome jsonb,
  request_id bigint,
  created_at timestamptz not null,
  primary key (customer_id, namespace, key),
  constraint idempotency_recorded check ((state = 2) = (outcome is not null))
);
create unique index idempotency_request on idempotency (request_id) where request_id is not null;
create index idempotency_age on idempotency (created_at);
