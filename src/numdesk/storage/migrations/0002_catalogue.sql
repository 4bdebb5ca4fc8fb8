-- What can be bought: countries, services, operators, catalogue products, offers, and our own stock of numbers.

create table countries (
  id int primary key,
  iso2 text not null unique,
  name text not null,
  dial_code text not null,
  emoji text not null,
  active boolean not null default true
);
create table services (
  id int primary key,
  code text not null unique,
  name text not null,
  active boolean not null default true
);
create table operators (
  id int generated always as identity primary key,
  country_id int not null references countries,
  code text not null,
  name text not null,
  local_name text,
  unique (country_id, code)
);
create table catalogue_products (
  id int generated always as identity primary key,
  country_id int not null references countries,
  service_id int not null references services,
  unique (country_id, service_id)
);
create table providers (
  slug text primary key,
  active boolean not null default true,
  healthy boolean not null default true
);
-- A tier: id, product, provider and operator never change, so an id is never given to another tier. `available` counts remote
-- stock as its supplier last told it; our own stock is counted in `numbers`.
create table offers (
  id int generated always as identity primary key,
  catalogue_id int not null references catalogue_products,
  country_id int not null references countries,
  service_id int not null references services,
  operator_id int references operators,
  provider text not null references providers,
  cost bigint not null default 0,
  available int not null default 0,
  active boolean not null default true,
  constraint offer_unique unique nulls not distinct (catalogue_id, provider, operator_id),
  constraint offer_cost_not_negative check (cost >= 0)
);
create table offer_prices (
  offer_id int not null references offers,
  currency text not null references currencies,
  price bigint not null,
  primary key (offer_id, currency),
  constraint price_not_negative check (price >= 0)
);

-- Our own numbers. State: 0 free, 1 taken, 2 quarantined until free_at, 3 withdrawn. `rnd` spreads buyers over the stock.
create table numbers (
  id bigint generated always as identity primary key,
  msisdn bigint not null unique,
  country_id int not null references countries,
  operator_id int references operators,
  rnd int not null,
  state smallint not null default 0,
  order_id int,
  free_at timestamptz,
  constraint number_held_by_order check ((state = 1) = (order_id is not null))
) with (fillfactor = 80);
create index numbers_free on numbers (country_id, rnd) where state = 0;
create index numbers_free_by_operator on numbers (country_id, operator_id, rnd) where state = 0 and operator_id is not null;
create index numbers_quarantined on numbers (free_at) where state = 2;

-- Until when a number may not be sold again for a service.
create table number_uses (
  number_id bigint not null references numbers,
  service_id int not null references services,
  until timestamptz not null,
  primary key (number_id, service_id)
);
create index number_uses_until on number_uses (until);

-- Counters that every process polls to know when what it remembers has become old.
create table versions (
  name text primary key,
  n bigint not null
);
insert into versions values ('catalogue', 1), ('customers', 1), ('rates', 1);
create function version_bump() returns trigger language plpgsql as $$
begin
  update versions set n = n + 1 where name = tg_argv[0];
  return null;
end $$;
create trigger countries_version after insert or update or delete on countries execute function version_bump('catalogue');
create trigger services_version after insert or update or delete on services execute function version_bump('catalogue');
create trigger operators_version after insert or update or delete on operators execute function version_bump('catalogue');
create trigger products_version after insert or update or delete on catalogue_products execute function version_bump('catalogue');
create trigger providers_version after insert or update or delete on providers execute function version_bump('catalogue');
create trigger offers_version after insert or update or delete on offers execute function version_bump('catalogue');
create trigger prices_version after insert or update or delete on offer_prices execute function version_bump('catalogue');

create table fx_rates (
  pair text primary key,
  rate bigint not null,
  as_of timestamptz not null,
  constraint rate_positive check (rate > 0)
);
create trigger fx_rates_version after insert or update or delete on fx_rates execute function version_bump('rates');

-- What the operator may set, and the clock's offset of a sandbox.
create table settings (
  name text primary key,
  value jsonb not null
);
