"""Requests that ask suppliers: claim the key, reserve the money, call, write the result.

A crash anywhere leaves a pending order with its hold, and a job that asks the supplier and ends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import msgspec

from numdesk.domain.customers.callers import Caller
from numdesk.domain.errors import (
    OutcomeUnknown,
    Refusal,
    RequestInProgress,
    StateForbids,
    Unavailable,
    WalletShort,
)
from numdesk.domain.orders.lifecycle import Order
from numdesk.domain.orders.outcomes import Attempt, Document, parse_document, print_document
from numdesk.domain.stock.catalogue import LOCAL
from numdesk.domain.stock.numbers import Offer
from numdesk.domain.stock.refusals import NoOffer
from numdesk.ports.errors import Cause, ProviderError
from numdesk.ports.suppliers import NumberSupplier, Reserved, Wanted
from numdesk.runtime import Runtime
from numdesk.storage import idempotency
from numdesk.storage.database.pool import Tx
from numdesk.storage.idempotency import Key, Namespace
from numdesk.storage.jobs import queue
from numdesk.storage.orders import lifecycle as order_rows
from numdesk.storage.orders import purchases as rows
from numdesk.storage.orders.sales import SaleStatus
from numdesk.usecases.desk.provider_calls import CUSTOMER_WAITS_S, answered
from numdesk.usecases.orders import supplier_answers
from numdesk.usecases.orders.plans import Frame, Piece, Plan, Sell
from numdesk.usecases.stock import catalogue as catalogue_cases

#: A request that was not settled by then is looked into by a job; one that buys in several rounds
#: has so long for each of them.
RESOLVE_AFTER = timedelta(seconds=60)
#: How many numbers of one request are bought at the same time.
PARALLEL_MAX = 10
#: How often a supplier is asked, at once, what became of a call without an answer.
QUESTIONS_MAX = 3
#: A refusal that never reached a supplier.
NOT_REACHED = "not_reached"
INSUFFICIENT = "insufficient_balance"


async def fulfil(rt: Runtime, caller: Caller, plan: Plan, *, sell: Sell) -> tuple[Document, bool]:
    """Return the recorded document and whether it is a replay.

    Raises KeyReused, RequestInProgress (also when a supplier's answer is unknown and it cannot be
    asked now), WalletShort, NoOffer, OutcomeUnknown (the database went away after the key was
    claimed), and StateForbids when the parent's number is being bought again by somebody else.
    """

    async def reserve(tx: Tx) -> int | str:
        # The wallet before the key, as the sale from our own stock does: the same key may be on
        # both ways at once.
        available = await rows.lock_wallet(tx, wallet_id=caller.wallet_id)
        claimed = await idempotency.claim(tx, plan.key, now=rt.clock.now())
        if isinstance(claimed, int):
            rows.check_wallet(available, needed=plan.candidates[0].price * plan.quantity)
            run_at = rt.clock.now() + RESOLVE_AFTER * -(-plan.quantity // PARALLEL_MAX)
            await queue.add(
                tx,
                kind="orders.resolve",
                payload=msgspec.to_builtins(plan.frame(claimed)),
                run_at=run_at,
            )
        return claimed

    claimed = await rt.run("orders.create.reserve", reserve)
    if isinstance(claimed, str):
        return parse_document(claimed), True
    try:
        return await _carry_out(rt, caller, plan, request_id=claimed, sell=sell), False
    except Unavailable as error:  # the job goes on with it
        raise OutcomeUnknown from error


async def _carry_out(
    rt: Runtime, caller: Caller, plan: Plan, *, request_id: int, sell: Sell
) -> Document:
    """Buy for a claimed key and return the recorded document; refuse as `fulfil` does."""
    gate = asyncio.Semaphore(PARALLEL_MAX)

    async def one(position: int) -> list[Attempt]:
        async with gate:
            return await _buy_one(
                rt, caller, plan, request_id=request_id, position=position, sell=sell
            )

    try:
        attempts = [
            attempt
            for tried in await asyncio.gather(*(one(n) for n in range(plan.quantity)))
            for attempt in tried
        ]
    except StateForbids:  # nothing was asked of anybody
        await rt.run("orders.create.release", lambda tx: idempotency.release(tx, plan.key))
        raise
    document = await _settle(rt, plan.frame(request_id), tuple(attempts))
    if document is None:  # the job was quicker: the client's next try is a replay
        raise RequestInProgress
    return document


async def resolve_pending(rt: Runtime, payload: Mapping[str, Any]) -> None:
    """End a request that its process did not (job `orders.resolve`): have each supplier asked by a
    job of its own, then settle.

    Raises ProviderError or RequestInProgress to be tried again.
    """
    frame, provider = msgspec.convert(payload, Frame), payload.get("provider")
    pending = (await rt.repeat("orders.resolve", lambda tx: rows.made(tx, frame.request))).pending
    if provider is None and pending:
        await rt.run(
            "orders.resolve.ask",
            lambda tx: _ask_each(tx, frame, {one.provider for one in pending}, now=rt.clock.now()),
        )
    if provider is not None:
        ids = [one.order_id for one in pending if one.provider == provider]
        await supplier_answers.resolve_each(rt, ids, provider, unknown=NOT_REACHED)
    # The job without a supplier is tried again until the request is settled; those that ask one end
    # when they have an answer.
    with suppress(NoOffer, WalletShort, *([RequestInProgress] if provider else [])):
        await _settle(rt, frame, ())


async def _ask_each(tx: Tx, frame: Frame, providers: Iterable[str], *, now: datetime) -> None:
    """Leave word to ask each of these suppliers what became of the request's pending orders."""
    for provider in sorted(providers):
        payload = {**msgspec.to_builtins(frame), "provider": provider}
        await queue.add(
            tx,
            kind="orders.resolve",
            payload=payload,
            run_at=now,
            unique_key=f"{frame.request}/{provider}",
        )


