"""Acts that move money, by the transaction in which they do it.

Each is made ready by one desk and done by another.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.support import rentals as shop
from tests.support.desk import CURRENCY, DIALECT, REMOTE_OFFER, DeskOfTest
from tests.support.gateway import PROVIDER, Till, open_till

from numdesk.domain.customers.callers import Caller
from numdesk.domain.payments.gateway_payments import PaymentStatus
from numdesk.domain.payments.topups import Decision
from numdesk.usecases.customers import accounts
from numdesk.usecases.inbound import withheld as inbound_withheld
from numdesk.usecases.ledger import wallets
from numdesk.usecases.orders import ending as order_lifecycle
from numdesk.usecases.orders import reactivation
from numdesk.usecases.payments import settlement, topups
from numdesk.usecases.payments.topups import TopUpRequest
from numdesk.usecases.rentals import ending

Act = Callable[[DeskOfTest], Awaitable[Any]]
#: Makes what an act needs, and returns the act.
Prepare = Callable[[DeskOfTest], Awaitable[Act]]


async def _rent(desk: DeskOfTest) -> Act:
    caller = await shop.renter(desk)
    return lambda one: shop.rent(one, caller)


async def rental(desk: DeskOfTest) -> tuple[Caller, str]:
    """Returns a renter and the rental that they have."""
    caller = await shop.renter(desk)
    return caller, (await shop.rent(desk, caller)).rental.id


async def _extend(desk: DeskOfTest) -> Act:
    caller, rental_id = await rental(desk)
    return lambda one: shop.extend(one, caller, rental_id)


async def _rerent(desk: DeskOfTest) -> Act:
    caller, rental_id = await rental(desk)
    desk.clock.advance(8 * 86_400)
    return lambda one: shop.rerent(one, caller, rental_id)


async def _cancel_rental(desk: DeskOfTest) -> Act:
    caller, rental_id = await rental(desk)
    return lambda one: shop.cancel(one, caller, rental_id)


async def _expire_rentals(desk: DeskOfTest) -> Act:
    await rental(desk)
    desk.clock.advance(8 * 86_400)
    return lambda one: ending.expire_due(one.rt)


async def _create(desk: DeskOfTest) -> Act:
    caller = await desk.customer()
    return lambda one: one.buy(caller)


async def _create_remote(desk: DeskOfTest) -> Act:
    caller = await desk.customer()
    return lambda one: one.buy(caller, REMOTE_OFFER)


async def _fail_remote(desk: DeskOfTest) -> Act:
    caller = await desk.customer()
    await desk.simulator.script(["no_numbers"])

    async def act(one: DeskOfTest) -> Any:
        with pytest.raises(Exception, match="supplier"):
            await one.buy(caller, REMOTE_OFFER)

    return act


async def _ripe(desk: DeskOfTest) -> tuple[Caller, int]:
    caller = await desk.customer()
    order = await desk.order(caller)
    desk.clock.advance(150)
    return caller, order.id


async def _cancel_order(desk: DeskOfTest) -> Act:
    caller, order_id = await _ripe(desk)
    return lambda one: order_lifecycle.cancel(one.rt, caller, order_id, show=None)


async def _heard(desk: DeskOfTest) -> tuple[Caller, int]:
    caller = await desk.customer()
    order = await desk.order(caller)
    await desk.message(order.msisdn)
    return caller, order.id


async def _hear(desk: DeskOfTest) -> Act:
    order = await desk.order(await desk.customer())
    return lambda one: one.message(order.msisdn, message_id="one")


async def _finish(desk: DeskOfTest) -> Act:
    caller, order_id = await _heard(desk)
    return lambda one: order_lifecycle.finish(one.rt, caller, order_id)


async def _reactivate(desk: DeskOfTest) -> Act:
    caller, order_id = await _heard(desk)
    await order_lifecycle.finish(desk.rt, caller, order_id)
    wanted = reactivation.ReactivateRequest(None, b"f", order_id, None, None)
    return lambda one: reactivation.reactivate(one.rt, caller, wanted)


async def _expire_orders(desk: DeskOfTest) -> Act:
    await _ripe(desk)
    desk.clock.advance(3_600)
    return lambda one: order_lifecycle.expire_due(one.rt)


async def _adjust(desk: DeskOfTest) -> Act:
    who = (await desk.customer()).customer_id
    return lambda one: wallets.adjust(
        one.rt, customer_id=who, currency=CURRENCY, units=-5, reason_ref="cli:ref"
    )


async def _bonus(desk: DeskOfTest) -> Act:
    who = (await shop.renter(desk)).customer_id
    return lambda one: wallets.give_bonus(
        one.rt, customer_id=who, currency="EUR", units=5, reason_ref="cli:ref"
    )


async def _reverse(desk: DeskOfTest) -> Act:
    await (await _adjust(desk))(desk)
    journal_id = await desk.pool.fetchval("select max(id) from journals")
    return lambda one: wallets.reverse(one.rt, journal_id=journal_id)


async def _limit(desk: DeskOfTest) -> Act:
    who = (await desk.customer()).customer_id
    return lambda one: wallets.set_credit_limit(one.rt, customer_id=who, currency=CURRENCY, units=5)


async def _register(_desk: DeskOfTest) -> Act:
    return lambda one: accounts.register(
        one.rt, name="New", dialect=DIALECT, currency=CURRENCY, credit=7
    )


async def _open_topup(desk: DeskOfTest) -> Act:
    till = await open_till(desk)
    return lambda one: topups.create_topup(
        one.rt, till.caller, TopUpRequest(None, b"", PROVIDER, 50_000)
    )


async def _paid(desk: DeskOfTest, **facts: Any) -> tuple[Till, Any]:
    till = await open_till(desk)
    topup = await till.order()
    till.gateway.pay(topup, **facts)
    return till, topup


async def _settle(desk: DeskOfTest) -> Act:
    _, topup = await _paid(desk)
    return lambda one: settlement.settle(one.rt, topup.id)


async def _decide(desk: DeskOfTest) -> Act:
    desk.rt.settings = replace(desk.rt.settings, topup_overpaid_bp=1_000)
    _, topup = await _paid(desk, share="1.5")
    await settlement.settle(desk.rt, topup.id)
    return lambda one: settlement.decide(one.rt, topup.public_id, Decision.APPROVED)


async def _collect(desk: DeskOfTest) -> Act:
    till, topup = await _paid(desk)
    await settlement.settle(desk.rt, topup.id)
    who, balance = till.caller.customer_id, await till.balance()
    await wallets.adjust(
        desk.rt, customer_id=who, currency="EUR", units=-balance, reason_ref="spent"
    )
    till.gateway.pay(topup, PaymentStatus.REFUNDED)
    await settlement.settle(desk.rt, topup.id)
    await wallets.adjust(desk.rt, customer_id=who, currency="EUR", units=9_00, reason_ref="again")
    return lambda one: settlement.collect(one.rt, topup.public_id)


async def _release(desk: DeskOfTest) -> Act:
    caller = await desk.customer()
    order = await desk.order(caller)
    withheld = (await desk.message(order.msisdn, "Telegram code: 48291")).message_id
    assert withheld is not None
    return lambda one: inbound_withheld.release(one.rt, withheld)


#: Every transaction that moves money, or claims or records the key of an act that does, with an act
#: in which it stands.
MONEY: dict[str, Prepare] = {
    "rentals.rent": _rent,
    "rentals.extend": _extend,
    "rentals.rerent": _rerent,
    "rentals.cancel": _cancel_rental,
    "rentals.expire": _expire_rentals,
    "orders.create": _create,
    "orders.create.reserve": _create_remote,
    "orders.reserve": _create_remote,
    "orders.assign": _create_remote,
    "orders.create.settle": _create_remote,
    "orders.fail": _fail_remote,
    "orders.cancel": _cancel_order,
    "orders.finish": _finish,
    "orders.expire": _expire_orders,
    "orders.reactivate": _reactivate,
    "inbound.receive": _hear,
    "messages.release": _release,
    "wallets.adjust": _adjust,
    "wallets.give_bonus": _bonus,
    "wallets.reverse": _reverse,
    "wallets.set_credit_limit": _limit,
    "customers.register": _register,
    "payments.intend": _open_topup,
    "payments.set_invoice": _open_topup,
    "payments.settle": _settle,
    "payments.decide": _decide,
    "payments.collect": _collect,
}
