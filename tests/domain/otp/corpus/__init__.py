"""A corpus of our own for the one-time-code extractor: sentence templates in many languages, filled
in from a seed."""
