"""RateSource: where exchange rates come from."""

from __future__ import annotations

from typing import Protocol


class RateSource(Protocol):
    """May raise ProviderError and nothing else."""

    async def rate(self, pair: str) -> int | None:
        """Return how many minor units of the quote currency one unit of the base is worth ("USD/IDR"), None when unknown."""
        ...
