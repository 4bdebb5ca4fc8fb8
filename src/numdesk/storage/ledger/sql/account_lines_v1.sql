CREATE OR REPLACE FUNCTION public.account_lines_v1(p_account bigint, p_other bigint, p_from_oldest boolean, p_limit bigint, p_skip bigint)
 RETURNS TABLE(last_id bigint, journal_id bigint, amount bigint, after bigint, reason text, note text, at timestamp with time zone, document jsonb)
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_material TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
#variable_conflict use_column
declare ids bigint[];
begin
  if p_from_oldest then
    ids := array(select w.id from unnest(array[p_account, p_other]) a(id) cross join lateral (
                   select e.id from entries e join transfers t on t.id = e.transfer_id
                     where (e.account_id, e.id) >= (a.id, 0) and (e.account_id, e.id) <= (a.id, 9223372036854775807)
                       and not exists (select from transfers y where y.journal_id = t.journal_id and y.id > t.id
                                         and (y.debit_id in (p_account, p_other) or y.credit_id in (p_account, p_other)))
                     order by e.account_id, e.id limit p_skip + p_limit) w
                 order by w.id limit p_limit offset p_skip);
  else
    ids := array(select w.id from unnest(array[p_account, p_other]) a(id) cross join lateral (
                   select e.id from entries e join transfers t on t.id = e.transfer_id
                     where (e.account_id, e.id) >= (a.id, 0) and (e.account_id, e.id) <= (a.id, 9223372036854775807)
                       and not exists (select from transfers y where y.journal_id = t.journal_id and y.id > t.id
                                         and (y.debit_id in (p_account, p_other) or y.credit_id in (p_account, p_other)))
                     order by e.account_id desc, e.id desc limit p_skip + p_limit) w
                 order by w.id desc limit p_limit offset p_skip);
  end if;
  return query
    select l.id, j.id,
           (select sum(case when y.credit_id in (p_account, p_other) then y.amount else 0 end - case when y.debit_id in (p_account, p_other) then y.amount else 0 end)::bigint
              from transfers y where y.journal_id = j.id),
           (select coalesce(sum((select case when e.account_id = a.id then e.balance_after end from entries e
                                   where (e.account_id, e.id) <= (a.id, l.id) order by e.account_id desc, e.id desc limit 1)), 0)::bigint
              from unnest(array[p_account, p_other]) a(id)),
           j.reason, j.note, j.at, d.document
      from unnest(ids) l(id) join entries e on e.id = l.id join transfers t on t.id = e.transfer_id join journals j on j.id = t.journal_id
      left join journal_details d on d.journal_id = j.id;
end $function$
