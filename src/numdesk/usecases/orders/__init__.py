"""Verbs of orders: buy, read, wait, cancel, finish, reactivate."""
