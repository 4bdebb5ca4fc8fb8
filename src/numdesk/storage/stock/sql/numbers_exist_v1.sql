CREATE OR REPLACE FUNCTION public.numbers_exist_v1(p_now timestamp with time zone, p_country integer, p_operator integer, p_service integer)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  select exists (select from numbers n where n.state = 0 and n.country_id = p_country and (p_operator is null or n.operator_id = p_operator)
    and not exists (select from number_uses u where u.number_id = n.id and u.service_id = p_service and u.until > p_now))
$function$
