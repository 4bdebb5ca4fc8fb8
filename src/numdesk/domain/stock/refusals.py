"""Refusals about what can be sold."""

from __future__ import annotations

from dataclasses import dataclass, field

from numdesk.domain.errors import Refusal


@dataclass(eq=False)
class NoOffer(Refusal):
    """No offer matches product, price, operator and availability."""

    code = "no_offer"
    details: dict[str, object] = field(default_factory=dict)
