"""The catalogue: prices and stock of this moment, kept in memory; and the stock of suppliers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextvars import Context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numdesk.domain.stock.catalogue import LOCAL, Catalogue, Shelf, Stock, Tiers
from numdesk.domain.stock.numbers import CatalogueProduct, Country, Offer, Operator, Service
from numdesk.ports.errors import ProviderError
from numdesk.runtime import ProcessState
from numdesk.storage.stock import catalogue as rows
from numdesk.storage.stock import numbers as stock_rows
from numdesk.usecases.desk.provider_calls import answered
from numdesk.usecases.stock.scores import _scores

if TYPE_CHECKING:
    from asyncpg import Record

    from numdesk.runtime import Runtime
    from numdesk.storage.database.pool import Tx


#: What is shown of the stock may be this old.
STOCK_AGE_MAX_S = 0.5
#: Counting may take a fifth of one connection's time at most: a count that takes long is used for
#: longer.
STOCK_AGE_FACTOR = 5
#: At this part of its age a new count is begun while the old one still serves, so that no request
#: waits for counting.
STOCK_RENEW_PART = 0.8
#: Catalogues in several currencies that are composed together share a count of this age.
STOCK_SHARED_S = 0.1
#: What is remembered of the structure is dropped when its version changes; this bounds the harm of
#: a change that went unnoticed.
STRUCTURE_AGE_MAX_S = 60.0
#: Offers are made from rows in slices, so that other requests are answered in between.
SLICE = 1000


@dataclass(frozen=True, slots=True)
class _Structure:
    """The part of the catalogue that only staff change, in one currency."""

    countries: dict[int, Country]
    services: dict[int, Service]
    operators: dict[int, Operator]
    products: dict[int, CatalogueProduct]
    product_ids: dict[tuple[int, int], int]
    offers: dict[int, Offer]
    groups: dict[int, tuple[int, ...]]
    healthy: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Counted:
    """A count of stock and how long it may be used."""

    stock: Stock
    age_max_s: float


async def catalogue(rt: Runtime, currency: str) -> Catalogue:
    """Return the catalogue of this moment in one currency."""
    moment = remembered(rt, currency)
    if moment is not None:
        return moment
    return await rt.memory.get(
        _name(currency), lambda: _compose(rt, currency), age_max_s=_age_max_s(rt)
    )


def remembered(rt: Runtime, currency: str) -> Catalogue | None:
    """Return the catalogue when a young enough one is in memory, else None.

    Begin to renew one that is growing old.
    """
    name, age_max_s = _name(currency), _age_max_s(rt)
    moment: Catalogue | None = rt.memory.peek(name, age_max_s=age_max_s)
    if moment is not None and rt.memory.peek(name, age_max_s=age_max_s * STOCK_RENEW_PART) is None:
        _renew(rt, currency, age_max_s=age_max_s * STOCK_RENEW_PART)
    return moment


async def register_providers(rt: Runtime, *, slugs: Iterable[str]) -> None:
    """Make the providers of this installation known to the catalogue.

    Those that are known already keep their state.
    """
    wanted = sorted(slugs)
    if await rt.repeat(
        "catalogue.missing_providers", lambda tx: rows.missing_providers(tx, slugs=wanted)
    ):
        await rt.run("catalogue.add_providers", lambda tx: rows.add_providers(tx, slugs=wanted))


def remote_suppliers(rt: Runtime) -> list[str]:
    """Return the slugs of the suppliers that are asked for their offers."""
    return sorted(slug for slug in rt.suppliers if slug != LOCAL)


async def refresh_supplier(rt: Runtime, *, provider: str) -> int | None:
    """Ask a supplier what it sells and write it down.

    Return how many offers changed, None when it does not answer.

    A supplier that does not answer is unhealthy, and so not sold from, until it answers again.
    """
    try:
        tiers = await answered(rt.suppliers[provider].tiers())
    except ProviderError:
        await _note_health(rt, provider, healthy=False)
        return None
    await _note_health(rt, provider, healthy=True)
    changed = await rt.run(
        "catalogue.take_tiers", lambda tx: rows.take_tiers(tx, provider=provider, tiers=tiers)
    )
    if changed:
        rt.memory.forget("catalogue")
    return changed


async def _compose(rt: Runtime, currency: str) -> Catalogue:
    structure: _Structure = await rt.memory.get(
        f"catalogue.structure:{currency}",
        lambda: _load_structure(rt, currency),
        age_max_s=STRUCTURE_AGE_MAX_S,
    )
    counted: _Counted = await rt.memory.get(
        "catalogue.stock", lambda: _count(rt), age_max_s=STOCK_SHARED_S
    )
    scores = await _scores(rt)
    shelf = Shelf(structure.offers, counted.stock)
    return Catalogue(
        currency=currency,
        countries=structure.countries,
        services=structure.services,
        operators=structure.operators,
        products=structure.products,
        product_ids=structure.product_ids,
        offers=shelf,
        offers_by_product=Tiers(structure.groups, shelf),
        healthy=structure.healthy,
        scores=scores.buckets,
        neutral=scores.neutral,
    )


async def _load_structure(rt: Runtime, currency: str) -> _Structure:
    """Read everything as of one moment, then make the objects in slices."""

    async def look(tx: Tx) -> tuple[Any, ...]:
        words = (
            await rows.countries(tx),
            await rows.services(tx),
            await rows.operators(tx),
            await rows.products(tx),
        )
        return *words, await rows.offer_rows(tx, currency=currency), await rows.providers(tx)

    countries, services, operators, products, offer_rows, providers = await rt.read(
        "catalogue.structure", look
    )
    offers = await _make_offers(offer_rows)
    groups: dict[int, list[int]] = {}
    for offer in offers.values():
        groups.setdefault(offer.catalogue_id, []).append(offer.id)
    return _Structure(
        countries={country.id: country for country in countries},
        services={service.id: service for service in services},
        operators={operator.id: operator for operator in operators},
        products={product.id: product for product in products},
        product_ids={(product.country_id, product.service_id): product.id for product in products},
        offers=offers,
        groups={catalogue_id: tuple(ids) for catalogue_id, ids in groups.items()},
        healthy=frozenset(
            provider.slug for provider in providers if provider.active and provider.healthy
        ),
    )


async def _make_offers(found: list[Record]) -> dict[int, Offer]:
    offers: dict[int, Offer] = {}
    for start in range(0, len(found), SLICE):
        for row in found[start : start + SLICE]:
            offers[row["id"]] = rows.offer_of(row)
        await asyncio.sleep(0)
    return offers


async def _count(rt: Runtime) -> _Counted:
    now, started = rt.clock.now(), rt.clock.monotonic()
    free = await rt.repeat("catalogue.count_free", stock_rows.count_free)
    cooling = await rt.repeat(
        "catalogue.count_cooling", lambda tx: stock_rows.count_cooling(tx, now=now)
    )
    took_s = rt.clock.monotonic() - started
    return _Counted(Stock(free, cooling), age_max_s=max(STOCK_AGE_MAX_S, STOCK_AGE_FACTOR * took_s))


async def _note_health(rt: Runtime, slug: str, *, healthy: bool) -> None:
    if await rt.run(
        "catalogue.set_health", lambda tx: rows.set_health(tx, provider=slug, healthy=healthy)
    ):
        rt.memory.forget("catalogue")


def _age_max_s(rt: Runtime) -> float:
    counted: _Counted | None = rt.memory.peek("catalogue.stock")
    return counted.age_max_s if counted is not None else STOCK_AGE_MAX_S


_RENEWALS = ProcessState[dict[str, asyncio.Task[Catalogue]]](lambda _: {})


def _renew(rt: Runtime, currency: str, *, age_max_s: float) -> None:
    """Begin to compose a new moment, unless that is under way.

    When it fails, the old moment serves until it is too old, and then the request itself will fail.
    """
    name = _name(currency)
    renewals = _RENEWALS.of(rt)
    running = renewals.get(name)
    if running is not None and not running.done():
        return

    async def renew() -> Catalogue:
        return await rt.memory.get(name, lambda: _compose(rt, currency), age_max_s=age_max_s)

    task = renewals[name] = asyncio.create_task(renew(), context=Context())
    task.add_done_callback(lambda done: done.cancelled() or done.exception())


def _name(currency: str) -> str:
    return f"catalogue.moment:{currency}"
