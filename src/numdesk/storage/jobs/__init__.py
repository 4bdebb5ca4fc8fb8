"""Rows of the job queue and of items that sweeps set aside."""
