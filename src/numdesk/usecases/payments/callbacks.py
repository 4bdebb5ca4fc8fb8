"""Callbacks of payment gateways: verify, keep and answer one, then settle the top-up that it
names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from prometheus_client import Counter

from numdesk.domain.errors import (
    InvalidInput,
    NotFound,
)
from numdesk.domain.payments.topups import TopUp
from numdesk.kit.log import get_logger
from numdesk.ports.payments import CallbackRefused
from numdesk.storage.jobs import queue
from numdesk.storage.payments import inbox
from numdesk.storage.payments import topups as rows
from numdesk.storage.payments.inbox import Callback
from numdesk.usecases.payments.settlement import settle

if TYPE_CHECKING:
    from numdesk.runtime import Runtime
    from numdesk.storage.database.pool import Tx


_log = get_logger(__name__, "callback_id", "provider")
#: Callbacks are documents of two kilobytes.
BODY_BYTES_MAX = 16 * 1024
#: Headers of a callback that are kept.
HEADERS_MAX = 50
HEADER_CHARS_MAX = 1_000
_callbacks = Counter(
    "numdesk_callbacks_total",
    "Callbacks of payment gateways, by what became of them",
    ["provider", "result"],
)


async def receive(rt: Runtime, provider: str, headers: Mapping[str, str], body: bytes) -> None:
    """Keep a callback that verifies, to be looked into in the background.

    One that is there already changes nothing.

    Header names are in lower case. Raises NotFound (no such gateway), or InvalidInput when it does
    not verify.
    """
    gateway = rt.payments.get(provider)
    if gateway is None:
        raise NotFound(what=f"gateway {provider[:40]}")
    try:
        hint = gateway.read_callback(headers, body)
    except CallbackRefused as error:
        raise InvalidInput(field="callback", reason="does not verify") from error
    callback = Callback(
        provider, _kept(headers), body, hint.reference, hint.invoice_id, hint.payment_id
    )
    # Anybody may space a genuine callback anew, and its signature still holds: copies are known by
    # what was signed.
    signed = hint.signed.encode() or body
    fresh = await rt.run("payments.receive", lambda tx: _keep(rt, tx, callback, signed))
    _callbacks.labels(provider, "kept" if fresh else "repeated").inc()


def note_refused(provider: str, *, reason: str) -> None:
    """Log and counts a callback that does not verify.

    The door leaves out those of an address that sends too many.
    """
    _callbacks.labels(provider, "refused").inc()
    _log.warning("a callback was refused", provider=provider, reason=reason)


async def settle_called(rt: Runtime, payload: Mapping[str, Any]) -> None:
    """Look into a kept callback (job `payments.hear`): it only says which top-up to ask the gateway
    about. Raises ProviderError."""
    inbox_id = int(payload["callback"])
    callback = await rt.repeat("payments.callback", lambda tx: inbox.read(tx, inbox_id))
    if callback is None:
        return
    found = await rt.repeat(
        "payments.find",
        lambda tx: rows.by_reference(
            tx, provider=callback.provider, references=[callback.reference]
        ),
    )
    result = _fault_of(callback, found)
    if result is None:
        await settle(
            rt, found[0].id, payment_ids=[callback.payment_id] if callback.payment_id else []
        )
        result = "settled"
    else:
        _log.error(
            "a callback is about nothing of ours",
            provider=callback.provider,
            callback_id=inbox_id,
            reason=result,
        )
    _callbacks.labels(callback.provider, result).inc()
    await rt.run(
        "payments.heard", lambda tx: inbox.end(tx, inbox_id, result=result, now=rt.clock.now())
    )


async def _keep(rt: Runtime, tx: Tx, callback: Callback, signed: bytes) -> bool:
    """Keep the callback, and the job that looks into it, unless it is there."""
    inbox_id = await inbox.keep(tx, callback, signed=signed, now=rt.clock.now())
    if inbox_id is not None:
        payload = {"callback": inbox_id, "provider": callback.provider}
        await queue.add(tx, kind="payments.hear", payload=payload, run_at=rt.clock.now())
    return inbox_id is not None


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers to keep, as PostgreSQL can hold it."""
    return {
        name[:HEADER_CHARS_MAX]: value.replace("\0", "")[:HEADER_CHARS_MAX]
        for name, value in list(headers.items())[:HEADERS_MAX]
    }


def _fault_of(callback: Callback, found: Sequence[TopUp]) -> str | None:
    """Return why a callback is about no top-up of ours, or None."""
    if not found:
        return "unknown"
    ours = found[0].invoice_id
    return "mismatch" if ours and callback.invoice_id and ours != callback.invoice_id else None
