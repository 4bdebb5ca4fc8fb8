"""Customers, their API keys and the guard against abuse."""
