"""Simulation: what a make-believe provider lets its director do to the world outside; only the sandbox asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from numdesk.ports.inbound import MessageReceived


class UnknownOutcome(ValueError):
    """The script names an outcome that the provider cannot play."""


class Simulation(Protocol):
    """A world outside that does as it is told, in every process and through every crash of ours."""

    async def script(self, outcomes: Sequence[str]) -> None:
        """Says what the next calls will meet, in the place of what was said before; raises UnknownOutcome and then changes nothing."""
        ...

    async def scripted(self) -> list[str]:
        """Returns the outcomes that no call has met yet."""
        ...

    async def set_rate(self, pair: str, value: int | None) -> None:
        """Changes what the rate source will answer, None for no rate."""
        ...

    async def owns(self, msisdn: int) -> bool:
        """Has the provider ever given out this number?"""
        ...

    def text(self, *, to: int, sender: str, text: str) -> MessageReceived:
        """Returns a new message as the provider would tell it."""
        ...
