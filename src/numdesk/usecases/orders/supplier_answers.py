"""Effects of a supplier's answer on an order: taken, or given back, however late it comes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from numdesk.domain.orders.lifecycle import Order, State
from numdesk.domain.stock.numbers import parse_msisdn
from numdesk.ports.errors import Cause
from numdesk.ports.suppliers import Reserved
from numdesk.runtime import Runtime
from numdesk.storage.database.pool import Tx
from numdesk.storage.inbound import messages as message_rows
from numdesk.storage.jobs import queue
from numdesk.storage.orders import lifecycle as order_rows
from numdesk.storage.orders import purchases as rows
from numdesk.usecases import otp, recognition
from numdesk.usecases.desk.provider_calls import answered, each

#: When a supplier that knew nothing of a call is asked about it once more, each after the one
#: before: a call that we gave up may still be on its way there, and what it then buys would be paid
#: for and used by nobody.
LOOK_AGAIN_AFTER_S = (60.0, 300.0, 900.0, 3600.0)
#: Orders of one request that a supplier is asked about at the same time.
ASKED_AT_ONCE = 10


def reference(order_id: int) -> str:
    """Return the name by which a supplier knows this try of ours."""
    return f"numdesk-{order_id}"


async def assign(rt: Runtime, order_id: int, provider: str, reserved: Reserved) -> bool:
    """Give the order its number, with the messages that were quicker than the supplier's answer.

    False when it cannot have it.

    It cannot when it was ended meanwhile, or when the answer is none that we can take (dearer than
    agreed, a number or reference that is in use): then a job gives the number back.
    """
    now = rt.clock.now()
    book, recogniser = await otp.known(rt), await recognition.known(rt)

    async def work(tx: Tx) -> bool:
        order = await order_rows.lock_any(tx, order_id)
        assert order is not None, "orders are never deleted"
        if order.state is not State.PENDING:
            if order.provider_ref != reserved.provider_ref:
                await _give_back(tx, provider, reserved, now=now)
            return order.provider_ref == reserved.provider_ref
        cause = await _fault_of(tx, order, reserved)
        if cause is None:
            await rows.assign(tx, order_id, reserved, now=now)
            early = await message_rows.take_orphans(
                tx, provider=provider, msisdn=reserved.msisdn, since=order.created_at
            )
            early = [
                otp.reread(book, one, [order.service_id])
                for one in recognition.recognised(recogniser, early)
            ]
            await message_rows.receive(tx, early, now=now, withhold=recognition.withholds(rt))
            return True
        await rows.fail(tx, order_id, reason=cause.value, now=now)
        await _give_back(tx, provider, reserved, now=now)
        return False

    return await rt.run("orders.assign", work)


async def fail(rt: Runtime, order_id: int, reason: str) -> None:
    """End a pending order without a number."""
    await rt.run(
        "orders.fail", lambda tx: rows.fail(tx, order_id, reason=reason, now=rt.clock.now())
    )


async def fail_unsure(rt: Runtime, order_id: int, provider: str, reason: str) -> None:
    """End a pending order whose call had no answer and that the supplier knows nothing of, and
    leave word to ask it again later."""

    async def work(tx: Tx) -> None:
        if await rows.fail(tx, order_id, reason=reason, now=rt.clock.now()):
            await _ask_later(tx, order_id, provider, 0, now=rt.clock.now())

    await rt.run("orders.fail", work)


async def resolve(rt: Runtime, order_id: int, provider: str, *, unknown: str) -> None:
    """Ask a supplier what became of a pending order's call, and end the order or give it its
    number. Raises ProviderError.

    A call that the supplier knows nothing of ends the order with the reason `unknown`.
    """
    reserved = await answered(rt.suppliers[provider].look_up(reference(order_id)))
    if reserved is None:
        await fail_unsure(rt, order_id, provider, unknown)
    else:
        await assign(rt, order_id, provider, reserved)


async def resolve_each(
    rt: Runtime, order_ids: Sequence[int], provider: str, *, unknown: str
) -> None:
    """Resolve each of these orders, whatever becomes of the others, then raise the first error.

    The next try of the job asks about those alone that are still pending, and in another order: a
    supplier that hangs on some must not keep the others from being asked about.
    """
    gate = asyncio.Semaphore(ASKED_AT_ONCE)

    async def one(order_id: int) -> None:
        async with gate:
            await resolve(rt, order_id, provider, unknown=unknown)

    await each(map(one, random.sample(order_ids, len(order_ids))))


async def look_again(rt: Runtime, payload: Mapping[str, Any]) -> None:
    """Ask a supplier about a call that was given up (job `orders.look_again`), and give back what
    it bought after all.

    Raises ProviderError to be tried again.
    """
    order_id, provider, turn = int(payload["order"]), str(payload["provider"]), int(payload["turn"])
    reserved = await answered(rt.suppliers[provider].look_up(reference(order_id)))
    if reserved is not None:
        await assign(rt, order_id, provider, reserved)
    elif turn + 1 < len(LOOK_AGAIN_AFTER_S):
        await rt.run(
            "orders.look_again",
            lambda tx: _ask_later(tx, order_id, provider, turn + 1, now=rt.clock.now()),
        )


async def _ask_later(tx: Tx, order_id: int, provider: str, turn: int, *, now: datetime) -> None:
    await queue.add(
        tx,
        kind="orders.look_again",
        payload={"order": order_id, "provider": provider, "turn": turn},
        run_at=now + timedelta(seconds=LOOK_AGAIN_AFTER_S[turn]),
        unique_key=f"{order_id}/{turn}",
    )


async def _fault_of(tx: Tx, order: Order, reserved: Reserved) -> Cause | None:
    """Return why a supplier's answer cannot be taken, or None."""
    if reserved.cost > order.cost:
        return Cause.PRICE_REJECTED
    is_number = parse_msisdn(str(reserved.msisdn)) is not None and reserved.cost >= 0
    if not is_number or await rows.is_ref_known(
        tx, provider=order.provider, provider_ref=reserved.provider_ref
    ):
        return Cause.PROVIDER_ERROR
    return (
        Cause.PROVIDER_ERROR
        if await rows.is_number_in_use(tx, order, msisdn=reserved.msisdn)
        else None
    )


async def _give_back(tx: Tx, provider: str, reserved: Reserved, *, now: datetime) -> None:
    """Leave word to release a number that no order of ours has."""
    if not await rows.is_ref_known(tx, provider=provider, provider_ref=reserved.provider_ref):
        payload = {"provider": provider, "ref": reserved.provider_ref}
        await queue.add(tx, kind="orders.release", payload=payload, run_at=now)
