"""The calls of the smscode API: each parses, makes one use-case call, and renders.

v1 and v2 are two rows of one table.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, NamedTuple

from numdesk.dialects import Answer, Request, Route
from numdesk.dialects.smscode.catalogue_calls import (
    list_countries,
    list_operators,
    list_products,
    list_services,
    read_balance,
    read_rate,
)
from numdesk.dialects.smscode.order_calls import (
    cancel_order,
    create_orders,
    finish_order,
    list_active,
    list_orders,
    reactivate_order,
    read_order,
    read_reactivation,
    resend_order,
)
from numdesk.dialects.smscode.webhook_calls import change_webhook, read_webhook, send_test_event
from numdesk.dialects.smscode.wire import (
    V1,
    V2,
    Version,
)
from numdesk.domain.customers.callers import Scope
from numdesk.runtime import Runtime


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
