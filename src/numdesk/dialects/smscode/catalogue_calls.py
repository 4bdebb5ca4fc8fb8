"""The calls of the smscode API about the catalogue, the rate and the balance."""

from __future__ import annotations

from numdesk.dialects import Answer, Request
from numdesk.dialects.smscode.price_list import (
    page_memory,
    parse_place,
    parse_selection,
    products_page,
    render_countries,
    render_operators,
    render_services,
)
from numdesk.dialects.smscode.query import integer_of, parse_query
from numdesk.dialects.smscode.render import (
    TOTAL_DECIMALS,
    amount,
    fx,
    fx_meta,
    success,
    v1_rate,
)
from numdesk.dialects.smscode.wire import (
    DOLLARS,
    Version,
)
from numdesk.domain.errors import NotFound, RateUnavailable
from numdesk.domain.fx import Rate
from numdesk.domain.money import DECIMALS
from numdesk.domain.stock.catalogue import Catalogue
from numdesk.runtime import Runtime
from numdesk.usecases import rates
from numdesk.usecases.ledger import wallets
from numdesk.usecases.stock import catalogue as catalogue_cases


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
    rate = await rate_of(version, rt)
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
    rate = await rate_of(version, rt)
    money = await wallets.balance(rt, request.caller)
    if rate is None:
        return success({"currency": money.currency, "balance": money.units})
    return success(
        {"balance": amount(money.units, rate, decimals=TOTAL_DECIMALS)}, meta=fx_meta(rate)
    )


async def rate_of(version: Version, rt: Runtime) -> Rate | None:
    """Return the rate of this version's amounts, or None in v1."""
    if version.shown is None:
        return None
    return rates.remembered(rt, version.shown) or await rates.current(rt, version.shown)


async def _catalogue(rt: Runtime, request: Request) -> Catalogue:
    currency = request.caller.currency
    return catalogue_cases.remembered(rt, currency) or await catalogue_cases.catalogue(rt, currency)
