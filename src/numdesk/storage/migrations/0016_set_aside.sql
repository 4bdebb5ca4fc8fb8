-- What background work could not do and went on without: one item of one sweep, with the reason, tried again at again_at (the desk's time),
-- less and less often. It leaves when it was done, or when nothing is to be done any more.
create table set_aside (
  sweep text not null,
  item text not null,
  reason text not null,
  failures int not null default 1,
  since timestamptz not null,
  again_at timestamptz not null,
  primary key (sweep, item)
);
