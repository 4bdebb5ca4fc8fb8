"""One verb each: opens the transactions, orders the steps, calls ports outside them; no HTTP or vendor words."""
