-- What finds the rows that nobody needs any longer, where no other index does. Neither column is ever updated, so neither index costs
-- an update anything.
create index customer_hours_age on customer_hours (hour);
create index message_parts_joined on message_parts (received_at) where joined;
