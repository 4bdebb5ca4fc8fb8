CREATE OR REPLACE FUNCTION public.take_numbers_v1(p_sales order_sale[])
 RETURNS void
 LANGUAGE plpgsql
 SET enable_hashjoin TO 'off'
AS $function$
declare
  taken int;
begin
  update numbers n set state = 1, order_id = s.order_id, free_at = null
    from unnest(p_sales) s where n.id = s.number_id;
  get diagnostics taken = row_count;
  if taken <> cardinality(p_sales) then raise exception 'a number was to be sold twice'; end if;
end $function$
