"""Verbs of the catalogue and of our own numbers: load, price, withdraw, score."""
