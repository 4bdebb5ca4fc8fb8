-- Signed requests: the key that each signature came with first, for as long as its timestamp is believed (lost in a crash: what came
-- without an Idempotency-Key is known by its signature all the same). `seen_at` is of the real time.
create unlogged table replays (
  customer_id int not null,
  signature bytea not null,
  key text not null,
  seen_at timestamptz not null,
  primary key (customer_id, signature)
);
create index replays_seen on replays (seen_at);
