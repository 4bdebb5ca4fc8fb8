"""RateSource: where exchange rates come from."""

from __future__ import annotations

from typing import Protocol


class RateSource(Protocol):
    """Source of exchange rates. Raises only ProviderError."""

    async def rate(self, pair: str) -> int | None:
        """Return how many minor units of the quote currency one unit of the base is worth
        ("USD/IDR"), None when unknown."""
        ...
