"""Rows of rentals, their prices and their messages."""
