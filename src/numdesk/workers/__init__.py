"""Background work: take jobs, keep links open, call one use case for each; no SQL, no rules."""
