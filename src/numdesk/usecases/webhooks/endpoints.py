"""Webhooks as their owner sees them: where they go, a test, the log, and sending again."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import TYPE_CHECKING

from numdesk.domain.customers.callers import Caller
from numdesk.domain.errors import InvalidInput, NotFound, StateForbids
from numdesk.domain.webhooks import SECRET_CHARS_MAX, URL_CHARS_MAX, DeliveryLog, Endpoint
from numdesk.kit.outgoing.lookups import on_account_of
from numdesk.kit.outgoing.policy import HttpFailure
from numdesk.storage.webhooks import deliveries as rows
from numdesk.storage.webhooks import endpoints as endpoint_rows
from numdesk.storage.webhooks.endpoints import EndpointChange, EndpointRow, Owner
from numdesk.usecases.webhooks.attempts import secret_context, send_test
from numdesk.usecases.webhooks.deliveries import (
    allow,
    deliver_due,
    keep_delivering,
    sender_of,
    wake,
)

if TYPE_CHECKING:
    from numdesk.runtime import Runtime

__all__ = [
    "allow",
    "change_endpoint",
    "change_endpoint_of",
    "check_url",
    "deliver_due",
    "deliveries",
    "endpoint",
    "endpoint_of",
    "keep_delivering",
    "replay",
    "replay_failed",
    "test_endpoint",
    "wake",
]

#: Deliveries that one page of the log shows at most.
PAGE_MAX = 200


async def endpoint(rt: Runtime, caller: Caller) -> Endpoint:
    """Return the customer's endpoint; one that was never configured has no URL and no secret."""
    return await endpoint_of(rt, _owner(caller))


async def endpoint_of(rt: Runtime, owner: Owner) -> Endpoint:
    """Return the endpoint of a customer who is not calling, for staff."""
    row = await rt.repeat("webhooks.endpoint", lambda tx: endpoint_rows.read(tx, owner=owner))
    return Endpoint() if row is None else _open(rt, owner, row)


async def change_endpoint(
    rt: Runtime, caller: Caller, *, url: str | None, secret: str | None
) -> Endpoint:
    """Change URL or secret: None leaves alone, "" clears.

    Enables the endpoint again and forgets its failures.

    The first URL without a secret gets one. Raises InvalidInput.
    """
    return await change_endpoint_of(rt, _owner(caller), url=url, secret=secret)


async def change_endpoint_of(
    rt: Runtime, owner: Owner, *, url: str | None, secret: str | None
) -> Endpoint:
    """Change the endpoint of a customer who is not calling, as `change_endpoint` does.

    Raises InvalidInput.
    """
    if url is None and secret is None:
        raise InvalidInput(field="url", reason="give a URL, a secret or both")
    sealed = None if not secret else _seal(rt, owner, secret)
    if url:
        await check_url(rt, url, dialect=owner.dialect, account=owner.customer_id)
    change = EndpointChange(
        url=url,
        secret=sealed,
        clear_secret=secret == "",
        spare=_seal(rt, owner, secrets.token_hex(32)),
    )
    row = await rt.run(
        "webhooks.change",
        lambda tx: endpoint_rows.change(tx, owner=owner, change=change, now=rt.clock.now()),
    )
    return _open(rt, owner, row)


async def test_endpoint(rt: Runtime, caller: Caller) -> int:
    """Send the event webhook.test now, to a disabled endpoint too, and return the status answered,
    0 when no answer came.

    Counts neither as a failure nor as a success. Raises InvalidInput when there is no URL.
    """
    found = await endpoint(rt, caller)
    if found.url is None:
        raise InvalidInput(field="url", reason="no webhook URL is configured")
    secret = None if found.secret is None else found.secret.encode()
    renderer = rt.renderers[caller.dialect]
    policy = sender_of(rt).policy(renderer.timeout_s)
    with on_account_of(caller.customer_id):
        return await send_test(rt, url=found.url, secret=secret, renderer=renderer, policy=policy)


async def deliveries(
    rt: Runtime, *, customer_id: int, dialect: str, before: int | None = None, limit: int = 50
) -> list[DeliveryLog]:
    """Return the delivery log, newest first.

    `before` is the event id that the page before ended with.
    """
    owner = Owner(customer_id, dialect)
    return await rt.repeat(
        "webhooks.log",
        lambda tx: rows.log(tx, owner=owner, before=before, limit=min(limit, PAGE_MAX)),
    )


async def replay(rt: Runtime, *, customer_id: int, dialect: str, delivery_id: int) -> None:
    """Send an ended delivery again, same body and same id, with all its attempts.

    Raises NotFound (no such delivery, or not ended) and StateForbids when the endpoint is off.
    """
    owner = Owner(customer_id, dialect)
    await _require_working(rt, owner)
    if not await rt.run(
        "webhooks.replay",
        lambda tx: rows.replay(tx, owner=owner, delivery_id=delivery_id, now=rt.clock.now()),
    ):
        raise NotFound(what="delivery")
    wake(rt)


async def replay_failed(rt: Runtime, *, customer_id: int, dialect: str, since: datetime) -> int:
    """Send again the deliveries given up since a time and return how many.

    Ask again while it answers REPLAY_MAX. Raises StateForbids.
    """
    owner = Owner(customer_id, dialect)
    await _require_working(rt, owner)
    count = await rt.run(
        "webhooks.replay_failed",
        lambda tx: rows.replay_failed(tx, owner=owner, since=since, now=rt.clock.now()),
    )
    wake(rt)
    return count


async def check_url(rt: Runtime, url: str, *, dialect: str, account: int) -> None:
    """Raises InvalidInput a URL that webhooks of a dialect may not go to.

    `account` is whose share of name look-ups this takes. Without a place left the text alone is
    judged: each send judges addresses again.
    """
    if len(url) > URL_CHARS_MAX:
        raise InvalidInput(field="url", reason=f"must have at most {URL_CHARS_MAX} characters")
    policy = sender_of(rt).policy(rt.renderers[dialect].timeout_s)
    try:
        with on_account_of(account):
            await rt.http.validate_url(url, policy=policy)
    except HttpFailure as failure:
        # A name that nobody knows today may be known tomorrow.
        if not failure.ours:
            raise InvalidInput(field="url", reason=failure.text) from failure


async def _require_working(rt: Runtime, owner: Owner) -> None:
    """Refuses when there is no endpoint that deliveries could go to."""
    row = await rt.repeat("webhooks.endpoint", lambda tx: endpoint_rows.read(tx, owner=owner))
    if row is None or not row.url or row.disabled_at is not None:
        raise StateForbids(state="disabled")


def _seal(rt: Runtime, owner: Owner, secret: str) -> bytes:
    """Return the secret as it is stored."""
    if len(secret) > SECRET_CHARS_MAX:
        raise InvalidInput(
            field="secret", reason=f"must have at most {SECRET_CHARS_MAX} characters"
        )
    try:
        plain = secret.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(field="secret", reason="must be well-formed text") from error
    return rt.keys.seal(plain, context=secret_context(owner.customer_id, owner.dialect))


def _open(rt: Runtime, owner: Owner, row: EndpointRow) -> Endpoint:
    """Return the endpoint with its secret in clear text, as its owner may see it."""
    secret = (
        None
        if row.secret is None
        else rt.keys.open(
            row.secret, context=secret_context(owner.customer_id, owner.dialect)
        ).decode()
    )
    return Endpoint(
        row.url or None,
        secret,
        row.disabled_at,
        row.disabled_reason,
        row.consecutive_failures,
        row.failing_since,
    )


def _owner(caller: Caller) -> Owner:
    return Owner(caller.customer_id, caller.dialect)
