CREATE OR REPLACE FUNCTION public.ledger_block_hash_v1(p_previous bytea, p_after bigint, p_last bigint)
 RETURNS bytea
 LANGUAGE plpgsql
 STABLE PARALLEL SAFE
 SET enable_nestloop TO 'off'
 SET enable_mergejoin TO 'off'
 SET plan_cache_mode TO 'force_custom_plan'
AS $function$
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
end $function$
