"""Verbs of messages that arrive: receive, withhold, release."""
