-- One row for each transaction that may have changed something, committed with it: after a lost connection it says whether the
-- transaction was committed (storage/pool.py). Nobody asks for longer than a few seconds; `at` is the server's own time.
create table receipts (
  id uuid primary key,
  at timestamptz not null default now()
);
