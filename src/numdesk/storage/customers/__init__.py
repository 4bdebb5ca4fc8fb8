"""Rows of customers, API keys, the abuse guard and rate counts."""
