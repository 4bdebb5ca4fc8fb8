CREATE OR REPLACE FUNCTION public.rentals_move_legal()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if not exists (select from rental_moves m where m.state = old.state and m.next = new.state) then
    raise exception 'rental % cannot move from state % to %', old.id, old.state, new.state using errcode = 'PT004';
  end if;
  return new;
end $function$
