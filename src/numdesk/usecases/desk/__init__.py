"""Verbs about the installation as a whole: mode, clock, settings of providers, calls of
providers."""
