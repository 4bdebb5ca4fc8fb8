-- The hash chain over the entries, and what extends it. Building and verifying use the same functions, so they cannot differ.

-- The hash of the entries after p_after up to p_last: of one line for each of them, for each transfer that they are sides of, for
-- each journal of those and each account that they touch, in id order, after the previous block's hash. Text fields stand in the
-- text of a row, which quotes, so that no two contents have one text; nothing depends on a session's settings. Bounds on the ids
-- keep the work within the block; an entry that names a transfer far away makes it slow, not wrong.
create function ledger_block_hash_v1(p_previous bytea, p_after bigint, p_last bigint) returns bytea language plpgsql stable parallel safe
  set enable_nestloop = off set enable_mergejoin = off set plan_cache_mode = force_custom_plan as $$
declare
  touched bigint[]; t_min bigint; t_max bigint; j_min bigint; j_max bigint;
  entry_lines text; transfer_lines text; journal_lines text; account_lines text;
begin
  touched := array(select distinct e.account_id from entries e where e.id > p_after and e.id <= p_last);
  select min(e.transfer_id), max(e.transfer_id),
         string_agg(concat_ws(',', e.id, e.transfer_id, e.account_id, e.amount, e.balance_after), e'\n' order by e.id)
    into t_min, t_max, entry_lines from entries e where e.id > p_after and e.id <= p_last;
  select min(t.journal_id), max(t.journal_id),
         string_agg(concat_ws(',', t.id, t.journal_id, t.debit_id, t.credit_id, t.amount, t.currency), e'\n' order by t.id)
    into j_min, j_max, transfer_lines from transfers t
    where t.id between t_min and t_max and t.id in (select e.transfer_id from entries e where e.id > p_after and e.id <= p_last);
  select string_agg(row(j.id, j.reason, j.ref, j.note, extract(epoch from j.at))::text, e'\n' order by j.id) into journal_lines
    from journals j where j.id between j_min and j_max and j.id in (
      select t.journal_id from transfers t
        where t.id between t_min and t_max and t.id in (select e.transfer_id from entries e where e.id > p_after and e.id <= p_last));
  select string_agg(row(a.id, a.kind, a.owner, a.label, a.currency)::text, e'\n' order by a.id) into account_lines
    from accounts a where a.id = any(touched);
  return sha256(p_previous || convert_to(concat_ws(e'\n\n', entry_lines, transfer_lines, journal_lines, account_lines), 'UTF8'));
end $$;

-- Adds blocks up to an entry id that the caller saw before it drew p_xid, a transaction id of its own. Whoever holds an entry id at
-- or below p_through had a transaction id before that id, hence before p_xid; so when no transaction below p_xid runs any more, no
-- entry can still appear there. (The upper bound of a snapshot would not do: it is one above the newest *ended* transaction, and
-- a running one may lie above it.) A block that is not full is built only when p_partial says so. Adds at most p_blocks, so that the
-- transaction stays short, and returns how many it added: 0 while somebody else builds, null when it is too early. No transaction id is stored, so a dump restored elsewhere goes on as if nothing had happened.
create function ledger_chain_extend_v1(p_now timestamptz, p_through bigint, p_xid xid8, p_size int, p_partial boolean, p_blocks int) returns int language plpgsql as $$
declare head ledger_blocks; block_end bigint; size bigint; added int := 0;
begin
  if pg_snapshot_xmin(pg_current_snapshot()) < p_xid then return null; end if;
  if not pg_try_advisory_xact_lock(hashtext('numdesk ledger chain')) then return 0; end if;
  select * into head from ledger_blocks order by number desc limit 1;
  head.number := coalesce(head.number, 0); head.last_entry_id := coalesce(head.last_entry_id, 0); head.hash := coalesce(head.hash, '');
  while added < p_blocks loop
    select max(x.id), count(*) into block_end, size
      from (select e.id from entries e where e.id > head.last_entry_id and e.id <= p_through order by e.id limit p_size) x;
    exit when size = 0 or (size < p_size and not p_partial);
    insert into ledger_blocks (number, last_entry_id, entries, hash, at)
      values (head.number + 1, block_end, size, ledger_block_hash_v1(head.hash, head.last_entry_id, block_end), p_now);
    insert into ledger_rollups as r (account_id, balance)
      select e.account_id, sum(e.amount) from entries e where e.id > head.last_entry_id and e.id <= block_end group by e.account_id order by e.account_id
      on conflict (account_id) do update set balance = r.balance + excluded.balance;
    select * into head from ledger_blocks b where b.number = head.number + 1;
    added := added + 1;
  end loop;
  return added;
end $$;
