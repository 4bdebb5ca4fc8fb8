"""Rows of accounts, journals, holds and entries, and the checks that prove them."""
