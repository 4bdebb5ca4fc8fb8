"""Verbs of webhooks: configure endpoints, deliver events, try again."""
