"""The calls of the smscode API: each parses, makes one use-case call, and renders.

v1 and v2 are two rows of one table.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, NamedTuple

from numdesk.dialects import JSON_TYPE, Answer, Header, Request, Route
from numdesk.dialects.smscode.price_list import (
    page_memory,
    parse_place,
    parse_selection,
    products_page,
    render_countries,
    render_operators,
    render_services,
)
from numdesk.dialects.smscode.query import clamped, integer_of, parse_query
from numdesk.dialects.smscode.refusals import REPLAYED
from numdesk.dialects.smscode.render import (
    TOTAL_DECIMALS,
    amount,
    fx,
    fx_meta,
    order_answer,
    render_created,
    render_orders,
    status_row,
    success,
    v1_rate,
    webhook_config,
)
from numdesk.dialects.smscode.wire import (
    DOLLARS,
    LIST_LIMIT_DEFAULT,
    LIST_LIMIT_MAX,
    STATUS,
    V1,
    V2,
    WAIT_S_MAX,
    Version,
    parse_create,
    parse_order,
    parse_order_path,
    parse_reactivate,
    parse_webhook_change,
    states_of,
)
from numdesk.domain.customers.callers import Scope
from numdesk.domain.errors import NotFound, RateUnavailable
from numdesk.domain.fx import Rate
from numdesk.domain.ids import SERIAL_MAX
from numdesk.domain.money import DECIMALS
from numdesk.domain.stock.catalogue import Catalogue
from numdesk.kit.slices import slices
from numdesk.runtime import Runtime
from numdesk.usecases import rates
from numdesk.usecases.ledger import wallets
from numdesk.usecases.orders import lifecycle, purchases, reactivation
from numdesk.usecases.orders.purchases import Outcome
from numdesk.usecases.stock import catalogue as catalogue_cases
from numdesk.usecases.webhooks import endpoints

_REPLAYED: tuple[Header, ...] = (JSON_TYPE, REPLAYED)


async def list_countries(_version: Version, rt: Runtime, request: Request) -> Answer:
    """GET /catalog/countries."""
    moment = await _catalogue(rt, request)
    return await page_memory(rt).answer(moment, "countries", lambda: render_countries(moment))


async def list_services(_version: Version, rt: Runtime, request: Request) -> Answer:
    """GET /catalog/services."""
    country_id = integer_of(parse_query(request), "country_id")
    moment = await _catalogue(rt, request)
    return await page_memory(rt).answer(
        moment, ("services", country_id), lambda: render_services(moment, country_id)
    )


async def list_operators(_version: Version, rt: Runtime, request: Request) -> Answer:
    """GET /catalog/operators."""
    country_id, service_id = parse_place(parse_query(request))
    return render_operators(await _catalogue(rt, request), country_id, service_id)


async def list_products(version: Version, rt: Runtime, request: Request) -> Answer:
    """GET /catalog/products."""
    selection = parse_selection(parse_query(request))
    rate = await _rate(version, rt)
    moment = await _catalogue(rt, request)
    return await products_page(rt, moment, selection, rate)


async def read_rate(version: Version, rt: Runtime, request: Request) -> Answer:
    """GET /catalog/exchange-rate; v1 answers for the requested pair, v2 always for USD/IDR."""
    if version.shown is not None:
        return success(fx(await rates.current(rt, version.shown)))
    pair = parse_query(request).get("pair", DOLLARS)
    try:
        if not all(currency in DECIMALS for currency in pair.split("/", 1)):
            raise NotFound(what="exchange rate")
        return success(v1_rate(await rates.current(rt, pair)))
    except RateUnavailable as error:
        raise NotFound(what="exchange rate") from error


async def read_balance(version: Version, rt: Runtime, request: Request) -> Answer:
    """GET /balance."""
    rate = await _rate(version, rt)
    money = await wallets.balance(rt, request.caller)
    if rate is None:
        return success({"currency": money.currency, "balance": money.units})
    return success(
        {"balance": amount(money.units, rate, decimals=TOTAL_DECIMALS)}, meta=fx_meta(rate)
    )


async def list_orders(version: Version, rt: Runtime, request: Request) -> Answer:
    """GET /orders."""
    query = parse_query(request)
    states = states_of(query)
    limit = clamped(query, "limit", default=LIST_LIMIT_DEFAULT, least=1, most=LIST_LIMIT_MAX)
    offset = clamped(query, "offset", default=0, least=0, most=SERIAL_MAX)
    rate = await _rate(version, rt)
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
        await _rate(version, rt) if version.shown else None
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
    canceled = await lifecycle.cancel(rt, request.caller, parse_order(request), show=version.shown)
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
    order = await lifecycle.finish(rt, request.caller, parse_order(request))
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


async def read_webhook(_version: Version, rt: Runtime, request: Request) -> Answer:
    """GET /webhook."""
    return success(webhook_config(await endpoints.endpoint(rt, request.caller)))


async def change_webhook(_version: Version, rt: Runtime, request: Request) -> Answer:
    """PATCH /webhook."""
    url, secret = parse_webhook_change(request)
    return success(
        webhook_config(await endpoints.change_endpoint(rt, request.caller, url=url, secret=secret))
    )


async def send_test_event(_version: Version, rt: Runtime, request: Request) -> Answer:
    """POST /webhook/test; a body is ignored."""
    return success({"status_code": await endpoints.test_endpoint(rt, request.caller)})


def _created(outcome: Outcome) -> Answer:
    """Return the answer to a create or reactivate, marked if it is a replay."""
    answer = render_created(outcome.document)
    if outcome.replayed:
        answer.headers = _REPLAYED
    return answer


async def _rate(version: Version, rt: Runtime) -> Rate | None:
    """Return the rate of this version's amounts, or None in v1."""
    if version.shown is None:
        return None
    return rates.remembered(rt, version.shown) or await rates.current(rt, version.shown)


