-- Finds the orders that have ended and still hold the text of an SMS; each leaves it when the text goes.
create index orders_texts on orders (ended_at) where otp_message is not null and ended_at is not null;
