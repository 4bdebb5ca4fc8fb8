"""Verbs of wallets: read, adjust, warn."""
