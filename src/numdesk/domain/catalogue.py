"""The catalogue as one moment saw it: what exists, what is offered, at which price, and how many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from numdesk.domain.numbers import CatalogueProduct, Country, Offer, Operator, Service


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything a price list or the router needs, in one currency; never changed, replaced as a whole.

    `offers` holds every tier with a price in `currency`, `offers_by_product` the same grouped by catalogue product (best routed from
    there); `available` of an offer is a count at most half a second old. `healthy` are the providers that are active and healthy;
    `scores` and `neutral` are the success buckets of `domain/routing.py`.
    """

    currency: str
    countries: Mapping[int, Country]
    services: Mapping[int, Service]
    operators: Mapping[int, Operator]
    products: Mapping[int, CatalogueProduct]
    offers: Mapping[int, Offer]
    offers_by_product: Mapping[int, tuple[Offer, ...]]
    healthy: frozenset[str]
    scores: Mapping[str, int]
    neutral: int

    def sells(self, offer: Offer) -> bool:
        """Is the offer open for sale: itself, its provider, its country and its service active, and something in stock?"""
        return (
            offer.active and offer.available > 0 and offer.provider in self.healthy
            and self.countries[offer.country_id].active and self.services[offer.service_id].active
        )
