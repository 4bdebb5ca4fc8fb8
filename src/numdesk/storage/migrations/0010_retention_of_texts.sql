-- Equal routing decisions are kept once, so what tells an old one is when it was last made; that is written at most once a day.
alter table routing_decisions add column used_at timestamptz not null default now();
create index routing_decisions_age on routing_decisions (used_at);

-- Finds the orders that have ended and still hold the text of an SMS; each leaves it when the text goes.
create index orders_texts on orders (ended_at) where otp_message is not null and ended_at is not null;
