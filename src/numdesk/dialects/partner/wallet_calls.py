"""The calls of the partner API about registration and money."""

from __future__ import annotations

from numdesk.dialects import Answer, Request
from numdesk.dialects.partner.money import EUR
from numdesk.dialects.partner.query import is_ascending, page_of, parse_query
from numdesk.dialects.partner.render import balance, invoice, registered, transactions
from numdesk.dialects.partner.wire import (
    parse_application,
    parse_claim,
    parse_topup,
    read_object,
)
from numdesk.runtime import Runtime
from numdesk.usecases.customers import applications
from numdesk.usecases.ledger import wallets
from numdesk.usecases.payments import topups
from numdesk.usecases.payments.topups import TopUpRequest

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
