"""Rows of orders and of the requests that bought them."""
