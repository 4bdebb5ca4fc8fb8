"""The door for the clock: takes jobs, keeps links open, calls one use case each; no SQL, no rules."""
