"""The same number once more: what it costs now, and buying it for a new order."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from numdesk.domain.customers.callers import Caller
from numdesk.domain.errors import NotFound, StateForbids
from numdesk.domain.fx import PriceCap, Rate, at_most
from numdesk.domain.money import Money
from numdesk.domain.orders.lifecycle import Order, State
from numdesk.domain.orders.outcomes import Document, parse_document, print_document
from numdesk.domain.orders.refusals import PriceAboveCap, SupplierFailed
from numdesk.domain.stock.numbers import Offer
from numdesk.ports.errors import Cause, ProviderError
from numdesk.runtime import Runtime
from numdesk.storage import idempotency
from numdesk.storage.database.pool import Tx
from numdesk.storage.idempotency import Key, Namespace
from numdesk.storage.orders import lifecycle as order_rows
from numdesk.storage.orders import purchases as rows
from numdesk.usecases import rates
from numdesk.usecases.customers import guard
from numdesk.usecases.desk.provider_calls import CUSTOMER_WAITS_S, answered
from numdesk.usecases.orders import from_suppliers, plans, purchases
from numdesk.usecases.stock import catalogue as catalogue_cases


@dataclass(frozen=True, slots=True)
class ReactivateRequest:
    """A request to buy an order's number again, at most at a price.

    `key`, `fingerprint` and `show` as in OrderRequest.
    """

    key: str | None
    fingerprint: bytes
    order_id: int
    max_price: PriceCap | None
    show: str | None


@dataclass(frozen=True, slots=True)
class ReactivationOptions:
    """The price of buying the number again now, and the rate when one was asked for."""

    cost: Money
    rate: Rate | None


async def reactivation_options(
    rt: Runtime, caller: Caller, order_id: int, *, show: str | None
) -> ReactivationOptions:
    """Return what the number costs now; write nothing.

    Raises NotFound, StateForbids, SupplierFailed, RateUnavailable.
    """
    rate = await rates.current(rt, show) if show else None
    order = await rt.repeat("orders.reactivation_options", lambda tx: _parent(tx, caller, order_id))
    offer = await _offer(rt, caller, order)
    if order.provider_ref is not None:
        await _check_supplier(rt, order, offer)
    return ReactivationOptions(Money(offer.price, caller.currency), rate)


async def reactivate(rt: Runtime, caller: Caller, request: ReactivateRequest) -> purchases.Outcome:
    """Buy the number of a completed order once more, at most once for one key.

    Raises NotFound, StateForbids, PriceAboveCap, WalletShort, GuardBanned, SupplierFailed,
    KeyReused, RequestInProgress, RateUnavailable.
    """
    key = Key(
        caller.customer_id,
        Namespace.REACTIVATE,
        request.key or "~" + secrets.token_hex(16),
        request.fingerprint,
    )
    recorded = (
        await rt.repeat("orders.replay", lambda tx: idempotency.recorded(tx, key))
        if request.key
        else None
    )
    if recorded is not None:
        return purchases.outcome(parse_document(recorded), replayed=True)
    guard.check(rt, caller)
    rate = await rates.current(rt, request.show) if request.show else None
    order = await rt.repeat(
        "orders.reactivate.look", lambda tx: _parent(tx, caller, request.order_id)
    )
    offer = await _offer(rt, caller, order)
    if not at_most(offer.price, request.max_price, rate=rate.value if rate else None):
        raise PriceAboveCap(price=offer.price)
    if order.provider_ref is not None:
        await _check_supplier(rt, order, offer)
    plan = plans.Plan(key, 1, (offer,), None, rate, by_catalogue=False, parent=order)
    if order.provider_ref is not None:
        document, replayed = await from_suppliers.fulfil(rt, caller, plan, sell=purchases.sell)
        return purchases.outcome(document, replayed=replayed)
    try:
        settled = await rt.run("orders.reactivate", lambda tx: _from_stock(rt, tx, caller, plan))
    except StateForbids:
        # The number is taken; if by this very request, sent twice at once, the answer is the same
        # one.
        recorded = await rt.repeat("orders.replay", lambda tx: idempotency.recorded(tx, key))
        if recorded is None:
            raise
        return purchases.outcome(parse_document(recorded), replayed=True)
    return purchases.outcome(settled[0], replayed=settled[1])


async def _from_stock(
    rt: Runtime, tx: Tx, caller: Caller, plan: plans.Plan
) -> tuple[Document, bool]:
    """Sell a number of our own stock again in one transaction.

    Return the recorded document and whether it is a replay.
    """
    now = rt.clock.now()
    assert plan.parent is not None, "a number is bought again for an order"
    await _parent(tx, caller, plan.parent.id, lock=True)
    await rows.lock_wallet(tx, wallet_id=caller.wallet_id)
    claimed = await idempotency.claim(tx, plan.key, now=now)
    if isinstance(claimed, str):
        return parse_document(claimed), True
    child_id = await rows.insert_pending(
        tx,
        caller,
        plan.candidates[0],
        request_id=claimed,
        decision_id=None,
        parent=plan.parent,
        now=now,
    )
    if not await rows.retake_number(tx, parent_id=plan.parent.id, child_id=child_id):
        raise StateForbids(state="number taken")
    frame = plan.frame(claimed)
    document = Document(
        rate=frame.rate, rate_as_of=frame.rate_as_of, orders=(await rows.made(tx, claimed)).created
    )
    await idempotency.keep(tx, plan.key, print_document(document))
    return document, False


async def _parent(tx: Tx, caller: Caller, order_id: int, *, lock: bool = False) -> Order:
    """Return the order when its number may be bought again. Raises NotFound or StateForbids."""
    order = (
        await order_rows.lock(tx, customer_id=caller.customer_id, order_id=order_id)
        if lock
        else await order_rows.read_any(tx, order_id)
    )
    if (
        order is None
        or order.customer_id != caller.customer_id
        or order.state in (State.PENDING, State.FAILED)
    ):
        raise NotFound(what="order")
    if order.state is not State.COMPLETED:
        raise StateForbids(state=order.state.name.lower())
    if not order.reactivatable or not order.number_free:
        raise StateForbids(
            state="number taken" if order.reactivatable else "number cannot be had again"
        )
    if await rows.has_pending_child(tx, order):
        raise StateForbids(state="reactivation on its way")
    return order


async def _offer(rt: Runtime, caller: Caller, order: Order) -> Offer:
    """Return the order's tier at today's price.

    Raises StateForbids when it is no longer sold (its stock does not matter).
    """
    catalogue = await catalogue_cases.catalogue(rt, caller.currency)
    offer = catalogue.offers.get(order.offer_id)
    if offer is None or not catalogue.is_open(offer):
        raise StateForbids(state="no longer sold")
    return offer


async def _check_supplier(rt: Runtime, order: Order, offer: Offer) -> None:
    """Ask the supplier whether the number can be had again.

    Raises StateForbids or SupplierFailed.
    """
    catalogue = await catalogue_cases.catalogue(rt, order.currency)
    service = catalogue.services[offer.service_id].code
    if order.msisdn is None:
        raise NotFound(what="order")
    try:
        asking = rt.suppliers[order.provider].reactivation_cost(
            msisdn=order.msisdn, service=service
        )
        cost = await answered(asking, within_s=CUSTOMER_WAITS_S)
    except ProviderError as error:
        raise SupplierFailed(attempts=[(offer.id, offer.provider, error.cause.value)]) from error
    if cost is None:
        raise StateForbids(state="number gone")
    if cost > offer.price:
        raise SupplierFailed(attempts=[(offer.id, offer.provider, Cause.PRICE_REJECTED.value)])
