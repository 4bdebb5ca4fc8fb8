"""The catalogue in the lists of the smscode API: countries, services, operators, products."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

import msgspec

from numdesk.dialects import Answer
from numdesk.dialects.smscode.memory import Remembered
from numdesk.dialects.smscode.query import clamped, integer_of
from numdesk.dialects.smscode.render import amount, fx, success
from numdesk.domain.errors import InvalidInput
from numdesk.domain.fx import Rate
from numdesk.domain.stock.catalogue import Catalogue
from numdesk.domain.stock.numbers import Country, Offer, Operator, Service
from numdesk.kit.slices import SLICE, slices, sort, take_turn
from numdesk.runtime import ProcessState, Runtime

LIMIT_DEFAULT, LIMIT_MAX = 1_000, 10_000
#: A bound on the page number, above the last page of any list.
PAGE_MAX = 1_000_000
#: Sorted lists remembered per version: a client that changes the page size each time causes one
#: sort only.
LISTS_MAX = 16
_SORTS: Mapping[str, tuple[str, bool]] = {
    "price_asc": ("price", False),
    "price_desc": ("price", True),
    "available_asc": ("available", False),
    "available_desc": ("available", True),
    "name_asc": ("name", False),
    "name_desc": ("name", True),
}
#: The entry for any operator.
_ANY_OPERATOR = {"operator_id": None, "code": "any", "name": "Any", "local_name": None}


@dataclass(frozen=True, slots=True)
class Selection:
    """The selected products, their order, and the page."""

    country_id: int | None
    service_id: int | None
    operator_id: int | None
    sort: str
    limit: int
    page: int


_PAGES = ProcessState[Remembered[Answer]](lambda _: Remembered())


def page_memory(rt: Runtime) -> Remembered[Answer]:
    """Return this process's memory of answers."""
    return _PAGES.of(rt)


async def products_page(
    rt: Runtime, catalogue: Catalogue, selection: Selection, rate: Rate | None
) -> Answer:
    """Return a page of the products in stock, from this process's memory of pages or of lists."""
    lists = _LISTS.of(rt)

    async def make() -> Answer:
        # The list does not depend on the page.
        whole = replace(selection, limit=LIMIT_MAX, page=1)
        listed = await lists.answer(
            catalogue, (whole, rate), lambda: list_products(catalogue, whole, rate)
        )
        return await listed.render(limit=selection.limit, page=selection.page)

    return await page_memory(rt).answer(catalogue, (selection, rate), make)


def parse_selection(query: Mapping[str, str]) -> Selection:
    """Return the selection of a query; bounds are clamped.

    An unknown order is the cheapest first.
    """
    sort = query.get("sort", "price_asc")
    return Selection(
        country_id=integer_of(query, "country_id"),
        service_id=integer_of(query, "platform_id"),
        operator_id=integer_of(query, "operator_id"),
        sort=sort if sort in _SORTS else "price_asc",
        limit=clamped(query, "limit", default=LIMIT_DEFAULT, least=1, most=LIMIT_MAX),
        page=clamped(query, "page", default=1, least=1, most=PAGE_MAX),
    )


def parse_place(query: Mapping[str, str]) -> tuple[int, int]:
    """Return country and service of the query, both of which are required."""
    country_id, service_id = integer_of(query, "country_id"), integer_of(query, "platform_id")
    if country_id is None or service_id is None:
        raise InvalidInput(
            field="country_id" if country_id is None else "platform_id", reason="is required"
        )
    return country_id, service_id


async def render_countries(catalogue: Catalogue) -> Answer:
    """Return the countries that are open for sale."""
    return success([_country(country) for country in _by_id(catalogue.countries) if country.active])


async def render_services(catalogue: Catalogue, country_id: int | None) -> Answer:
    """Return the services that are open for sale, or those in stock in a country."""
    return success(
        [
            _service(service)
            async for part in slices(_by_id(catalogue.services))
            for service in part
            if service.active
            and (country_id is None or catalogue.sells_service(country_id, service.id))
        ]
    )


def render_operators(catalogue: Catalogue, country_id: int, service_id: int) -> Answer:
    """Return the operators to choose from.

    "any" comes first if it is in stock; it is left out if it is the only one.
    """
    found, sells_any = catalogue.operators_sold(country_id, service_id)
    entries = [_operator(operator) for operator in found]
    return success([_ANY_OPERATOR, *entries] if entries and sells_any else entries)


