"""Rows of messages that arrived, and of those that were withheld."""
