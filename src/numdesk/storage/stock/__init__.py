"""Rows of the catalogue and of our own numbers."""
