"""Verbs of background work: take jobs, sweep what is due."""
