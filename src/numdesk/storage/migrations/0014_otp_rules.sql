-- Rules of the operator for the codes of one service. A rule is never changed, and one that was removed is kept, to be seen.
create table otp_rules (
  id int generated always as identity primary key,
  service_id int not null references services,
  sender text,
  pattern text not null,
  created_at timestamptz not null,
  removed_at timestamptz
);
create unique index otp_rule_once on otp_rules (service_id, coalesce(sender, ''), pattern) where removed_at is null;

insert into versions values ('otp_rules', 1);
create trigger otp_rules_version after insert or update or delete on otp_rules execute function version_bump('otp_rules');

-- The service of the order that would get each message now, null when none would; as receive_messages_v1 looks.
create function order_services_v1(p_now timestamptz, p_provider text[], p_msisdn bigint[], p_ref text[])
  returns table (idx int, service_id int) language sql stable
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off set enable_material = off set plan_cache_mode = force_generic_plan as $$
  select u.n::int, x.service_id
    from unnest(p_provider, p_msisdn, p_ref) with ordinality u(provider, msisdn, ref, n)
    left join lateral (select r.service_id from orders r where r.msisdn = u.msisdn and r.state in (1, 2, 3) and r.expires_at > p_now
        and r.provider in (u.provider, 'local') and (u.ref is null or r.provider_ref = u.ref) order by r.id desc limit 1) x on true
    order by u.n
$$;
