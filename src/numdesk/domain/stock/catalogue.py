"""The catalogue as one moment saw it: offers, their prices and their stock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from numdesk.domain.stock.numbers import CatalogueProduct, Country, Offer, Operator, Service

#: The provider that stands for our own numbers; its stock is counted, not told.
LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Stock:
    """Our own free numbers as one moment counted them.

    `free` is keyed by (country, operator), where operator None counts the whole country; `cooling`
    by (country, operator, service) counts those of them that may not be sold for that service yet.
    """

    free: Mapping[tuple[int, int | None], int]
    cooling: Mapping[tuple[int, int | None, int], int]

    def available(self, offer: Offer) -> int:
        """Return how many of our numbers the offer could sell now."""
        place = (offer.country_id, offer.operator_id)
        return max(0, self.free.get(place, 0) - self.cooling.get((*place, offer.service_id), 0))


class Shelf(Mapping[int, Offer]):
    """Offers by id, each with its stock filled in when it is looked at.

    Thousands of offers share a few hundred counts that change twice a second; filling in only the
    fields that are read makes a new moment cost nothing. `known` is shared by the moments of one
    structure and only saves making an equal offer again.
    """

    __slots__ = ("_known", "_stock")

    def __init__(self, known: dict[int, Offer], stock: Stock) -> None:
        self._known = known
        self._stock = stock

    def __getitem__(self, offer_id: int) -> Offer:
        offer = self._known[offer_id]
        if offer.provider == LOCAL:
            available = self._stock.available(offer)
            if available != offer.available:
                offer = self._known[offer_id] = replace(offer, available=available)
        return offer

    def __iter__(self) -> Iterator[int]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


class Tiers(Mapping[int, tuple[Offer, ...]]):
    """Offers grouped by catalogue product, taken from a shelf when they are looked at."""

    __slots__ = ("_groups", "_shelf")

    def __init__(self, groups: Mapping[int, tuple[int, ...]], shelf: Mapping[int, Offer]) -> None:
        self._groups = groups
        self._shelf = shelf

    def __getitem__(self, catalogue_id: int) -> tuple[Offer, ...]:
        return tuple([self._shelf[offer_id] for offer_id in self._groups[catalogue_id]])

    def __iter__(self) -> Iterator[int]:
        return iter(self._groups)

    def __len__(self) -> int:
        return len(self._groups)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything a price list or the router needs, in one currency.

    Never changed, replaced as a whole.

    `offers` holds every tier with a price in `currency`, `offers_by_product` the same grouped by
    catalogue product (best routed from there); `available` of an offer is a count at most half a
    second old. `product_ids` finds a product by (country, service). `healthy` are the providers
    that are active and healthy; `scores` and `neutral` are the success buckets of
    `domain/stock/routing.py`.
    """

    currency: str
    countries: Mapping[int, Country]
    services: Mapping[int, Service]
    operators: Mapping[int, Operator]
    products: Mapping[int, CatalogueProduct]
    product_ids: Mapping[tuple[int, int], int]
    offers: Mapping[int, Offer]
    offers_by_product: Mapping[int, tuple[Offer, ...]]
    healthy: frozenset[str]
    scores: Mapping[str, int]
    neutral: int

    def sells(self, offer: Offer) -> bool:
        """Return whether the offer is open for sale and has stock."""
        return offer.available > 0 and self.is_open(offer)

    def is_open(self, offer: Offer) -> bool:
        """Return whether the offer is open for sale, whatever its stock: itself, its provider, its
        country and its service active."""
        return (
            offer.active
            and offer.provider in self.healthy
            and self.countries[offer.country_id].active
            and self.services[offer.service_id].active
        )

    def sells_service(self, country_id: int, service_id: int) -> bool:
        """Return whether numbers of a country can be bought for a service now."""
        return any(self.sells(offer) for offer in self.tiers(country_id, service_id))

    def operators_sold(self, country_id: int, service_id: int) -> tuple[list[Operator], bool]:
        """Return the operators that can be chosen for a product now, by name, and whether it also
        sells without a choice."""
        sold = {
            offer.operator_id for offer in self.tiers(country_id, service_id) if self.sells(offer)
        }
        chosen = [self.operators[operator_id] for operator_id in sold if operator_id is not None]
        return sorted(chosen, key=lambda operator: (operator.name, operator.id)), None in sold

    def tiers(self, country_id: int, service_id: int) -> tuple[Offer, ...]:
        """Return every offer for a country and a service, sold out or not."""
        product_id = self.product_ids.get((country_id, service_id))
        return self.offers_by_product.get(product_id, ()) if product_id is not None else ()
