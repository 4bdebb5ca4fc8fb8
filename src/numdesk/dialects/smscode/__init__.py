"""The smscode API: /v1 in rupiah and /v2, the same ledger shown in dollars."""

from __future__ import annotations

from numdesk.dialects import Dialect
from numdesk.dialects.smscode.events import SmscodeEvents
from numdesk.dialects.smscode.refusals import REFUSALS, broken, unknown
from numdesk.dialects.smscode.routes import LIMITS, ROUTES
from numdesk.dialects.smscode.wire import token_of

DIALECT = Dialect(
    slug="smscode",
    title="smscode v1 and v2",
    docs="https://smscode.gg/docs/ai.md",
    currency="IDR",
    areas=frozenset({"customers", "orders", "stock"}),
    prefixes=("/v1", "/v2"),
    routes=ROUTES,
    limits=LIMITS,
    credential=token_of,
    refusals=REFUSALS,
    unknown=unknown,
    broken=broken,
    renderer=SmscodeEvents(),
)
