"""The calls of the smscode API about a customer's webhook."""

from __future__ import annotations

from numdesk.dialects import Answer, Request
from numdesk.dialects.smscode.render import (
    success,
    webhook_config,
)
from numdesk.dialects.smscode.wire import (
    Version,
    parse_webhook_change,
)
from numdesk.runtime import Runtime
from numdesk.usecases.webhooks import endpoints


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
