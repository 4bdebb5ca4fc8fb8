"""The calls of the partner API about prices, rentals and messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numdesk.dialects import Answer, Request
from numdesk.dialects.partner.durations import choose_reading, parse_length, parse_period
from numdesk.dialects.partner.query import is_ascending, page_of, parse_query, states_of
from numdesk.dialects.partner.render_numbers import (
    canceled,
    extended,
    extension_prices,
    message_page,
    price_list,
    prices,
    rental_page,
    rented,
    rerent_prices,
    rerented,
)
from numdesk.dialects.partner.signing import SHORT
from numdesk.dialects.partner.wire import (
    Selection,
    parse_claim,
    parse_place,
    parse_rental_id,
    parse_selection,
    read_object,
)
from numdesk.runtime import Runtime
from numdesk.usecases.rentals import ending, quotes, reading, renting, terms
from numdesk.usecases.rentals import prices as rental_prices
from numdesk.usecases.rentals.ending import CancelRequest
from numdesk.usecases.rentals.renting import RentRequest
from numdesk.usecases.rentals.terms import ExtendRequest


async def list_services(rt: Runtime, request: Request) -> Answer:
    """GET /numbers/services."""
    country, rent_type = parse_place(parse_query(request))
    found = await quotes.services(rt, request.caller, country=country, rent_type=rent_type)
    return await price_list(await _spelled_country(rt, country), rent_type, found)


async def calculate_price(rt: Runtime, request: Request) -> Answer:
    """POST /numbers/calculate-price."""
    country, rent_type, services = parse_selection(read_object(request))
    found, offered = await quotes.quotes(
        rt, request.caller, country=country, rent_type=rent_type, services=services
    )
    return prices(await _spelled_country(rt, country), rent_type, found, offered)


async def rent(rt: Runtime, request: Request) -> Answer:
    """POST /numbers/rent."""
    data, claim = read_object(request), parse_claim(request)
    wanted = parse_selection(data)
    units = await _parse_units(rt, request, data, wanted)
    made, again = await renting.rent(
        rt,
        request.caller,
        RentRequest(
            claim.key,
            claim.fingerprint,
            wanted.country,
            wanted.rent_type,
            wanted.services,
            units,
            claim.signature,
        ),
    )
    return rented(made, replayed=again)


async def list_active(rt: Runtime, request: Request) -> Answer:
    """GET /numbers/active; `?status=` selects other states, as the vendor's API cannot."""
    return await _list_rentals(rt, request, "active")


async def list_ended(rt: Runtime, request: Request) -> Answer:
    """GET /numbers/history: rentals that can be re-rented.

    The vendor mentions a history but has no call for it.
    """
    return await _list_rentals(rt, request, "inactive")


async def price_extension(rt: Runtime, request: Request) -> Answer:
    """GET /numbers/{rentId}/extend/calculate."""
    return extension_prices(
        *await quotes.extension_quotes(rt, request.caller, parse_rental_id(request))
    )


async def extend(rt: Runtime, request: Request) -> Answer:
    """POST /numbers/{rentId}/extend."""
    wanted = await _parse_extension(rt, request)
    made, again = await terms.extend(rt, request.caller, wanted)
    return extended(made, replayed=again)


async def price_rerent(rt: Runtime, request: Request) -> Answer:
    """GET /numbers/{rentId}/re-rent/calculate."""
    return rerent_prices(*await quotes.rerent_quotes(rt, request.caller, parse_rental_id(request)))


async def rerent(rt: Runtime, request: Request) -> Answer:
    """POST /numbers/{rentId}/re-rent."""
    wanted = await _parse_extension(rt, request)
    made, again = await terms.rerent(rt, request.caller, wanted)
    return rerented(made, replayed=again)


async def cancel(rt: Runtime, request: Request) -> Answer:
    """POST /numbers/{rentId}/cancel; a body is ignored."""
    rental_id, claim = parse_rental_id(request), parse_claim(request)
    made, again = await ending.cancel(
        rt, request.caller, CancelRequest(claim.key, claim.fingerprint, rental_id, claim.signature)
    )
    return canceled(made, replayed=again)


async def list_messages(rt: Runtime, request: Request) -> Answer:
    """GET /numbers/{rentId}/sms."""
    rental_id, query = parse_rental_id(request), parse_query(request)
    turned, ascending = page_of(query), is_ascending(query)
    found = await reading.messages(
        rt, request.caller, rental_id, page=turned.page, limit=turned.limit, ascending=ascending
    )
    return message_page(found, turned, rt.keys.opaque_id, wrapped=_answer_form(request) == SHORT)


async def _list_rentals(rt: Runtime, request: Request, status: str) -> Answer:
    query = parse_query(request)
    turned, states = page_of(query), states_of(query, status)
    return rental_page(
        await reading.active(
            rt, request.caller, page=turned.page, limit=turned.limit, states=states
        ),
        turned,
    )


async def _parse_extension(rt: Runtime, request: Request) -> ExtendRequest:
    """Return the extension that a body means; the rental is read only if the body is ambiguous."""
    rental_id, claim = parse_rental_id(request), parse_claim(request)
    data = read_object(request)
    units = parse_period(data)
    if units is None:
        rental = await reading.read(rt, request.caller, rental_id)
        services = tuple(service.code for service in rental.services)
        units = await _parse_units(
            rt, request, data, Selection(rental.country, rental.rent_type, services)
        )
    return ExtendRequest(claim.key, claim.fingerprint, rental_id, units, claim.signature)


async def _parse_units(
    rt: Runtime, request: Request, data: Mapping[str, Any], wanted: Selection
) -> int:
    """Return the number of units that a body means.

    An ambiguous duration is resolved by the price list and nothing else, so that a repeated request
    has the same meaning.
    """
    readings = parse_length(data, wanted.rent_type)
    if len(readings) == 1:
        return readings[0]
    _, offered = await quotes.quotes(
        rt,
        request.caller,
        country=wanted.country,
        rent_type=wanted.rent_type,
        services=wanted.services,
    )
    return choose_reading(readings, [quote.units for quote in offered])


async def _spelled_country(rt: Runtime, spelled: str) -> str:
    """Return a country's name in the operator's spelling, whatever the client's."""
    return (await rental_prices.price_list(rt)).country(spelled).name


def _answer_form(request: Request) -> str:
    """Return the customer's answer form: set by staff, else that of the request's signature."""
    wanted = request.caller.options.get("answers", "auto")
    return request.form if wanted == "auto" else wanted
