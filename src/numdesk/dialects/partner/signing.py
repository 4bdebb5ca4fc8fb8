"""Signatures of the partner API, over JSON exactly as JavaScript reads and writes it.

The vendor's clients sign `timestamp + METHOD + url + JSON.stringify(body || {})` with HMAC-SHA256.
One of its samples signs the path without `/api/v1`, the other the whole path with its query; one
sends the JSON that it signed, the other text with the author's own spacing. So a signature may be
over any of a few texts, each of which means the same request.
"""

from __future__ import annotations

import hmac
from binascii import unhexlify
from datetime import datetime
from itertools import product
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from numdesk.dialects.partner.javascript_json import parse, stringify
from numdesk.domain.errors import NotAuthenticated

if TYPE_CHECKING:
    from numdesk.dialects import Request
    from numdesk.domain.customers.callers import Caller


#: The prefix of our paths in the vendor's URL, and in what half of its clients sign.
PREFIX = "/api/v1"
#: The form of a signature: over the path below the prefix, or over the whole path.
SHORT, FULL = "short", "full"
#: The accepted difference between a client's clock and ours. The vendor gives no number for
#: requests; its webhook sample has five minutes.
CLOCK_OFFSET_MS_MAX = 300_000
_PREFIX = PREFIX.encode()
_NOTHING = b"{}"
#: Separators of a URL; decoding must not create more of them, or one signature would cover two
#: requests.
_CUTS = b"/?&=#"
_MILLISECONDS_CHARS, _SECONDS_CHARS = 13, 10
_SIGNATURE_CHARS = 64


def verify(request: Request, caller: Caller, wall: datetime) -> None:
    """Refuse with NotAuthenticated unless the caller signed this request just now.

    Sets `request.form` to the form of the signed path.
    """
    said = request.headers.get(b"x-timestamp", b"")
    if not _is_fresh(said, wall):
        raise NotAuthenticated(cause="timestamp")
    given = _unhex(request.headers.get(b"x-signature", b""))
    start = said + request.method.encode("ascii")
    secret = caller.secret or b""
    found = ""
    for (url, form), body in product(
        _urls(request), _bodies(request.body)
    ):  # always compare all of them: the time must not reveal the right one
        if hmac.compare_digest(hmac.digest(secret, start + url + body, "sha256"), given):
            found = form
    if not found or not secret:
        raise NotAuthenticated(cause="signature")
    request.form = found


def sign(secret: bytes, text: bytes) -> str:
    """Return a signature: lower-case hex, 64 characters.

    A receiver's `timingSafeEqual` throws at any other length.
    """
    return hmac.digest(secret, text, "sha256").hex()


def _is_fresh(said: bytes, wall: datetime) -> bool:
    """Return whether this client time, in milliseconds or seconds, is close enough to ours."""
    if not said.isdigit() or len(said) not in (_MILLISECONDS_CHARS, _SECONDS_CHARS):
        return False
    said_ms = int(said) * (1 if len(said) == _MILLISECONDS_CHARS else 1000)
    return abs(wall.timestamp() * 1000 - said_ms) <= CLOCK_OFFSET_MS_MAX


def _unhex(said: bytes) -> bytes:
    """Return the bytes of a signature in hexadecimal digits of either case; b"" for other texts."""
    if len(said) != _SIGNATURE_CHARS or not said.isalnum():
        return b""
    try:
        return unhexlify(said)
    except ValueError:
        return b""


def _urls(request: Request) -> list[tuple[bytes, str]]:
    """Return the possible signed URLs with their forms: the path with its query, never without."""
    path: bytes = request.scope["raw_path"]
    target = path + b"?" + request.query if request.query else path
    short = target[len(_PREFIX) :] if target.startswith(_PREFIX + b"/") else target
    urls = [(_PREFIX + short, FULL), (short, SHORT)]
    if b"%" in short:
        plain = unquote_to_bytes(short)
        if all(plain.count(cut) == short.count(cut) for cut in _CUTS):
            urls += [(_PREFIX + plain, FULL), (plain, SHORT)]
    return urls


def _bodies(body: bytes) -> list[bytes]:
    """Return the possible signed bodies: the text as sent, and as JavaScript writes it.

    A client library sends `null` for an empty body, and signs `{}`; nothing, `null` and `{}` mean
    the same to every call.
    """
    if is_nothing(body):
        return [_NOTHING]
    try:
        written = stringify(parse(body)).encode()
    except ValueError:
        return [body]  # its signer gets an answer that says what is wrong with the body
    return [body] if written == body else [body, written]


def is_nothing(body: bytes) -> bool:
    """Return whether a body of these bytes is empty in meaning."""
    return body in (b"", b"null") or body.strip() in (b"", b"null")
