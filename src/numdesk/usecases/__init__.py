"""One verb each: open transactions, order the steps, call ports outside them.

No HTTP words, no vendor words, no SQL.
"""
