"""What the partner API answers: domain values turned into its JSON, with the vendor's keys in the vendor's order. All pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import msgspec

from numdesk.dialects import JSON_TYPE, Answer, Header
from numdesk.dialects.partner.money import EUR, SIGN, money
from numdesk.dialects.partner.query import Turned
from numdesk.domain.pages import Page
from numdesk.domain.rental_outcomes import Canceled, Extended, Rented
from numdesk.domain.rentals import UNIT, Quote, Rental, RentalMessage, RentalService, RentalState, RentType
from numdesk.domain.topups import TopUp
from numdesk.usecases.wallets import Balances, HistoryLine

#: Makes the id that leaves of an internal one: `opaque("tx", 7)`.
Opaque = Callable[[str, int], str]


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
#: Says that an answer repeats that of an earlier request.
_REPLAYED: tuple[Header, ...] = (JSON_TYPE, (b"idempotency-replayed", b"true"))

_MINUTE = timedelta(minutes=1)

_encode = msgspec.json.Encoder().encode


def success(data: object, *, replayed: bool = False, **beside: object) -> Answer:
    """Returns the envelope of a success, with what stands beside the data."""
    body = _encode({"success": True, "data": data, **beside})
    return Answer(200, body, _REPLAYED) if replayed else Answer(200, body)


def pagination(turned: Turned, total: int) -> dict[str, int]:
    """Returns which page of how many this is."""
    return {"page": turned.page, "limit": turned.limit, "total": total, "totalPages": -(-total // turned.limit)}


def iso(moment: datetime) -> str:
    """Returns a time in UTC, whole seconds, with Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def phone(msisdn: int) -> str:
    """Returns a number with its plus."""
    return f"+{msisdn}"


def registered(*, partner_id: str, api_key: str, secret: str) -> Answer:
    """Answers a registration; the only time that the secret is told."""
    return success(
        {
            "partnerId": partner_id,
            "apiKey": api_key,
            "secretKey": secret,
            "status": "pending_approval",
            "message": "Registration received. Keep the secret key: it is not shown again. The account works once it is approved.",
        }
    )


def balance(found: Balances) -> Answer:
    """Answers what a wallet holds."""
    total = found.balance + found.bonus
    return success(
        {
            "balance": money(found.balance),
            "balanceBonus": money(found.bonus),
            "currency": EUR,
            "total": money(total),
            "reserved": money(found.held),
            "available": money(total - found.held),
        }
    )


def transactions(found: Page[HistoryLine], turned: Turned, opaque: Opaque) -> Answer:
    """Answers a page of what moved the money; balances are of wallet and bonus together."""
    data = [
        {
            "id": opaque("tx", line.id),
            "type": line.type,
            "amount": money(line.amount),
            "currency": EUR,
            "balanceBefore": money(line.balance_before),
            "balanceAfter": money(line.balance_after),
            "description": line.description,
            "metadata": line.metadata,
            "createdAt": iso(line.at),
        }
        for line in found.items
    ]
    return success(data, pagination=pagination(turned, found.total))


def invoice(made: TopUp, *, replayed: bool) -> Answer:
    """Answers a top-up that waits for its payment: `amount` is what will be credited, `finalAmount` what is to be paid."""
    return success(
        {
            "invoiceId": made.public_id,
            "amount": money(made.amount),
            "finalAmount": money(made.final_amount),
            "discount": money(made.discount),
            "discountPercent": _percent(made.discount_percent),
            "paymentUrl": made.payment_url,
            "expiresAt": None if made.expires_at is None else iso(made.expires_at),
            "status": "pending",
        },
        replayed=replayed,
    )


def price_list(country: str, rent_type: RentType, services: Sequence[RentalService]) -> Answer:
    """Answers the services of a country."""
    listed = [
        {
            "id": service.code,
            "name": service.name,
            "prices": {str(units): money(service.prices[units]) for units in sorted(service.prices)},
            "currency": SIGN,
            "available": service.available,
            "priority": service.priority,
        }
        for service in services
    ]
    return success({"country": country, "rentType": rent_type.name, "services": listed, "total": len(listed)})


def prices(country: str, rent_type: RentType, services: Sequence[RentalService], quotes: Iterable[Quote]) -> Answer:
    """Answers what services cost together, for every period that all of them have."""
    periods = [
        {
            **_length(rent_type, quote.units),
            "basePrice": money(quote.base_price),
            "price": money(quote.price),
            "currency": SIGN,
            "breakdown": [{"service": name, "price": money(price)} for name, price in quote.breakdown],
        }
        for quote in quotes
    ]
    data = {"country": country, "rentType": rent_type.name, "services": _named(services), "periods": periods, "currency": SIGN}
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


def rentals(found: Page[Rental], turned: Turned) -> Answer:
    """Answers a page of rentals."""
    return success([_rental(one) for one in found.items], pagination=pagination(turned, found.total))


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
            "lastExpiry": iso(rental.expires_at),
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
    body = _encode({"success": True, "message": message, "data": data})
    return Answer(200, body, _REPLAYED) if replayed else Answer(200, body)


def messages(found: Page[RentalMessage], turned: Turned, opaque: Opaque, *, wrapped: bool) -> Answer:
    """Answers a page of messages: a list as the vendor's reference has it, or `wrapped` in an object as its sample reads it."""
    listed = [
        {"id": opaque("sms", one.id), "from": one.sender, "message": one.text, "receivedAt": iso(one.received_at)} for one in found.items
    ]
    return success({"messages": listed} if wrapped else listed, pagination=pagination(turned, found.total))


def _rental(one: Rental) -> dict[str, Any]:
    return {
        "rentId": one.public_id,
        "numberId": one.public_id,
        "number": phone(one.msisdn),
        "country": one.country,
        "services": [{"id": service.code, "name": service.name, "used": service.used} for service in one.services],
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
    return [{**_length(rental.rent_type, quote.units), "price": money(quote.price), "currency": SIGN} for quote in quotes]


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


def _percent(basis_points: int) -> msgspec.Raw:
    """Returns hundredths of a percent as a number without needless zeros: 10, 12.5."""
    return msgspec.Raw(f"{basis_points / 100:g}".encode("ascii"))


def _epoch(epoch_s: int) -> str:
    return iso(datetime.fromtimestamp(epoch_s, UTC))
