"""Rent a free number by the batched command, at most once for one key."""

from __future__ import annotations

import random
import secrets
from dataclasses import dataclass
from typing import assert_never

import msgspec

from numdesk.domain.customers.callers import Caller
from numdesk.domain.errors import (
    KeyReused,
    Refusal,
    RequestInProgress,
    RequestRepeated,
    Unavailable,
    WalletShort,
)
from numdesk.domain.rentals import quotes
from numdesk.domain.rentals.lifecycle import (
    RentType,
)
from numdesk.domain.rentals.outcomes import (
    Rented,
    parse_outcome,
)
from numdesk.domain.rentals.refusals import CountryClosed, NoNumbers
from numdesk.runtime import Runtime
from numdesk.storage import idempotency
from numdesk.storage.idempotency import Key, Namespace
from numdesk.storage.rentals.renting import RentAnswer, RentItem, RentStatus
from numdesk.usecases.customers import guard
from numdesk.usecases.idempotency import Signature, key_of
from numdesk.usecases.rentals import batches
from numdesk.usecases.rentals.prices import price_list
from numdesk.usecases.rentals.quotes import check_currency, discount_of

PIVOT_MAX = 2**31 - 1
#: How often a rent is quoted anew because the price list had changed between quoting and renting.
QUOTE_RETRIES = 3


@dataclass(frozen=True, slots=True)
class RentRequest:
    """The request of a customer; services by code or name.

    `key` is the idempotency key or None, `fingerprint` binds it to the request, `signature` is
    spent by it.
    """

    key: str | None
    fingerprint: bytes
    country: str
    rent_type: RentType
    services: tuple[str, ...]
    units: int
    signature: Signature | None = None


async def rent(rt: Runtime, caller: Caller, request: RentRequest) -> tuple[Rented, bool]:
    """Rent a free number and charges the price, bonus first, at most once for one key.

    True with a replay.

    Raises GuardBanned, NotFound (country), CountryClosed, InvalidInput (serviceIds),
    PeriodNotOffered, NoNumbers, WalletShort, KeyReused, RequestInProgress or Unavailable. A refusal
    had no effect and leaves the key free.
    """
    key = key_of(caller, Namespace.RENT, request)
    for _ in range(QUOTE_RETRIES):
        try:
            item = await _item(rt, caller, request, key)
        except Refusal:
            recorded = await _recorded(rt, key)
            if recorded is None:
                raise
            return parse_outcome(recorded, Rented), True
        answer = await batches.rent(rt, item)
        if answer.outcome is not None:
            return parse_outcome(answer.outcome, Rented), answer.status is RentStatus.REPLAYED
        if answer.status is not RentStatus.PRICE_CHANGED:
            raise _refusal(answer, item)
        rt.memory.forget("rentals")  # the list changed under us: quote again from what is true now
    raise Unavailable


async def _recorded(rt: Runtime, key: Key) -> str | None:
    """Return the outcome that the key of a rent holds, None when it is free.

    The signature that asked for it is spent.
    """
    outcome = await rt.repeat("rentals.replay", lambda tx: idempotency.recorded(tx, key))
    if outcome is not None and key.signature is not None:
        await rt.run("rentals.spend", lambda tx: idempotency.claim(tx, key, now=rt.clock.now()))
    return outcome


async def _item(rt: Runtime, caller: Caller, request: RentRequest, key: Key) -> RentItem:
    """Return what to rent at which price.

    Raises GuardBanned, NotFound, CountryClosed, InvalidInput, PeriodNotOffered.
    """
    check_currency(caller)
    guard.check(rt, caller)
    known = await price_list(rt)
    place = known.country(request.country)
    if not place.open:
        raise CountryClosed(country=place.name)
    chosen = known.select(place, request.rent_type, request.services)
    quote = quotes.choose(quotes.quotes(chosen, discount_bp=discount_of(caller)), request.units)
    names = [{"code": service.code, "name": service.name} for service in chosen]
    return RentItem(
        dialect=caller.dialect,
        wallet_id=caller.wallet_id,
        bonus_id=caller.bonus_id,
        currency=caller.currency,
        key=key,
        public_id="num_" + secrets.token_hex(10),
        country_id=place.id,
        rent_type=request.rent_type,
        service_ids=tuple(service.id for service in chosen),
        quote=quote,
        context=msgspec.json.encode({"country": place.name, "services": names}).decode(),
        pivot=random.randrange(PIVOT_MAX),  # noqa: S311 - spreads load, guards nothing
    )


def _refusal(answer: RentAnswer, item: RentItem) -> Refusal:
    match answer.status:
        case RentStatus.WALLET_SHORT:
            return WalletShort(needed=item.quote.price, available=answer.available or 0)
        case RentStatus.KEY_REUSED:
            return KeyReused()
        case RentStatus.REPEATED:
            return RequestRepeated()
        case RentStatus.IN_PROGRESS:
            return RequestInProgress()
        case RentStatus.BUSY:
            return Unavailable()
        case RentStatus.NO_NUMBERS | RentStatus.RETRY:
            return NoNumbers()
        case RentStatus.RENTED | RentStatus.REPLAYED | RentStatus.PRICE_CHANGED:
            raise AssertionError(f"{answer.status} is not a refusal of a rent")
        case _:
            assert_never(answer.status)
