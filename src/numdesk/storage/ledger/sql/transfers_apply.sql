CREATE OR REPLACE FUNCTION public.transfers_apply()
 RETURNS trigger
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_material TO 'off'
AS $function$
declare touched bigint[] := array(select debit_id from fresh union select credit_id from fresh); has_bonus boolean;
begin
  if exists (select from fresh t left join accounts d on d.id = t.debit_id left join accounts c on c.id = t.credit_id
             where d.currency is distinct from t.currency or c.currency is distinct from t.currency) then
    raise exception 'a transfer joins two accounts of its currency' using errcode = 'PT002';
  end if;
  select bool_or(x.kind = 'bonus') into has_bonus
    from (select a.kind from accounts a where a.live and a.id = any(touched) order by a.id for update) x;
  insert into entries (transfer_id, account_id, amount, balance_after)
    select s.transfer_id, s.account_id, s.amount,
           case when a.live then a.balance + sum(s.amount) over (partition by s.account_id order by s.transfer_id, s.side) end
      from (select id transfer_id, 0 side, debit_id account_id, -amount amount from fresh
            union all select id, 1, credit_id, amount from fresh) s
      join accounts a on a.id = s.account_id and a.id = any(touched)
      order by s.transfer_id, s.side;
  if has_bonus is not true then
    update accounts a set balance = a.balance + s.amount, lines = a.lines + s.lines
      from (select account_id, sum(amount)::bigint amount, count(distinct journal_id) lines
              from (select journal_id, debit_id account_id, -amount amount from fresh union all select journal_id, credit_id, amount from fresh) x
              group by account_id) s
      where a.id = s.account_id and a.id = any(touched) and a.live;
    return null;
  end if;
  -- What moves a customer's wallet and bonus together is one line of their history.
  update accounts a set balance = a.balance + s.amount, lines = a.lines + s.lines
    from (select account_id, sum(amount)::bigint amount, count(distinct journal_id) filter (where account_id = first_id) lines
            from (select m.*, min(o.id) over (partition by m.journal_id, o.owner, o.currency) first_id
                    from (select journal_id, debit_id account_id, -amount amount from fresh union all select journal_id, credit_id, amount from fresh) m
                    join accounts o on o.id = m.account_id and o.id = any(touched) and o.live) x
            group by account_id) s
    where a.id = s.account_id and a.id = any(touched) and a.live;
  return null;
end $function$
