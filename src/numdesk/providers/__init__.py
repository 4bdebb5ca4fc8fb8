"""The companies upstream: one folder per provider, each behind a port; no state, no SQL, no use cases."""
