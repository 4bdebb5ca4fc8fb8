"""Ports to others: protocols and the plain values they exchange.

Real and fake ones live under providers/ and dialects/.
"""
