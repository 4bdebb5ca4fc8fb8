"""The partner API: signed requests for numbers by the hour and day, from a prepaid euro wallet."""

from __future__ import annotations

from numdesk.dialects import Dialect
from numdesk.dialects.partner.events import PartnerEvents
from numdesk.dialects.partner.money import EUR
from numdesk.dialects.partner.refusals import REFUSALS, broken, unknown
from numdesk.dialects.partner.routes import (
    LIMITS,
    PREFIXES,
    REFUSED_LIMIT,
    ROUTES,
    WINDOW_S,
    WINDOWS_S,
)
from numdesk.dialects.partner.signing import verify
from numdesk.dialects.partner.wallet_calls import CUSTOMER_PREFIX, SLUG
from numdesk.dialects.partner.wire import api_key_of

DIALECT = Dialect(
    slug=SLUG,
    title="Partner API",
    docs="https://telegram.smsbot.shop",
    currency=EUR,
    areas=frozenset({"customers", "payments", "rentals", "stock"}),
    prefixes=PREFIXES,
    routes=ROUTES,
    limits=LIMITS,
    window_s=WINDOW_S,
    windows_s=WINDOWS_S,
    refused_limit=REFUSED_LIMIT,
    credential=api_key_of,
    signed=True,
    verify=verify,
    customer_prefix=CUSTOMER_PREFIX,
    refusals=REFUSALS,
    unknown=unknown,
    broken=broken,
    renderer=PartnerEvents(),
)