async def _buy_one(  # noqa: PLR0913 - one number of one request
    rt: Runtime, caller: Caller, plan: Plan, *, request_id: int, position: int, sell: Sell
) -> list[Attempt]:
    """Try the candidates in turn until one gives a number.

    Return every try that did not reach the database as an order.
    """
    tried: list[Attempt] = []
    for turn, offer in enumerate(plan.candidates):
        if offer.provider == LOCAL:
            key = Key(caller.customer_id, Namespace.CREATE, f"~{request_id}/{position}/{turn}", b"")
            sold = await sell(rt, caller, Piece(key, 1, offer, plan.decision_id, request_id))
            if sold.outcome is not None:
                return tried
            cause = (
                INSUFFICIENT if sold.status is SaleStatus.WALLET_SHORT else Cause.NO_NUMBERS.value
            )
            tried.append(Attempt(offer=offer.id, provider=offer.provider, result=cause))
            continue
        try:
            if await _from_supplier(rt, caller, plan, offer, request_id=request_id):
                return tried
        except WalletShort:
            tried.append(Attempt(offer=offer.id, provider=offer.provider, result=INSUFFICIENT))
    return tried


async def _from_supplier(
    rt: Runtime, caller: Caller, plan: Plan, offer: Offer, *, request_id: int
) -> bool:
    """Buy one number from a supplier; False when it gave none.

    Raises WalletShort and, the outcome unknown, RequestInProgress.
    """
    wanted, order_id = await _reserve(rt, caller, plan, offer, request_id=request_id)
    supplier = rt.suppliers[offer.provider]
    try:
        buying = (
            supplier.reserve(wanted)
            if plan.parent is None
            else supplier.reactivate(wanted, msisdn=plan.parent.msisdn or 0)
        )
        reserved = await answered(buying, within_s=CUSTOMER_WAITS_S)
    except ProviderError as error:
        if not error.unknown:
            await supplier_answers.fail(rt, order_id, error.cause.value)
            return False
        reserved = await _ask(supplier, wanted.reference)
        if reserved is None:
            await supplier_answers.fail_unsure(
                rt, order_id, offer.provider, Cause.PROVIDER_UNAVAILABLE.value
            )
            return False
    return await supplier_answers.assign(rt, order_id, offer.provider, reserved)


