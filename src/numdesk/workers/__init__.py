"""Background work: take jobs, keep links open, call one use case for each; no SQL and no rules of
the domain.
"""
