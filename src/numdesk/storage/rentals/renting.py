"""The batched rent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

import asyncpg

from numdesk.domain.errors import Unavailable
from numdesk.domain.rentals.lifecycle import RentType, length
from numdesk.domain.rentals.quotes import Quote
from numdesk.storage.idempotency import Key

if TYPE_CHECKING:
    from numdesk.storage.database.pool import Tx


@dataclass(frozen=True, slots=True)
class RentItem:
    """One item of the batched rent: services of a country for a period, at the prices by which it
    was quoted.

    `context` is JSON {country, services} that goes into the recorded document, `pivot` a random
    integer below 2^31.
    """

    key: Key
    dialect: str
    wallet_id: int
    bonus_id: int | None
    currency: str
    public_id: str
    country_id: int
    rent_type: RentType
    service_ids: tuple[int, ...]
    quote: Quote
    context: str
    pivot: int


class RentStatus(StrEnum):
    """The status of a rent, in the words of `rent_numbers_v1`."""

    RENTED = "rented"
    REPLAYED = "replayed"
    IN_PROGRESS = "in_progress"
    KEY_REUSED = "key_reused"
    PRICE_CHANGED = "price_changed"
    WALLET_SHORT = "wallet_short"
    NO_NUMBERS = "no_numbers"
    #: Every free number is locked by another renter, who may yet give up.
    RETRY = "retry"
    #: Another transaction works on the wallet.
    BUSY = "busy"
    #: The key may not be asked twice; a word of the use case, not of SQL.
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class RentAnswer:
    """The answer for one item: `available` minor units with WALLET_SHORT, `outcome` (a JSON
    document) with RENTED and REPLAYED."""

    status: RentStatus
    available: int | None
    outcome: str | None


async def rent(tx: Tx, items: Sequence[RentItem], *, now: datetime) -> list[RentAnswer]:
    """Rent for every item or says why not, in one command; see `rent_numbers_v1`."""
    try:
        rows = await tx.fetch(
            """select status, amount, outcome::text
                 from rent_numbers_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
                   $15, $16, $17, $18) order by idx""",
            now,
            [i.key.customer_id for i in items],
            [i.dialect for i in items],
            [i.wallet_id for i in items],
            [i.bonus_id for i in items],
            [i.currency for i in items],
            [i.key.text for i in items],
            [i.key.fingerprint for i in items],
            [i.public_id for i in items],
            [i.country_id for i in items],
            [int(i.rent_type) for i in items],
            [i.quote.units for i in items],
            [length(i.rent_type, i.quote.units) // timedelta(hours=1) for i in items],
            ["{" + ",".join(map(str, i.service_ids)) + "}" for i in items],
            [i.quote.base_price for i in items],
            [i.quote.price for i in items],
            [i.context for i in items],
            [i.pivot for i in items],
        )
    except (
        asyncpg.ExclusionViolationError
    ) as error:  # somebody else's term of the number, written this moment
        raise Unavailable from error
    return [RentAnswer(RentStatus(row["status"]), row["amount"], row["outcome"]) for row in rows]
