"""Buying the use of numbers: from our own stock by one batched command, from suppliers in two
steps, and the same number once more."""

from __future__ import annotations

import asyncio
import random
import secrets
from dataclasses import dataclass, replace
from typing import assert_never

import msgspec

from numdesk.domain.customers.callers import Caller
from numdesk.domain.errors import (
    KeyReused,
    NotFound,
    Refusal,
    RequestInProgress,
    Unavailable,
    WalletShort,
)
from numdesk.domain.fx import Rate
from numdesk.domain.orders.outcomes import Document, parse_document
from numdesk.domain.orders.refusals import SupplierFailed
from numdesk.domain.stock.catalogue import LOCAL, Catalogue
from numdesk.domain.stock.refusals import NoOffer
from numdesk.domain.stock.routing import ATTEMPTS_MAX, Ranking, Wish, rank
from numdesk.runtime import Batch, Runtime
from numdesk.storage import idempotency
from numdesk.storage.idempotency import Key, Namespace
from numdesk.storage.orders.sales import Sale, SaleStatus, Sold, sell_from_stock
from numdesk.usecases import rates
from numdesk.usecases.customers import guard
from numdesk.usecases.orders import decisions, from_suppliers, plans
from numdesk.usecases.stock import catalogue as catalogue_cases

SALE_BATCH_MAX = 256
PIVOT_MAX = 2**31 - 1
#: Retries by status: `RETRY` = every free number is locked by another buyer; `BUSY` = the wallet is
#: locked by another transaction.
PATIENCE = {SaleStatus.RETRY: 50, SaleStatus.BUSY: 150}
#: How often a sale is ranked anew because a price or tier had changed between ranking and selling.
RANK_RETRIES = 3


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """The request of a customer: an offer (tier) or a catalogue product with a wish, and how many.

    `key` is the customer's idempotency key or None; `fingerprint` binds it to the request. `show`
    is a pair such as "USD/IDR" when amounts are shown in another currency, which then needs a rate.
    """

    key: str | None
    fingerprint: bytes
    offer_id: int | None
    catalogue_id: int | None
    quantity: int
    wish: Wish
    show: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The document of the first answer, and whether this is a replay of it."""

    document: Document
    replayed: bool


async def create(rt: Runtime, caller: Caller, request: OrderRequest) -> Outcome:
    """Buy the numbers, each at the price that the customer's bounds allow, at most once for one
    key.

    Raises KeyReused, RequestInProgress, GuardBanned, RateUnavailable, NotFound, NoOffer,
    WalletShort, SupplierFailed. A refusal that had no effect leaves the key free.
    """
    key = Key(
        caller.customer_id,
        Namespace.CREATE,
        request.key or "~" + secrets.token_hex(16),
        request.fingerprint,
    )
    for _ in range(RANK_RETRIES):
        try:
            plan = await _plan(rt, caller, request, key)
        except Refusal as refusal:
            return await _replay_or(rt, key, refusal, own=request.key is None)
        bought = await _buy(rt, caller, request, plan)
        if bought is not None:
            return bought
        rt.memory.forget(
            "catalogue"
        )  # a price or tier changed under us: rank again from what is true now
    raise _no_offer(request, request.wish, considered=1)


async def _plan(rt: Runtime, caller: Caller, request: OrderRequest, key: Key) -> plans.Plan:
    """Return what to try in which order. Raises GuardBanned, RateUnavailable, NotFound, NoOffer."""
    guard.check(rt, caller)
    rate = await _rate(rt, request.show)
    catalogue = await catalogue_cases.catalogue(rt, caller.currency)
    wish = replace(request.wish, rate=rate.value) if rate else request.wish
    ranking = _candidates(catalogue, request, wish)
    decision_id = None
    if request.catalogue_id is not None:
        decision_id = await decisions.decision(
            rt, ranking, catalogue_id=request.catalogue_id, wish=wish
        )
    by_catalogue = request.catalogue_id is not None
    return plans.Plan(
        key, request.quantity, ranking.candidates, decision_id, rate, by_catalogue=by_catalogue
    )


async def _buy(
    rt: Runtime, caller: Caller, request: OrderRequest, plan: plans.Plan
) -> Outcome | None:
    """Buy by the plan; None when an offer is not what it was when it was ranked."""
    first = plan.candidates[0]
    if first.provider != LOCAL or (plan.quantity > first.available and len(plan.candidates) > 1):
        return await _from_suppliers(rt, caller, request, plan)
    sold = await sell(
        rt,
        caller,
        plans.Piece(plan.key, plan.quantity, first, plan.decision_id),
        rate=plan.rate,
    )
    if sold.outcome is not None:
        # Without a key of the customer's, a replay is our own repetition after an outage.
        replayed = sold.status is SaleStatus.REPLAYED and request.key is not None
        return outcome(parse_document(sold.outcome), replayed=replayed)
    if sold.status is SaleStatus.WALLET_SHORT:
        raise WalletShort(needed=first.price * plan.quantity, available=sold.available or 0)
    if sold.status is SaleStatus.OFFER_CHANGED:
        return None
    if len(plan.candidates) == 1:
        raise _no_offer(request, request.wish, considered=1)
    return await _from_suppliers(rt, caller, request, replace(plan, candidates=plan.candidates[1:]))


async def sell(
    rt: Runtime, caller: Caller, piece: plans.Piece, *, rate: Rate | None = None
) -> Sold:
    """Sell from our own stock in the batch that leaves next.

    Raises KeyReused, RequestInProgress, Unavailable or OutcomeUnknown.
    """
    sale = Sale(
        customer_id=caller.customer_id,
        dialect=caller.dialect,
        wallet_id=caller.wallet_id,
        currency=caller.currency,
        key=piece.key.text,
        fingerprint=piece.key.fingerprint,
        offer_id=piece.offer.id,
        price=piece.offer.price,
        quantity=piece.quantity,
        decision_id=piece.decision_id,
        request_id=piece.request_id,
        context=_context(rate),
        pivot=random.randrange(PIVOT_MAX),  # noqa: S311 - spreads load, guards nothing
    )

    sold = await _SALES.submit(rt, sale)
    patience = dict(PATIENCE)
    while patience.get(sold.status, 0) > 0:
        patience[sold.status] -= 1
        await asyncio.sleep(0.01 + random.random() * 0.02)  # noqa: S311 - jitter
        sold = await _SALES.submit(rt, sale)
    match sold.status:
        case SaleStatus.KEY_REUSED:
            raise KeyReused
        case SaleStatus.IN_PROGRESS:
            raise RequestInProgress
        case SaleStatus.BUSY:
            raise Unavailable
        case SaleStatus.CREATED | SaleStatus.REPLAYED:
            assert sold.outcome is not None, "a sale has a document"
        case (
            SaleStatus.WALLET_SHORT
            | SaleStatus.OFFER_CHANGED
            | SaleStatus.NO_NUMBERS
            | SaleStatus.RETRY
        ):
            pass
        case _:
            assert_never(sold.status)
    return sold


async def _sell_batch(rt: Runtime, sales: list[Sale]) -> list[Sold]:
    """Sell every item in one command."""
    return await rt.repeat(
        "orders.create",
        lambda tx: sell_from_stock(tx, sales, now=rt.clock.now()),
        books=True,
    )


_SALES = Batch(_sell_batch, batch_max=SALE_BATCH_MAX)


async def _from_suppliers(
    rt: Runtime, caller: Caller, request: OrderRequest, plan: plans.Plan
) -> Outcome:
    """Run a request that may ask suppliers."""
    try:
        document, replayed = await from_suppliers.fulfil(rt, caller, plan, sell=sell)
    except NoOffer as refusal:
        raise _no_offer(request, request.wish, considered=len(plan.candidates)) from refusal
    return outcome(document, replayed=replayed)


def outcome(document: Document, *, replayed: bool) -> Outcome:
    """Return the outcome of a document, or refuses with the recorded SupplierFailed."""
    if document.refused:
        attempts = [
            (attempt.offer, attempt.provider, attempt.result) for attempt in document.attempts
        ]
        raise SupplierFailed(
            attempts=attempts, by_catalogue=document.by_catalogue, replayed=replayed
        )
    return Outcome(document, replayed)


async def _replay_or(rt: Runtime, key: Key, refusal: Refusal, *, own: bool) -> Outcome:
    """Return what the key holds (a replay comes before any other check), or raises the refusal."""
    recorded = (
        None if own else await rt.repeat("orders.replay", lambda tx: idempotency.recorded(tx, key))
    )
    if recorded is None:
        raise refusal
    return outcome(parse_document(recorded), replayed=True)


async def _rate(rt: Runtime, show: str | None) -> Rate | None:
    return None if show is None else rates.remembered(rt, show) or await rates.current(rt, show)


def _candidates(catalogue: Catalogue, request: OrderRequest, wish: Wish) -> Ranking:
    """Return the offers that may serve the request, best first. Raises NotFound or NoOffer."""
    if request.offer_id is not None:
        offer = catalogue.offers.get(request.offer_id)
        if offer is None:
            raise NotFound(what="product")
        if not catalogue.sells(offer):
            raise _no_offer(request, wish, considered=1)
        return Ranking((offer,), 1, ())
    assert request.catalogue_id is not None, "an order names an offer or a catalogue product"
    product = catalogue.products.get(request.catalogue_id)
    if product is None:
        raise NotFound(what="catalogue product")
    offers = catalogue.offers_by_product.get(product.id, ())
    if not (
        catalogue.countries[product.country_id].active
        and catalogue.services[product.service_id].active
    ):
        offers = ()
    ranking = rank(
        offers, wish, healthy=catalogue.healthy, scores=catalogue.scores, neutral=catalogue.neutral
    )
    if not ranking.candidates:
        raise _no_offer(request, wish, considered=ranking.considered)
    return replace(ranking, candidates=ranking.candidates[:ATTEMPTS_MAX])


def _no_offer(request: OrderRequest, wish: Wish, *, considered: int) -> NoOffer:
    """Return the refusal with the wish, bounds in minor units."""
    return NoOffer(
        details={
            "catalogue_id": request.catalogue_id,
            "policy": wish.policy.value,
            "considered": considered,
            "operator_id": wish.operator_id,
            "min_price": wish.min_price.lowest(wish.rate) if wish.min_price else None,
            "max_price": wish.max_price.highest(wish.rate) if wish.max_price else None,
        }
    )


def _context(rate: Rate | None) -> str:
    """Return the opening of a recorded document: the rate of the answer."""
    if rate is None:
        return "{}"
    as_of = int(rate.as_of.timestamp()) if rate.as_of else None
    return msgspec.json.encode({"rate": rate.value, "rate_as_of": as_of}).decode()
