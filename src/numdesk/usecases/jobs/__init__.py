"""Verbs of background work: take jobs, sweep due items."""
