"""Quotes of rentals: what a rent, an extension or another term costs now."""

from __future__ import annotations

from collections.abc import Sequence

from numdesk.domain.customers.callers import Caller
from numdesk.domain.rentals import lifecycle
from numdesk.domain.rentals import quotes as price_quotes
from numdesk.domain.rentals.lifecycle import Rental, RentalEvent, RentalService, RentType
from numdesk.domain.rentals.quotes import Quote
from numdesk.domain.rentals.refusals import CountryClosed, NumberGone
from numdesk.runtime import Runtime
from numdesk.storage.rentals.lifecycle import Held
from numdesk.usecases.rentals.prices import RentalList, in_stock, price_list
from numdesk.usecases.rentals.reading import read_held


async def services(
    rt: Runtime, caller: Caller, *, country: str, rent_type: RentType
) -> list[RentalService]:
    """Return what numbers of a country can be rented for, by priority.

    Nothing is available while the country is only announced.

    Raises NotFound (country).
    """
    check_currency(caller)
    known = await price_list(rt)
    place = known.country(country)
    return await in_stock(rt, place, known.services.get((place.id, rent_type), ()))


async def quotes(
    rt: Runtime, caller: Caller, *, country: str, rent_type: RentType, services: Sequence[str]
) -> tuple[list[RentalService], list[Quote]]:
    """Return the services (wanted by code or name, in any case) and their price together, for each
    period that all of them have.

    Raises NotFound (country) or InvalidInput (serviceIds).
    """
    check_currency(caller)
    known = await price_list(rt)
    place = known.country(country)
    chosen = known.select(place, rent_type, services)
    return await in_stock(rt, place, chosen), price_quotes.quotes(
        chosen, discount_bp=discount_of(caller)
    )


async def extension_quotes(
    rt: Runtime, caller: Caller, rental_id: str
) -> tuple[Rental, list[Quote]]:
    """Return by which periods a running rental can be made longer, at what price.

    Raises NotFound or RentalNotActive.
    """
    held = await read_held(rt, caller, rental_id)
    lifecycle.move(held.rental.state, RentalEvent.EXTEND)
    return held.rental, extensions_of(rt, caller, await price_list(rt), held)


async def rerent_quotes(rt: Runtime, caller: Caller, rental_id: str) -> tuple[Rental, list[Quote]]:
    """Return for which periods the number of an ended rental can be rented again, at what price.

    Raises NotFound, RentalStillActive, NumberGone or CountryClosed.
    """
    held = await read_held(rt, caller, rental_id)
    lifecycle.move(held.rental.state, RentalEvent.RERENT)
    if not held.rental.number_available:
        raise NumberGone(state="number gone")
    return held.rental, rerents_of(caller, await price_list(rt), held)


def rerents_of(caller: Caller, known: RentalList, held: Held) -> list[Quote]:
    """Return what the rental's services cost together today. Raises CountryClosed."""
    place = known.country(held.rental.country)
    if not place.open:
        raise CountryClosed(country=place.name)
    return quotes_today(caller, known, held)


def extensions_of(rt: Runtime, caller: Caller, known: RentalList, held: Held) -> list[Quote]:
    rent_type = held.rental.rent_type
    return price_quotes.extensions(
        quotes_today(caller, known, held),
        rent_type=rent_type,
        units_so_far=held.units_total,
        units_max=rt.settings.rental_days_max,
    )


def quotes_today(caller: Caller, known: RentalList, held: Held) -> list[Quote]:
    """Return what the rental's services cost together today.

    Nothing when one of them is no longer rented out.
    """
    by_id = {
        service.id: service
        for service in known.services.get((held.country_id, held.rental.rent_type), ())
    }
    if not all(service_id in by_id for service_id in held.service_ids):
        return []
    return price_quotes.quotes(
        [by_id[service_id] for service_id in held.service_ids], discount_bp=discount_of(caller)
    )


def discount_of(caller: Caller) -> int:
    return int(caller.options.get("rental_discount_bp", 0))


def check_currency(caller: Caller) -> None:
    assert caller.currency == lifecycle.CURRENCY, (
        "rentals are paid in the currency of their price list"
    )
