"""Simulation: the controls of a fake provider over its fake outside world.

Only the sandbox uses them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from numdesk.ports.inbound import MessageReceived


class UnknownOutcome(ValueError):
    """The script names an outcome that the provider cannot play."""


class Simulation(Protocol):
    """A world outside that does as it is told, in every process and through every crash of ours."""

    async def script(self, outcomes: Sequence[str]) -> None:
        """Say what the next calls will meet, in the place of earlier scripts.

        Raises UnknownOutcome and then change nothing.
        """
        ...

    async def scripted(self) -> list[str]:
        """Return the outcomes that no call has met yet."""
        ...

    async def set_rate(self, pair: str, value: int | None) -> None:
        """Change what the rate source will answer, None for no rate."""
        ...

    async def owns(self, msisdn: int) -> bool:
        """Return whether the provider has ever given out this number."""
        ...

    def text(self, *, to: int, sender: str, text: str) -> MessageReceived:
        """Return a new message as the provider would tell it."""
        ...


class UnknownInvoice(LookupError):
    """A fake gateway was told to see money for an invoice that it never made."""


class UnknownMoney(ValueError):
    """A fake gateway was told to see money that it has no rate for."""


class FakeGateway(Protocol):
    """A stand-in for a payment gateway: an application to be served, and a hand that pays its
    invoices.

    What it knows lies in a file that all processes of a server share.
    """

    @property
    def app(self) -> Callable[[Any, Any, Any], Awaitable[None]]:
        """The application, to be mounted under the path of the adapter's `base_url`."""
        ...

    @property
    def words(self) -> Mapping[str, str]:
        """The settings with which the provider's adapter speaks to this fake."""
        ...

    async def pay(
        self,
        invoice: str,
        *,
        amount: Decimal | None = None,
        currency: str | None = None,
        times: int = 1,
    ) -> int:
        """See money for an invoice (our reference or its own id), say so `times` times, and return
        how many callbacks were answered.

        `amount` is in `currency`, that of the invoice if none is given; no amount is all that is
        still due. A `currency` that is a coin is the coin of the payment; any case will do. Raises
        UnknownInvoice or UnknownMoney, and then nothing was seen.
        """
        ...

    async def say(self, invoice: str, word: str) -> None:
        """From now on says this word of the gateway's own, known or not, where it says how the
        payments of an invoice stand; their money stays as it is. Raises UnknownInvoice."""
        ...

    def close(self) -> None:
        """Close the file; a payment stays paid."""
        ...
