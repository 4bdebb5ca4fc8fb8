"""POST /callbacks/{provider}: verify with the provider, store, answer; jobs act on it later."""

from __future__ import annotations

from numdesk.domain.errors import InvalidInput, NotFound, Refusal, TooManyRequests
from numdesk.kit.incoming.body import App, BodyTooLarge, ClientGone, Receive, Scope, Send, read_body
from numdesk.kit.incoming.one_write import send_whole
from numdesk.kit.incoming.pacing import Pace
from numdesk.kit.log import get_logger
from numdesk.kit.outgoing.addresses import peer_group
from numdesk.kit.slices import take_turn
from numdesk.runtime import Runtime
from numdesk.usecases.customers import rate_limits
from numdesk.usecases.payments import callbacks

PREFIX = "/callbacks"

_TEXT = ((b"content-type", b"text/plain; charset=utf-8"),)
#: Response bodies by status. Gateways read only the status, and a reason would help a forger.
_BODIES = {
    200: b"OK\n",
    400: b"The callback does not verify.\n",
    404: b"Not found.\n",
    405: b"POST only.\n",
    413: b"Too large.\n",
    429: b"Too many callbacks that do not verify.\n",
}
#: Refusals whose log lines are limited per address.
_REFUSED = frozenset({400, 413, 429})

#: Callbacks of one address that fail verification, per minute; more are neither logged nor counted.
#: Each is still verified, which is bounded work: a genuine one gets through from a shared address.
REFUSED_PER_MINUTE = 600
_BUCKET = "callbacks.refused"

_log = get_logger(__name__, "provider")


def make_callbacks(rt: Runtime) -> App:
    """Return the ASGI application of the callbacks, to be mounted at PREFIX."""

    refusals = Pace.of_refusals()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        peer = peer_group(scope["client"][0]) if scope.get("client") else ""
        try:
            status = await _receive(rt, scope, receive, peer)
        except ClientGone:
            return
        if status in _REFUSED and rt.settings.rate_limits:
            await refusals.wait(peer)
        body = _BODIES.get(status, b"Try again.\n")
        await send_whole(
            send,
            status=status,
            common=_TEXT,
            own=((b"content-length", b"%d" % len(body)),),
            body=body,
        )

    return answer


async def _receive(rt: Runtime, scope: Scope, receive: Receive, peer: str) -> int:
    """Process one callback and return the status of the answer.

    Providers resend a callback after an error status.
    """
    provider = scope["path"].removeprefix(PREFIX + "/")
    if provider not in rt.payments:
        return 404
    if scope["method"] != "POST":
        return 405
    headers = {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
    }
    try:
        body = await read_body(scope, receive, bytes_max=callbacks.BODY_BYTES_MAX)
        await (
            take_turn()
        )  # verifying takes a millisecond or two: in a flood, yield to other requests
        await callbacks.receive(rt, provider, headers, body)
    except (BodyTooLarge, Refusal, ConnectionError, TimeoutError) as error:
        return _status_of(rt, error, provider, peer)
    return 200


def _status_of(rt: Runtime, error: Exception, provider: str, peer: str) -> int:
    """Return the status for a callback that was refused, and count one that failed verification."""
    match error:
        case BodyTooLarge():
            return 413
        case NotFound():
            return 404
        case InvalidInput():
            try:
                rate_limits.admit(rt, subject=peer, bucket=_BUCKET, limit=REFUSED_PER_MINUTE)
            except TooManyRequests:
                return 429
            callbacks.note_refused(provider, reason=str(error.__cause__))
            return 400
        case _:
            _log.error("callback not stored", provider=provider, error=type(error).__name__)
            return 503
