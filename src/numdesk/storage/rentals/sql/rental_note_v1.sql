CREATE OR REPLACE FUNCTION public.rental_note_v1(p_type text, p_msisdn bigint, p_country text, p_names jsonb, p_units integer, p_rent_type integer)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select jsonb_build_object('type', p_type,
    'description', case p_type when 'charge' then 'Number rental: +' else 'Refund of a number rental: +' end || p_msisdn,
    'metadata', jsonb_build_object('number', '+' || p_msisdn, 'country', p_country, 'services', p_names, 'period', p_units::text,
                                   'rentType', (array['SHORT', 'LONG'])[1 + p_rent_type]))
$function$
