"""Refusals of orders."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from numdesk.domain.errors import Refusal


@dataclass(eq=False)
class CancelTooEarly(Refusal):
    """The order is too young to be cancelled."""

    code = "cancel_too_early"
    allowed_at: datetime | None = None


@dataclass(eq=False)
class CancelCapReached(Refusal):
    """The customer has cancelled too many orders today."""

    code = "cancel_cap_reached"
    retry_after_s: int = 1


@dataclass(eq=False)
class SupplierFailed(Refusal):
    """Every supplier that was asked refused or failed.

    `attempts` has one (offer id, provider, cause) per try; `replayed` says that this repeats what
    the idempotency key holds.
    """

    code = "supplier_failed"
    attempts: list[tuple[int, str, str]] = field(default_factory=list)
    by_catalogue: bool = False
    replayed: bool = False


@dataclass(eq=False)
class PriceAboveCap(Refusal):
    """The price now is above what the customer allows."""

    code = "price_above_cap"
    price: int = 0
