"""Verbs of customers: apply, register, authenticate, limit."""
