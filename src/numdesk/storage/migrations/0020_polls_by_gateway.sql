-- Each gateway's top-ups are asked about in rounds of their own, so that one that hangs delays nobody else's.
drop index topups_poll;
create index topups_poll on topups (provider, next_poll_at, id) where next_poll_at is not null;
