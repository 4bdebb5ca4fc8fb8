"""The decisions of Numdesk: values and pure functions only.

No I/O, no clock, no randomness, no vendor words.
"""
