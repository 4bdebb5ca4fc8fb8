"""Rows about the installation as a whole: mode, settings, versions of remembered values."""
