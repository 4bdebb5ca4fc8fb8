"""Numdesk: a self-hosted desk for phone numbers and the money around them."""

__version__ = "0.1.0"
