"""The rest of a number between two uses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class StockRules:
    """The rest of a number after a use, and the time before it is sold again for the same
    service."""

    quarantine: timedelta = timedelta(minutes=30)
    cooldown: timedelta = timedelta(days=90)


STOCK_RULES = StockRules()
