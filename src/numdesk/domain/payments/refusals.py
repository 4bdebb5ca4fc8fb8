"""Refusals of top-ups: each narrows one that is wider.

A dialect without its own answer gives the wider one's.
"""

from __future__ import annotations

from dataclasses import dataclass

from numdesk.domain.errors import InvalidInput, Unavailable


@dataclass(eq=False)
class TopUpTooSmall(InvalidInput):
    """The top-up is below the least that this payment provider is used for.

    `minimum` in minor units.
    """

    code = "top_up_too_small"
    minimum: int = 0


@dataclass(eq=False)
class GatewayUnavailable(Unavailable):
    """The payment gateway cannot be reached, or gives no invoice now."""

    code = "gateway_unavailable"
    provider: str = ""
