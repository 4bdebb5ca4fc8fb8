"""Rows of top-ups, of gateways' callbacks and of payments that wait for a person."""
