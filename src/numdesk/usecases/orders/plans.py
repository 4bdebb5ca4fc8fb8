"""Plans of purchases: what to buy, from which candidates, under which key."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from numdesk.domain.customers.callers import Caller
from numdesk.domain.fx import Rate
from numdesk.domain.orders.lifecycle import Order
from numdesk.domain.stock.numbers import Offer
from numdesk.runtime import Runtime
from numdesk.storage.idempotency import Key
from numdesk.storage.orders.sales import Sold


@dataclass(frozen=True, slots=True)
class Piece:
    """A sale of `quantity` numbers of our own stock under a key."""

    key: Key
    quantity: int
    offer: Offer
    decision_id: int | None
    request_id: int | None = None


class Sell(Protocol):
    """Sells from our own stock (`purchases.sell`)."""

    def __call__(
        self, rt: Runtime, caller: Caller, piece: Piece, *, rate: Rate | None = None
    ) -> Awaitable[Sold]:
        """Sell a piece."""
        ...


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """The frame of the recorded document around the orders.

    It travels in the job that settles after a crash.
    """

    request: int
    quantity: int
    by_catalogue: bool
    rate: int | None = None
    rate_as_of: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of a purchase: up to `quantity` numbers, each from the first candidate that has one.

    With `parent`, its number once more.
    """

    key: Key
    quantity: int
    candidates: tuple[Offer, ...]
    decision_id: int | None
    rate: Rate | None
    by_catalogue: bool
    parent: Order | None = None

    def frame(self, request_id: int) -> Frame:
        """Return what settling needs to know."""
        as_of = int(self.rate.as_of.timestamp()) if self.rate and self.rate.as_of else None
        return Frame(
            request=request_id,
            quantity=self.quantity,
            by_catalogue=self.by_catalogue,
            rate=self.rate.value if self.rate else None,
            rate_as_of=as_of,
        )
