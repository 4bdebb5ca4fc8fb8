"""The calls of the smscode API about orders."""

from __future__ import annotations

from numdesk.dialects import JSON_TYPE, Answer, Header, Request
from numdesk.dialects.smscode.catalogue_calls import (
    rate_of,
)
from numdesk.dialects.smscode.query import clamped, parse_query
from numdesk.dialects.smscode.refusals import REPLAYED
from numdesk.dialects.smscode.render import (
    TOTAL_DECIMALS,
    amount,
    fx_meta,
    order_answer,
    render_created,
    render_orders,
    status_row,
    success,
)
from numdesk.dialects.smscode.wire import (
    LIST_LIMIT_DEFAULT,
    LIST_LIMIT_MAX,
    STATUS,
    WAIT_S_MAX,
    Version,
    parse_create,
    parse_order,
    parse_order_path,
    parse_reactivate,
    states_of,
)
from numdesk.domain.ids import SERIAL_MAX
from numdesk.kit.slices import slices
from numdesk.runtime import Runtime
from numdesk.usecases.orders import ending, lifecycle, purchases, reactivation
from numdesk.usecases.orders.purchases import Outcome

_REPLAYED: tuple[Header, ...] = (JSON_TYPE, REPLAYED)


async def list_orders(version: Version, rt: Runtime, request: Request) -> Answer:
    """GET /orders."""
    query = parse_query(request)
    states = states_of(query)
    limit = clamped(query, "limit", default=LIST_LIMIT_DEFAULT, least=1, most=LIST_LIMIT_MAX)
    offset = clamped(query, "offset", default=0, least=0, most=SERIAL_MAX)
    rate = await rate_of(version, rt)
    listed = await lifecycle.listing(rt, request.caller, states=states, limit=limit, offset=offset)
    return render_orders(listed, now=rt.clock.now(), rate=rate)


async def list_active(_version: Version, rt: Runtime, request: Request) -> Answer:
    """GET /orders/active."""
    now = rt.clock.now()
    active = await lifecycle.active(rt, request.caller)
    return success([status_row(order, now=now) async for part in slices(active) for order in part])


async def read_order(version: Version, rt: Runtime, request: Request) -> Answer:
    """GET /orders/{id}, at once or (our addition, `?wait=25`) at the order's next change."""
    order_id = parse_order_path(request)
    seconds = (
        clamped(parse_query(request), "wait", default=0, least=0, most=WAIT_S_MAX)
        if request.query
        else 0
    )
    rate = (
        await rate_of(version, rt) if version.shown else None
    )  # the most frequent call of all: no coroutine more than needed
    if seconds:
        order = await lifecycle.wait(rt, request.caller, order_id, seconds=seconds)
    else:
        order = await lifecycle.read(rt, request.caller, order_id)
    return order_answer(order, now=rt.clock.now(), rate=rate)


async def create_orders(version: Version, rt: Runtime, request: Request) -> Answer:
    """POST /orders/create."""
    return _created(await purchases.create(rt, request.caller, parse_create(request, version)))


async def cancel_order(version: Version, rt: Runtime, request: Request) -> Answer:
    """POST /orders/cancel."""
    canceled = await ending.cancel(rt, request.caller, parse_order(request), show=version.shown)
    rate = canceled.rate
    return success(
        {
            "order_id": canceled.order.id,
            "status": STATUS[canceled.order.state],
            "refund_amount": amount(canceled.refund.units, rate),
            "new_balance": amount(canceled.balance.units, rate, decimals=TOTAL_DECIMALS),
        },
        meta=fx_meta(rate),
    )


async def finish_order(_version: Version, rt: Runtime, request: Request) -> Answer:
    """POST /orders/finish."""
    order = await ending.finish(rt, request.caller, parse_order(request))
    return success({"order_id": order.id, "status": STATUS[order.state]})


async def resend_order(_version: Version, rt: Runtime, request: Request) -> Answer:
    """POST /orders/resend."""
    answer = await lifecycle.resend(rt, request.caller, parse_order(request))
    return success(
        {"order_id": answer.order.id, "status": STATUS[answer.order.state], "resent": answer.resent}
    )


async def reactivate_order(version: Version, rt: Runtime, request: Request) -> Answer:
    """POST /orders/reactivate."""
    return _created(
        await reactivation.reactivate(rt, request.caller, parse_reactivate(request, version))
    )


async def read_reactivation(version: Version, rt: Runtime, request: Request) -> Answer:
    """GET /orders/{id}/reactivate-options."""
    order_id = parse_order_path(request)
    options = await reactivation.reactivation_options(
        rt, request.caller, order_id, show=version.shown
    )
    return success({"cost": amount(options.cost.units, options.rate)}, meta=fx_meta(options.rate))


def _created(outcome: Outcome) -> Answer:
    """Return the answer to a create or reactivate, marked if it is a replay."""
    answer = render_created(outcome.document)
    if outcome.replayed:
        answer.headers = _REPLAYED
    return answer
