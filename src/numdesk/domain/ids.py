"""Typed ids: what our own surfaces show for the public serial numbers that the vendors' APIs
demand."""

from __future__ import annotations

#: Most old vendor APIs answer with 32-bit integers, so every public serial stays below this.
SERIAL_MAX = 2**31 - 1


def typed(prefix: str, serial: int) -> str:
    """Return a typed id such as `ord_1042`."""
    return f"{prefix}_{serial}"
