-- Equal routing decisions are kept once, so what tells an old one is when it was last made; that is written at most once a day.
alter table routing_decisions add column used_at timestamptz not null default now();
create index routing_decisions_age on routing_decisions (used_at);
