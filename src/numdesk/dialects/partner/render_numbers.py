"""What the partner API answers about numbers: prices, rentals and messages, in the vendor's keys and order. All pure functions."""

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
    Quote,
    Rental,
    RentalMessage,
    RentalService,
    RentalState,
    RentType,
)
from numdesk.domain.rentals.outcomes import Canceled, Extended, Rented
from numdesk.kit.slices import slices


class _Named(Protocol):
    """A service, wherever it comes from."""

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
#: What a unit of a period is called, by itself.
_UNIT_NAME: Mapping[RentType, str] = {RentType.SHORT: "hour", RentType.LONG: "day"}
_MINUTE = timedelta(minutes=1)


async def price_list(
    country: str, rent_type: RentType, services: Sequence[RentalService]
) -> Answer:
    """Answers the services of a country, of which there may be thousands."""
    listed = [_priced(service) async for part in slices(services) for service in part]
    return success(
        {"country": country, "rentType": rent_type.name, "services": listed, "total": len(listed)}
    )


def prices(
    country: str, rent_type: RentType, services: Sequence[RentalService], quotes: Iterable[Quote]
) -> Answer:
    """Answers what services cost together, for every period that all of them have."""
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
    """Answers a rent; `numberId` is how the vendor's own sample calls the rental."""
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
    """Answers a page of rentals."""
    return success(
        [_rental(one) for one in found.items], pagination=pagination(turned, found.total)
    )


def extension_prices(rental: Rental, quotes: Iterable[Quote]) -> Answer:
    """Answers by how much a rental may be made longer, and for what."""
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
    """Answers an extension."""
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
    """Answers for what an ended rental's number can be had again."""
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
    """Answers a re-rent; the rental keeps its id."""
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
    """Answers a cancel; here alone the vendor writes the status in capitals, and a message before the data."""
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
    """Answers a page of messages: a list as the vendor's reference has it, or `wrapped` in an object as its sample reads it."""
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
    """Returns a service as bytes, written in the slice that it belongs to."""
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