async def _catalogue(rt: Runtime, request: Request) -> Catalogue:
    currency = request.caller.currency
    return catalogue_cases.remembered(rt, currency) or await catalogue_cases.catalogue(rt, currency)


class _Call(NamedTuple):
    """One line of the table; the path is the same below /v1 and /v2."""

    method: str
    path: str
    handler: Callable[[Version, Runtime, Request], Coroutine[Any, Any, Answer]]
    operation: str
    scope: Scope
    group: str
    summary: str
    is_long: bool = False


#: Requests per 60 s: the vendor's own groups and numbers.
LIMITS = {
    "catalog": 5000,
    "balance": 600,
    "order reads": 5000,
    "create": 3000,
    "cancel": 1000,
    "order actions": 1000,
    "webhook config": 600,
    "webhook test": 10,
}

# The answer contains the webhook's secret in clear text, so reading needs the same scope as
# changing.
_CALLS = (
    _Call(
        "GET",
        "/catalog/countries",
        list_countries,
        "catalog.countries",
        Scope.READ,
        "catalog",
        "countries on sale",
    ),
    _Call(
        "GET",
        "/catalog/services",
        list_services,
        "catalog.services",
        Scope.READ,
        "catalog",
        "services (of a country: `country_id`)",
        is_long=True,
    ),
    _Call(
        "GET",
        "/catalog/operators",
        list_operators,
        "catalog.operators",
        Scope.READ,
        "catalog",
        "operators that can be chosen",
    ),
    _Call(
        "GET",
        "/catalog/products",
        list_products,
        "catalog.products",
        Scope.READ,
        "catalog",
        "tiers in stock, sorted, by page",
        is_long=True,
    ),
    _Call(
        "GET",
        "/catalog/exchange-rate",
        read_rate,
        "catalog.exchange_rate",
        Scope.READ,
        "catalog",
        "the USD/IDR rate",
    ),
    _Call(
        "GET", "/balance", read_balance, "balance.get", Scope.READ, "balance", "what can be spent"
    ),
    _Call(
        "GET",
        "/orders",
        list_orders,
        "orders.list",
        Scope.READ,
        "order reads",
        "orders, newest first",
        is_long=True,
    ),
    _Call(
        "GET",
        "/orders/active",
        list_active,
        "orders.active",
        Scope.READ,
        "order reads",
        "open orders, for polling",
        is_long=True,
    ),
    _Call(
        "GET",
        "/orders/{id}",
        read_order,
        "orders.get",
        Scope.READ,
        "order reads",
        "one order, at its next change with `wait`",
    ),
    _Call(
        "POST",
        "/orders/create",
        create_orders,
        "orders.create",
        Scope.SPEND,
        "create",
        "buy numbers",
    ),
    _Call(
        "POST",
        "/orders/cancel",
        cancel_order,
        "orders.cancel",
        Scope.ORDER,
        "cancel",
        "end an order without SMS, with a refund",
    ),
    _Call(
        "POST",
        "/orders/finish",
        finish_order,
        "orders.finish",
        Scope.ORDER,
        "order actions",
        "end an order that had its SMS",
    ),
    _Call(
        "POST",
        "/orders/resend",
        resend_order,
        "orders.resend",
        Scope.ORDER,
        "order actions",
        "wait for one more SMS",
    ),
    _Call(
        "POST",
        "/orders/reactivate",
        reactivate_order,
        "orders.reactivate",
        Scope.SPEND,
        "create",
        "buy the number of an order again",
    ),
    _Call(
        "GET",
        "/orders/{id}/reactivate-options",
        read_reactivation,
        "orders.reactivate_options",
        Scope.READ,
        "order reads",
        "what that would cost",
    ),
    _Call(
        "GET",
        "/webhook",
        read_webhook,
        "webhook.get",
        Scope.CONFIGURE,
        "webhook config",
        "where webhooks go",
    ),
    _Call(
        "PATCH",
        "/webhook",
        change_webhook,
        "webhook.update",
        Scope.CONFIGURE,
        "webhook config",
        "change that",
    ),
    _Call(
        "POST",
        "/webhook/test",
        send_test_event,
        "webhook.test",
        Scope.CONFIGURE,
        "webhook test",
        "send a test event now",
    ),
)

ROUTES = tuple(
    Route(
        method=call.method,
        path=f"/{version.name}{call.path}",
        handler=partial(call.handler, version),
        operation=call.operation,
        scope=call.scope,
        group=call.group,
        is_write=call.method != "GET",
        summary=call.summary,
        is_long=call.is_long,
    )
    for version in (V1, V2)
    for call in _CALLS
)
