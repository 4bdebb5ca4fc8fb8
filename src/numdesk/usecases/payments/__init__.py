"""Verbs of top-ups: create, settle, compare with the gateway's books."""
