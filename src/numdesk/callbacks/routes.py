"""POST /callbacks/{provider}: verified by the provider, kept, answered; what it means is found out afterwards."""

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
#: What a caller is told. Gateways look at the status; nobody is told which rule a signature broke.
_SAID = {
    200: b"OK\n",
    400: b"The callback does not verify.\n",
    404: b"Not found.\n",
    405: b"POST only.\n",
    413: b"Too large.\n",
    429: b"Too many callbacks that do not verify.\n",
}
#: Statuses of refusals that are spaced out for each address.
_REFUSED = frozenset({400, 413, 429})

#: Callbacks of one address that do not verify, per minute; those beyond are neither logged nor counted. Each is still verified, which is
#: bounded work: a genuine one gets through whoever shares its address.
REFUSED_PER_MINUTE = 600
_BUCKET = "callbacks.refused"

_log = get_logger(__name__, "provider")


def make_callbacks(rt: Runtime) -> App:
    """Returns the application of the callbacks, to be mounted at PREFIX."""

    refusals = Pace.of_refusals()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        peer = peer_group(scope["client"][0]) if scope.get("client") else ""
        try:
            status = await _take(rt, scope, receive, peer)
        except ClientGone:
            return
        if status in _REFUSED and rt.settings.rate_limits:
            await refusals.wait(peer)
        body = _SAID.get(status, b"Try again.\n")
        await send_whole(
            send,
            status=status,
            common=_TEXT,
            own=((b"content-length", b"%d" % len(body)),),
            body=body,
        )

    return answer


async def _take(rt: Runtime, scope: Scope, receive: Receive, peer: str) -> int:
    """Takes one callback and returns the status of the answer; what is no success will be sent again."""
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
        )  # verifying takes a millisecond or two: of a flood, each lets others go on
        await callbacks.receive(rt, provider, headers, body)
    except (BodyTooLarge, Refusal, ConnectionError, TimeoutError) as error:
        return _status_of(rt, error, provider, peer)
    return 200


def _status_of(rt: Runtime, error: Exception, provider: str, peer: str) -> int:
    """Returns the status for a callback that was not kept, and counts one that does not verify."""
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
            _log.error("a callback was not kept", provider=provider, error=type(error).__name__)
            return 503
