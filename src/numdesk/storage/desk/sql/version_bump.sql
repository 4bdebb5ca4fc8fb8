CREATE OR REPLACE FUNCTION public.version_bump()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  update versions set n = n + 1 where name = tg_argv[0];
  return null;
end $function$