async def _reserve(
    rt: Runtime, caller: Caller, plan: Plan, offer: Offer, *, request_id: int
) -> tuple[Wanted, int]:
    """Write the pending order with its hold.

    Return what to ask the supplier for, and the order's id.

    Raises RequestInProgress when the job has settled the request meanwhile: an order made now would
    be in nobody's answer; and with StateForbids when the parent's number is being bought again by
    somebody else.
    """

    async def work(tx: Tx) -> int:
        if plan.parent is not None:
            await _check_parent(tx, plan.parent)
        await rows.lock_wallet(tx, wallet_id=caller.wallet_id)
        if not await idempotency.lock_in_progress(tx, request_id):
            raise RequestInProgress
        return await rows.insert_pending(
            tx,
            caller,
            offer,
            request_id=request_id,
            decision_id=plan.decision_id,
            parent=plan.parent,
            now=rt.clock.now(),
        )

    order_id = await rt.run("orders.reserve", work)
    catalogue = await catalogue_cases.catalogue(rt, caller.currency)
    operator = (
        catalogue.operators[offer.operator_id].code if offer.operator_id is not None else None
    )
    wanted = Wanted(
        reference=supplier_answers.reference(order_id),
        country=catalogue.countries[offer.country_id].iso2,
        service=catalogue.services[offer.service_id].code,
        operator=operator,
        cost_max=offer.cost,
        currency=offer.currency,
    )
    return wanted, order_id


async def _check_parent(tx: Tx, parent: Order) -> None:
    """Raises StateForbids when somebody else has bought the parent's number again since we looked,
    or is about to."""
    await rows.lock_siblings(tx, parent)
    pending = await rows.has_pending_child(
        tx, parent
    )  # first: it may become an open order while we look
    now = await order_rows.read_any(tx, parent.id)
    if pending or now is None or not now.number_free:
        raise StateForbids(state="reactivation on its way")


async def _ask(supplier: NumberSupplier, reference: str) -> Reserved | None:
    """Return what became of a call whose answer was lost.

    Raises RequestInProgress when the supplier cannot say now.
    """
    for question in range(QUESTIONS_MAX):
        try:
            return await answered(
                supplier.look_up(reference), within_s=CUSTOMER_WAITS_S / QUESTIONS_MAX
            )
        except ProviderError:
            await asyncio.sleep(0.1 * (question + 1))
    raise RequestInProgress


async def _settle(rt: Runtime, frame: Frame, tried: tuple[Attempt, ...]) -> Document | None:
    """Record what the request came to and returns it; None when it is settled already.

    Nothing bought and no supplier reached leaves the key free: refuses with WalletShort or NoOffer.
    An order without a known outcome keeps it claimed: refuses with RequestInProgress.
    """

    async def work(tx: Tx) -> Document | Refusal | None:
        key = await idempotency.in_progress(tx, frame.request)
        if key is None:
            return None
        so_far = await rows.made(tx, frame.request)
        if so_far.pending:
            raise RequestInProgress
        attempts = tried + so_far.failed
        reached = any(attempt.result != NOT_REACHED for attempt in so_far.failed)
        if not so_far.created and not reached:
            await idempotency.release(tx, key)
            return (
                WalletShort()
                if any(attempt.result == INSUFFICIENT for attempt in attempts)
                else NoOffer()
            )
        document = Document(
            rate=frame.rate,
            rate_as_of=frame.rate_as_of,
            failed=frame.quantity - len(so_far.created),
            orders=so_far.created,
            refused=not so_far.created,
            by_catalogue=frame.by_catalogue,
            attempts=() if so_far.created else attempts,
        )
        await idempotency.keep(tx, key, print_document(document))
        return document

    settled = await rt.run("orders.create.settle", work)
    if isinstance(settled, Refusal):  # raised here and not inside, where it would undo the release
        raise settled
    return settled
