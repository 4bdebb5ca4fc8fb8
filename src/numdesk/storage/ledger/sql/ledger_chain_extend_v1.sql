CREATE OR REPLACE FUNCTION public.ledger_chain_extend_v1(p_now timestamp with time zone, p_through bigint, p_xid xid8, p_size integer, p_partial boolean, p_blocks integer)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
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
end $function$
