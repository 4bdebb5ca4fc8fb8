"""The calls of the partner API: each parses, makes one use-case call, and renders."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, NamedTuple

from numdesk.dialects import BODY_BYTES_MAX, Answer, Request, Route
from numdesk.dialects.partner.money import EUR
from numdesk.dialects.partner.query import is_ascending, page_of, parse_query, states_of
from numdesk.dialects.partner.render import balance, invoice, registered, transactions
from numdesk.dialects.partner.render_numbers import (
    canceled,
    extended,
    extension_prices,
    message_page,
    price_list,
    prices,
    rental_page,
    rented,
    rerent_prices,
    rerented,
)
from numdesk.dialects.partner.signing import PREFIX, SHORT
from numdesk.dialects.partner.wire import (
    TEXT_CHARS_MAX,
    Selection,
    meant,
    parse_application,
    parse_claim,
    parse_length,
    parse_period,
    parse_place,
    parse_rental_id,
    parse_selection,
    parse_topup,
    read_object,
)
from numdesk.domain.customers.callers import Scope
from numdesk.runtime import Runtime
from numdesk.usecases.customers import applications
from numdesk.usecases.ledger import wallets
from numdesk.usecases.payments import topups
from numdesk.usecases.payments.topups import TopUpRequest
from numdesk.usecases.rentals import ending, quotes, reading, renting, terms
from numdesk.usecases.rentals import prices as rental_prices
from numdesk.usecases.rentals.ending import CancelRequest
from numdesk.usecases.rentals.renting import RentRequest
from numdesk.usecases.rentals.terms import ExtendRequest

SLUG = "partner"
#: The start of the vendor's ids of partners.
CUSTOMER_PREFIX = "partner"


async def register(rt: Runtime, request: Request) -> Answer:
    """POST /auth/register."""
    form = parse_application(read_object(request))
    made = await applications.apply_for(rt, form, dialect=SLUG, currency=EUR)
    return registered(
        partner_id=rt.keys.opaque_id(CUSTOMER_PREFIX, made.customer_id),
        api_key=made.api_key,
        secret=made.secret,
    )


async def read_balance(rt: Runtime, request: Request) -> Answer:
    """GET /wallet/balance."""
    return balance(await wallets.balances(rt, request.caller))


async def create_topup(rt: Runtime, request: Request) -> Answer:
    """POST /wallet/topup."""
    (amount, provider), claim = parse_topup(read_object(request)), parse_claim(request)
    wanted = TopUpRequest(claim.key, claim.fingerprint, provider, amount, claim.signature)
    made, again = await topups.create_topup(rt, request.caller, wanted)
    return invoice(made, replayed=again)


async def list_transactions(rt: Runtime, request: Request) -> Answer:
    """GET /wallet/transactions."""
    query = parse_query(request)
    turned, ascending = page_of(query), is_ascending(query)
    found = await wallets.history(
        rt, request.caller, page=turned.page, limit=turned.limit, ascending=ascending
    )
    return transactions(found, turned, rt.keys.opaque_id)


async def list_services(rt: Runtime, request: Request) -> Answer:
    """GET /numbers/services."""
    country, rent_type = parse_place(parse_query(request))
    found = await quotes.services(rt, request.caller, country=country, rent_type=rent_type)
    return await price_list(await _country(rt, country), rent_type, found)


async def calculate_price(rt: Runtime, request: Request) -> Answer:
    """POST /numbers/calculate-price."""
    country, rent_type, services = parse_selection(read_object(request))
    found, offered = await quotes.quotes(
        rt, request.caller, country=country, rent_type=rent_type, services=services
    )
    return prices(await _country(rt, country), rent_type, found, offered)


async def rent(rt: Runtime, request: Request) -> Answer:
    """POST /numbers/rent."""
    data, claim = read_object(request), parse_claim(request)
    wanted = parse_selection(data)
    units = await _units(rt, request, data, wanted)
    made, again = await renting.rent(
        rt,
        request.caller,
        RentRequest(
            claim.key,
            claim.fingerprint,
            wanted.country,
            wanted.rent_type,
            wanted.services,
            units,
            claim.signature,
        ),
    )
    return rented(made, replayed=again)


async def list_active(rt: Runtime, request: Request) -> Answer:
    """GET /numbers/active; `?status=` selects other states, which the vendor's API does not
    have.
    """
    return await _list_rentals(rt, request, "active")


async def list_ended(rt: Runtime, request: Request) -> Answer:
    """GET /numbers/history: rentals that can be re-rented.

    The vendor mentions a history but has no call for it.
    """
    return await _list_rentals(rt, request, "inactive")


async def price_extension(rt: Runtime, request: Request) -> Answer:
    """GET /numbers/{rentId}/extend/calculate."""
    return extension_prices(
        *await quotes.extension_quotes(rt, request.caller, parse_rental_id(request))
    )


async def extend(rt: Runtime, request: Request) -> Answer:
    """POST /numbers/{rentId}/extend."""
    wanted = await _further(rt, request)
    made, again = await terms.extend(rt, request.caller, wanted)
    return extended(made, replayed=again)


async def price_rerent(rt: Runtime, request: Request) -> Answer:
    """GET /numbers/{rentId}/re-rent/calculate."""
    return rerent_prices(*await quotes.rerent_quotes(rt, request.caller, parse_rental_id(request)))


async def rerent(rt: Runtime, request: Request) -> Answer:
    """POST /numbers/{rentId}/re-rent."""
    wanted = await _further(rt, request)
    made, again = await terms.rerent(rt, request.caller, wanted)
    return rerented(made, replayed=again)


async def cancel(rt: Runtime, request: Request) -> Answer:
    """POST /numbers/{rentId}/cancel; a body is ignored."""
    rental_id, claim = parse_rental_id(request), parse_claim(request)
    made, again = await ending.cancel(
        rt, request.caller, CancelRequest(claim.key, claim.fingerprint, rental_id, claim.signature)
    )
    return canceled(made, replayed=again)


async def list_messages(rt: Runtime, request: Request) -> Answer:
    """GET /numbers/{rentId}/sms."""
    rental_id, query = parse_rental_id(request), parse_query(request)
    turned, ascending = page_of(query), is_ascending(query)
    found = await reading.messages(
        rt, request.caller, rental_id, page=turned.page, limit=turned.limit, ascending=ascending
    )
    return message_page(found, turned, rt.keys.opaque_id, wrapped=_form(request) == SHORT)


async def _list_rentals(rt: Runtime, request: Request, status: str) -> Answer:
    query = parse_query(request)
    turned, states = page_of(query), states_of(query, status)
    return rental_page(
        await reading.active(
            rt, request.caller, page=turned.page, limit=turned.limit, states=states
        ),
        turned,
    )


async def _further(rt: Runtime, request: Request) -> ExtendRequest:
    """Return the extension that a body means; the rental is read only if the body is ambiguous
    without it.
    """
    rental_id, claim = parse_rental_id(request), parse_claim(request)
    data = read_object(request)
    units = parse_period(data)
    if units is None:
        rental = await reading.read(rt, request.caller, rental_id)
        services = tuple(service.code for service in rental.services)
        units = await _units(
            rt, request, data, Selection(rental.country, rental.rent_type, services)
        )
    return ExtendRequest(claim.key, claim.fingerprint, rental_id, units, claim.signature)


async def _units(rt: Runtime, request: Request, data: Mapping[str, Any], wanted: Selection) -> int:
    """Return the number of units that a body means.

    An ambiguous duration is resolved by the price list and nothing else, so that a repeated request
    has the same meaning.
    """
    readings = parse_length(data, wanted.rent_type)
    if len(readings) == 1:
        return readings[0]
    _, offered = await quotes.quotes(
        rt,
        request.caller,
        country=wanted.country,
        rent_type=wanted.rent_type,
        services=wanted.services,
    )
    return meant(readings, [quote.units for quote in offered])


async def _country(rt: Runtime, spelled: str) -> str:
    """Return a country's name in the operator's spelling, whatever the client's."""
    return (await rental_prices.price_list(rt)).country(spelled).name


def _form(request: Request) -> str:
    """Return the customer's answer form: that of the request's signature, unless staff has set
    one.
    """
    wanted = request.caller.options.get("answers", "auto")
    return request.form if wanted == "auto" else wanted


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
STRANGER_LIMIT = 100

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
