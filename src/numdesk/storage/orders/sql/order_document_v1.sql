CREATE OR REPLACE FUNCTION public.order_document_v1(o orders)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
AS $function$
  select jsonb_build_object('v', 1, 'id', o.id, 'state', o.state, 'offer', o.offer_id, 'catalogue', o.catalogue_id, 'country', c.name, 'service', s.name,
    'operator', o.operator_id, 'operator_name', t.name, 'msisdn', o.msisdn, 'currency', o.currency, 'price', o.price,
    'created_at', extract(epoch from o.created_at), 'expires_at', extract(epoch from o.expires_at), 'otp_code', o.otp_code, 'otp_message', o.otp_message,
    'sms_revision', o.sms_revision, 'first_sms_at', extract(epoch from o.first_sms_at), 'resend_at', extract(epoch from o.resend_at),
    'ended_at', extract(epoch from o.ended_at), 'reactivatable', o.reactivatable)
  from countries c, services s left join operators t on t.id = o.operator_id where c.id = o.country_id and s.id = o.service_id
$function$
