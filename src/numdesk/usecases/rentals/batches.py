"""Rents of many customers in one command, each request once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from numdesk.runtime import Batch, Runtime
from numdesk.storage import idempotency
from numdesk.storage.database.pool import Tx
from numdesk.storage.idempotency import Key
from numdesk.storage.rentals import renting as rows
from numdesk.storage.rentals.renting import RentAnswer, RentItem, RentStatus
from numdesk.usecases.ledger import alerts

BATCH_MAX = 256
#: Retries by status.
PATIENCE = {RentStatus.RETRY: 50, RentStatus.BUSY: 150}


async def rent(rt: Runtime, item: RentItem) -> RentAnswer:
    """Rent in the batch that leaves next, again while others hold the numbers or the wallet."""
    answer = await _RENTS.submit(rt, item)
    patience = dict(PATIENCE)
    while patience.get(answer.status, 0) > 0:
        patience[answer.status] -= 1
        await asyncio.sleep(0.01 + random.random() * 0.02)  # noqa: S311 - jitter
        answer = await _RENTS.submit(rt, item)
    return answer


async def _rent_batch(rt: Runtime, items: list[RentItem]) -> list[RentAnswer]:
    """Rent for every item in one transaction."""
    return await rt.run("rentals.rent", lambda tx: _rent_many(rt, tx, items))


_RENTS = Batch(_rent_batch, batch_max=BATCH_MAX)


async def _rent_many(rt: Runtime, tx: Tx, items: Sequence[RentItem]) -> list[RentAnswer]:
    """Rent for every item, once for all items of one signature, or of one key.

    The others get its answer as a repeat.
    """
    now = rt.clock.now()
    first: dict[Key, RentItem] = {}
    for item in items:
        first.setdefault(_identity(item), item)
    acting = await _spend(tx, list(first.values()), now=now)
    answers = await rows.rent(tx, acting, now=now)
    spent = {
        item.key.signature: answer.outcome
        for item, answer in zip(acting, answers, strict=True)
        if item.key.signature is not None
    }
    await idempotency.end_all(tx, spent)
    await _look(
        tx,
        [
            item
            for item, answer in zip(acting, answers, strict=True)
            if answer.status is RentStatus.RENTED
        ],
        now=now,
    )
    told = {
        name: _told(item.key, answer)
        for name, item, answer in zip(first, acting, answers, strict=True)
    }
    return [
        told[name] if item is first[name] else _repeated(name, told[name])
        for item in items
        for name in [_identity(item)]
    ]


def _identity(item: RentItem) -> Key:
    """Return what two items have in common that are one request."""
    return item.key.signature or item.key


async def _spend(tx: Tx, items: Sequence[RentItem], *, now: datetime) -> list[RentItem]:
    """Claim the signatures of the items.

    An item whose signature was spent before acts under that, whatever its own key.
    """
    signatures = [item.key.signature for item in items if item.key.signature is not None]
    fresh = await idempotency.claim_all(tx, signatures, now=now)
    return [
        item
        if item.key.signature is None or item.key.signature in fresh
        else replace(item, key=item.key.signature)
        for item in items
    ]


def _told(key: Key, answer: RentAnswer) -> RentAnswer:
    """Return the answer of a key, which may not be asked twice."""
    return (
        RentAnswer(RentStatus.REPEATED, None, None)
        if key.is_single and answer.status is RentStatus.REPLAYED
        else answer
    )


def _repeated(key: Key, answer: RentAnswer) -> RentAnswer:
    """Return the answer of an item whose request another item of its batch has made."""
    match answer.status:
        case RentStatus.RENTED:
            return _told(key, replace(answer, status=RentStatus.REPLAYED))
        case RentStatus.KEY_REUSED:  # a word about the other item's key
            return RentAnswer(RentStatus.BUSY, None, None)
        case _:
            return _told(key, answer)


async def _look(tx: Tx, charged: Sequence[RentItem], *, now: datetime) -> None:
    """Look whether those who were charged are to be warned of a low balance."""
    for dialect, currency in sorted({(item.dialect, item.currency) for item in charged}):
        customer_ids = [
            item.key.customer_id
            for item in charged
            if (item.dialect, item.currency) == (dialect, currency)
        ]
        await alerts.look(
            tx, customer_ids=customer_ids, dialect=dialect, currency=currency, now=now
        )
