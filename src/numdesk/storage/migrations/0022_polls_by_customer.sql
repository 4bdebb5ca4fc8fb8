-- The customers of a gateway take turns at being asked about, so the due top-ups are ranked by customer.
drop index topups_poll;
create index topups_poll on topups (provider, next_poll_at, id) include (customer_id) where next_poll_at is not null;
