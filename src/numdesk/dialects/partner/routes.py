"""The calls of the partner API: each parses, makes one use-case call, and renders."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from numdesk.dialects import BODY_BYTES_MAX, Answer, Request, Route
from numdesk.dialects.partner.number_calls import (
    calculate_price,
    cancel,
    extend,
    list_active,
    list_ended,
    list_messages,
    list_services,
    price_extension,
    price_rerent,
    rent,
    rerent,
)
from numdesk.dialects.partner.signing import PREFIX
from numdesk.dialects.partner.wallet_calls import (
    create_topup,
    list_transactions,
    read_balance,
    register,
)
from numdesk.dialects.partner.wire import (
    TEXT_CHARS_MAX,
)
from numdesk.domain.customers.callers import Scope
from numdesk.runtime import Runtime


class _Call(NamedTuple):
    """One line of the table; the path is the same below /api/v1 and below nothing."""

    method: str
    path: str
    handler: Callable[[Runtime, Request], Coroutine[Any, Any, Answer]]
    operation: str
    scope: Scope
    summary: str


#: The vendor's 1,000 requests per partner for all calls together; registrations per address are
#: few.
LIMITS = {"all": 1000, "registration": 5}
WINDOW_S = 15 * 60
WINDOWS_S = {"registration": 3600}
#: Four texts of up to TEXT_CHARS_MAX characters of up to four bytes each; other bodies have some
#: hundred bytes.
REGISTRATION_BYTES_MAX = 4 * 4 * TEXT_CHARS_MAX + 1024
#: The vendor's number of unauthorised requests per address; requests that are refused for their key
#: or signature count.
REFUSED_LIMIT = 100
_CALLS = (
    _Call(
        "POST",
        "/auth/register",
        register,
        "auth.register",
        Scope.CONFIGURE,
        "apply for an account; unsigned, 5 an hour",
    ),
    _Call(
        "GET", "/wallet/balance", read_balance, "wallet.balance", Scope.READ, "what can be spent"
    ),
    _Call(
        "POST",
        "/wallet/topup",
        create_topup,
        "wallet.topup",
        Scope.ORDER,
        "an invoice to be paid in crypto",
    ),
    _Call(
        "GET",
        "/wallet/transactions",
        list_transactions,
        "wallet.transactions",
        Scope.READ,
        "what moved the money, by page",
    ),
    _Call(
        "GET",
        "/numbers/services",
        list_services,
        "numbers.services",
        Scope.READ,
        "services of a country with prices",
    ),
    _Call(
        "POST",
        "/numbers/calculate-price",
        calculate_price,
        "numbers.calculate_price",
        Scope.READ,
        "what services cost together",
    ),
    _Call("POST", "/numbers/rent", rent, "numbers.rent", Scope.SPEND, "rent a number"),
    _Call(
        "GET",
        "/numbers/active",
        list_active,
        "numbers.active",
        Scope.READ,
        "rentals that run, by page",
    ),
    _Call(
        "GET",
        "/numbers/history",
        list_ended,
        "numbers.history",
        Scope.READ,
        "rentals that ended, by page",
    ),
    _Call(
        "GET",
        "/numbers/{rentId}/extend/calculate",
        price_extension,
        "numbers.extend_calculate",
        Scope.READ,
        "what an extension costs",
    ),
    _Call(
        "POST",
        "/numbers/{rentId}/extend",
        extend,
        "numbers.extend",
        Scope.SPEND,
        "extend a rental from its end",
    ),
    _Call(
        "GET",
        "/numbers/{rentId}/re-rent/calculate",
        price_rerent,
        "numbers.rerent_calculate",
        Scope.READ,
        "what the number costs once more",
    ),
    _Call(
        "POST",
        "/numbers/{rentId}/re-rent",
        rerent,
        "numbers.rerent",
        Scope.SPEND,
        "rent the number of an ended rental",
    ),
    _Call(
        "POST",
        "/numbers/{rentId}/cancel",
        cancel,
        "numbers.cancel",
        Scope.ORDER,
        "end a rental, with a refund if no SMS came",
    ),
    _Call(
        "GET",
        "/numbers/{rentId}/sms",
        list_messages,
        "numbers.sms",
        Scope.READ,
        "what a rental received, by page",
    ),
)
_LISTS = (list_transactions, list_services, list_active, list_ended, list_messages)
# Some clients are configured with a URL that ends in /api/v1, some with one that does not and sign
# that way.
ROUTES = tuple(
    Route(
        method=call.method,
        path=prefix + call.path,
        handler=call.handler,
        operation=call.operation,
        scope=call.scope,
        group="registration" if call.handler is register else "all",
        is_write=call.method != "GET",
        needs_caller=call.handler is not register,
        body_bytes_max=REGISTRATION_BYTES_MAX if call.handler is register else BODY_BYTES_MAX,
        summary=call.summary,
        is_long=call.handler in _LISTS,
    )
    for prefix in (PREFIX, "")
    for call in _CALLS
)
#: The paths whose unknown calls this dialect answers.
PREFIXES = (PREFIX, *sorted({"/" + call.path.split("/")[1] for call in _CALLS}))
