"""Verbs of rentals: quote, rent, extend, end, deliver messages."""
