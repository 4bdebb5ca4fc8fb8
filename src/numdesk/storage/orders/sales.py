"""Sales from our own stock: many orders in one command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from numdesk.domain.orders.lifecycle import LIFETIME

if TYPE_CHECKING:
    from numdesk.storage.database.pool import Tx

_encode = msgspec.json.Encoder().encode


class SaleStatus(StrEnum):
    """The status of a sale, in the words of the SQL command."""

    CREATED = "created"
    REPLAYED = "replayed"
    IN_PROGRESS = "in_progress"
    KEY_REUSED = "key_reused"
    OFFER_CHANGED = "offer_changed"
    WALLET_SHORT = "wallet_short"
    NO_NUMBERS = "no_numbers"
    #: Every free number is locked by another buyer, who may yet give up.
    RETRY = "retry"
    #: Another transaction works on the wallet.
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Sale:
    """One sale: `quantity` numbers of a local offer at the price that the customer was shown.

    The SQL command reads the fields by their names. `price` is in minor units, `context` is JSON
    that opens the recorded document, `pivot` a random integer below 2^31 that spreads buyers over
    the stock.
    """

    customer_id: int
    dialect: str
    wallet_id: int
    currency: str
    key: str
    fingerprint: bytes
    offer_id: int
    price: int
    quantity: int
    decision_id: int | None
    request_id: int | None
    context: str
    pivot: int


@dataclass(frozen=True, slots=True)
class Sold:
    """The end of one sale: `available` minor units with WALLET_SHORT, `outcome` (a JSON document)
    with CREATED and REPLAYED."""

    status: SaleStatus
    available: int | None
    outcome: str | None


async def sell_from_stock(tx: Tx, sales: Sequence[Sale], *, now: datetime) -> list[Sold]:
    """Sell every item or say why not, in one command (SQL `create_orders_v2`)."""
    rows = await tx.fetch(
        """select status, amount, outcome::text
             from create_orders_v2($1, $2, $3, $4, $5::text::json) order by idx""",
        now,
        LIFETIME,
        [sale.wallet_id for sale in sales],
        [sale.request_id for sale in sales if sale.request_id is not None],
        _encode(sales).decode(),
    )
    return [Sold(SaleStatus(row["status"]), row["amount"], row["outcome"]) for row in rows]
