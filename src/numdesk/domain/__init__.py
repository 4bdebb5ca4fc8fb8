"""What Numdesk decides: values and pure functions only; no I/O, no clock, no randomness, no vendor words."""
