"""Answers of the partner API about numbers, in the vendor's keys and order.

All functions are pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import msgspec

from numdesk.dialects import Answer
from numdesk.dialects.partner.money import SIGN, money
from numdesk.dialects.partner.query import Turned
from numdesk.dialects.partner.render import Opaque, iso, pagination, phone, success
from numdesk.domain.pages import Page
from numdesk.domain.rentals.lifecycle import (
    UNIT,
    Rental,
    RentalMessage,
    RentalService,
    RentalState,
    RentType,
)
from numdesk.domain.rentals.outcomes import Canceled, Extended, Rented
from numdesk.domain.rentals.quotes import Quote
from numdesk.kit.slices import slices


class _Named(Protocol):
    """A service with a name, of any origin."""

    @property
    def code(self) -> str: ...
    @property
    def name(self) -> str: ...


#: The vendor's two words for a rental.
RENTAL_STATUS: Mapping[RentalState, str] = {
    RentalState.ACTIVE: "active",
    RentalState.EXPIRED: "inactive",
    RentalState.CANCELED: "inactive",
}
#: The unit of a period, in the singular.
_UNIT_NAME: Mapping[RentType, str] = {RentType.SHORT: "hour", RentType.LONG: "day"}
_MINUTE = timedelta(minutes=1)


async def price_list(
    country: str, rent_type: RentType, services: Sequence[RentalService]
) -> Answer:
    """Return the services of a country, of which there may be thousands."""
    listed = [_priced(service) async for part in slices(services) for service in part]
    return success(
        {"country": country, "rentType": rent_type.name, "services": listed, "total": len(listed)}
    )


def prices(
    country: str, rent_type: RentType, services: Sequence[RentalService], quotes: Iterable[Quote]
) -> Answer:
    """Return the price of services together, for every period that all of them have."""
    periods = [
        {
            **_length(rent_type, quote.units),
            "basePrice": money(quote.base_price),
            "price": money(quote.price),
            "currency": SIGN,
            "breakdown": [
                {"service": name, "price": money(price)} for name, price in quote.breakdown
            ],
        }
        for quote in quotes
    ]
    data = {
        "country": country,
        "rentType": rent_type.name,
        "services": _named(services),
        "periods": periods,
        "currency": SIGN,
    }
    return success(data)


def rented(made: Rented, *, replayed: bool) -> Answer:
    """Return the answer to a rent; `numberId` is the rental's name in the vendor's own sample."""
    facts = made.rental
    return success(
        {
            "rentId": facts.id,
            "numberId": facts.id,
            "number": phone(facts.msisdn),
            "country": facts.country,
            "services": _named(facts.services),
            "price": money(made.price),
            "currency": SIGN,
            "rentType": facts.rent_type.name,
            "period": str(made.units),
            "duration": {"value": UNIT[facts.rent_type] * made.units // _MINUTE, "unit": "minutes"},
            "startsAt": _epoch(made.starts_at),
            "expiresAt": _epoch(made.expires_at),
            "status": "active",
        },
        replayed=replayed,
    )


def rental_page(found: Page[Rental], turned: Turned) -> Answer:
    """Return a page of rentals."""
    return success(
        [_rental(one) for one in found.items], pagination=pagination(turned, found.total)
    )


def extension_prices(rental: Rental, quotes: Iterable[Quote]) -> Answer:
    """Return the possible extensions of a rental with their prices."""
    return success(
        {
            "rentId": rental.public_id,
            "number": phone(rental.msisdn),
            "currentExpiry": iso(rental.expires_at),
            "availablePeriods": _offered(rental, quotes),
            "currency": SIGN,
        }
    )


def extended(made: Extended, *, replayed: bool) -> Answer:
    """Return the answer to an extension."""
    return success(
        {
            "rentId": made.rental.id,
            "number": phone(made.rental.msisdn),
            "newExpiresAt": _epoch(made.expires_at),
            "extensionPrice": money(made.price),
            "currency": SIGN,
            "period": str(made.units),
        },
        replayed=replayed,
    )


def rerent_prices(rental: Rental, quotes: Iterable[Quote]) -> Answer:
    """Return the prices of renting an ended rental's number again."""
    return success(
        {
            "rentId": rental.public_id,
            "number": phone(rental.msisdn),
            "status": "inactive",
            "lastExpiry": iso(rental.ended_at or rental.expires_at),
            "services": _named(rental.services),
            "availablePeriods": _offered(rental, quotes),
            "currency": SIGN,
        }
    )


