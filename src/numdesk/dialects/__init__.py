"""The APIs we speak downstream: one folder per vendor API; parse, one use case, render; no SQL, no money sums."""