class PriceList:
    """The selected products in stock, in the requested order.

    A row is rendered when a page first shows it.
    """

    __slots__ = ("_catalogue", "_names", "_offers", "_rate", "_rows")

    def __init__(
        self, catalogue: Catalogue, offers: list[Offer], names: Mapping[int, str], rate: Rate | None
    ) -> None:
        """Keep the sorted offers, and their names by catalogue product."""
        self._catalogue = catalogue
        self._offers = offers
        self._names = names
        self._rate = rate
        self._rows: dict[int, msgspec.Raw] = {}

    async def render(self, *, limit: int, page: int) -> Answer:
        """Return a page."""
        start = (page - 1) * limit
        end = min(start + limit, len(self._offers))
        listed: list[msgspec.Raw] = []
        async for places in slices(range(start, end)):
            listed += map(self._row, places)
        meta: dict[str, Any] = {"page": page, "limit": limit, "count": len(listed)}
        if self._rate is not None:
            meta["fx"] = fx(self._rate)
        return success(listed, meta=meta)

    def _row(self, place: int) -> msgspec.Raw:
        row = self._rows.get(place)
        if row is None:
            offer = self._offers[place]
            product = _product(self._catalogue, offer, self._names[offer.catalogue_id], self._rate)
            row = self._rows[place] = msgspec.Raw(msgspec.json.encode(product))
        return row


async def list_products(catalogue: Catalogue, selection: Selection, rate: Rate | None) -> PriceList:
    """Return all selected products in stock.

    Equal rows are sorted by id, so that pages do not overlap.
    """
    key, is_falling = _SORTS[selection.sort]
    rows = await sort(await _in_stock(catalogue, selection), key=attrgetter("id"))
    by_name = {
        offer.catalogue_id: _name(catalogue, offer) async for part in slices(rows) for offer in part
    }
    rows = await sort(
        rows,
        key=(lambda offer: by_name[offer.catalogue_id]) if key == "name" else attrgetter(key),
        reverse=is_falling,
    )
    return PriceList(catalogue, rows, by_name, rate)


async def _in_stock(catalogue: Catalogue, selection: Selection) -> list[Offer]:
    """Return the selected offers that can be bought.

    Without an operator these are the tiers of any operator; for a product without such a tier its
    operators' tiers are returned, so that nothing in stock is hidden.
    """
    found: list[Offer] = []
    for count, (country_id, service_id) in enumerate(_places(catalogue, selection), 1):
        sold = [
            offer for offer in catalogue.tiers(country_id, service_id) if catalogue.sells(offer)
        ]
        if selection.operator_id is not None:
            found += [offer for offer in sold if offer.operator_id == selection.operator_id]
        else:
            found += [offer for offer in sold if offer.operator_id is None] or sold
        if count % SLICE == 0:
            await take_turn()
    return found


def _places(catalogue: Catalogue, selection: Selection) -> Iterable[tuple[int, int]]:
    """Return the (country, service) pairs of the selection."""
    country_id, service_id = selection.country_id, selection.service_id
    if country_id is not None and service_id is not None:
        return ((country_id, service_id),)
    return (
        place
        for place in catalogue.product_ids
        if country_id in (None, place[0]) and service_id in (None, place[1])
    )


def _name(catalogue: Catalogue, offer: Offer) -> str:
    return (
        f"{catalogue.services[offer.service_id].name} - "
        f"{catalogue.countries[offer.country_id].name}"
    )


def _product(catalogue: Catalogue, offer: Offer, name: str, rate: Rate | None) -> dict[str, Any]:
    operator = None if offer.operator_id is None else catalogue.operators[offer.operator_id]
    return {
        "id": offer.id,
        "name": name,
        "country_id": offer.country_id,
        "platform_id": offer.service_id,
        "available": offer.available,
        "price": amount(offer.price, rate),
        "active": True,
        "catalog_product_id": offer.catalogue_id,
        "operator_id": offer.operator_id,
        "operator_name": None if operator is None else operator.name,
    }


def _country(country: Country) -> dict[str, Any]:
    return {
        "id": country.id,
        "code": country.iso2.lower(),
        "name": country.name,
        "dial_code": country.dial_code,
        "emoji": country.emoji,
        "active": country.active,
    }


def _service(service: Service) -> dict[str, Any]:
    return {"id": service.id, "code": service.code, "name": service.name, "active": service.active}


def _operator(operator: Operator) -> dict[str, Any]:
    return {
        "operator_id": operator.id,
        "code": operator.code,
        "name": operator.name,
        "local_name": operator.local_name,
    }


def _by_id(rows: Mapping[int, Any]) -> list[Any]:
    return [rows[row_id] for row_id in sorted(rows)]


_LISTS = ProcessState[Remembered[PriceList]](lambda _: Remembered(most=LISTS_MAX))