def rerented(made: Rented, *, replayed: bool) -> Answer:
    """Return the answer to a re-rent; the rental keeps its id."""
    return success(
        {
            "rentId": made.rental.id,
            "number": phone(made.rental.msisdn),
            "period": str(made.units),
            "price": money(made.price),
            "currency": SIGN,
            "startsAt": _epoch(made.starts_at),
            "expiresAt": _epoch(made.expires_at),
            "status": "active",
        },
        replayed=replayed,
    )


def canceled(made: Canceled, *, replayed: bool) -> Answer:
    """Return the answer to a cancel.

    Only here the vendor writes the status in capitals, and a message before the data.
    """
    data = {
        "rentId": made.rental_id,
        "number": phone(made.msisdn),
        "status": "INACTIVE",
        "refunded": made.refunded,
        "refundAmount": money(made.refund),
        "currency": SIGN,
    }
    message = "Rental cancelled and refunded" if made.refunded else "Rental cancelled"
    return success(data, replayed=replayed, message=message)


def message_page(
    found: Page[RentalMessage], turned: Turned, opaque: Opaque, *, wrapped: bool
) -> Answer:
    """Return a page of messages.

    It is a list as in the vendor's reference, or `wrapped` in an object as in its sample.
    """
    listed = [
        {
            "id": opaque("sms", one.id),
            "from": one.sender,
            "message": one.text,
            "receivedAt": iso(one.received_at),
        }
        for one in found.items
    ]
    return success(
        {"messages": listed} if wrapped else listed, pagination=pagination(turned, found.total)
    )


def _priced(service: RentalService) -> msgspec.Raw:
    """Return a service as bytes; encoded here so that a long list is encoded in slices."""
    prices = {str(units): money(service.prices[units]) for units in sorted(service.prices)}
    row = {
        "id": service.code,
        "name": service.name,
        "prices": prices,
        "currency": SIGN,
        "available": service.available,
        "priority": service.priority,
    }
    return msgspec.Raw(msgspec.json.encode(row))


def _rental(one: Rental) -> dict[str, Any]:
    return {
        "rentId": one.public_id,
        "numberId": one.public_id,
        "number": phone(one.msisdn),
        "country": one.country,
        "services": [
            {"id": service.code, "name": service.name, "used": service.used}
            for service in one.services
        ],
        "price": money(one.price),
        "currency": SIGN,
        "rentType": one.rent_type.name,
        "period": str(one.units),
        "status": RENTAL_STATUS[one.state],
        "startsAt": iso(one.starts_at),
        "expiresAt": iso(one.expires_at),
        "rentedAt": iso(one.rented_at),
    }


def _offered(rental: Rental, quotes: Iterable[Quote]) -> list[dict[str, Any]]:
    return [
        {**_length(rental.rent_type, quote.units), "price": money(quote.price), "currency": SIGN}
        for quote in quotes
    ]


def _length(rent_type: RentType, units: int) -> dict[str, Any]:
    name = _UNIT_NAME[rent_type]
    return {
        "period": str(units),
        "duration": units,
        "durationUnit": f"{name}s",
        "description": f"{units} {name}" if units == 1 else f"{units} {name}s",
    }


def _named(services: Iterable[_Named]) -> list[dict[str, str]]:
    return [{"id": service.code, "name": service.name} for service in services]


def _epoch(epoch_s: int) -> str:
    return iso(datetime.fromtimestamp(epoch_s, UTC))
