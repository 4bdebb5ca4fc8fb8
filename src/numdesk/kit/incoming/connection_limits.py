"""Limits of a connection, and the bytes of each refusal."""

import math
from collections.abc import Container
from dataclasses import dataclass
from http import HTTPStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """Bounds of one listener; the operator may set some (config.py), and names the proxies."""

    #: From connecting, and from a request's first byte, to the end of its headers.
    head_s: float = 10.0
    #: From the end of the headers to the end of the body.
    body_s: float = 10.0
    #: Between two requests.
    idle_s: float = 75.0
    #: How long a client may leave a full send buffer unread.
    stall_s: float = 10.0
    #: How long we wait for a refused client to take its answer.
    linger_s: float = 2.0
    #: How often deadlines are looked at; each of them is kept to within two of these.
    sweep_s: float = 1.0
    head_bytes_max: int = 32 * 1024
    head_lines_max: int = 100
    url_bytes_max: int = 8 * 1024
    #: Last resort for a whole message; doors have smaller bounds of their own
    #: (kit/incoming/body.py).
    message_bytes_max: int = 16 * 1024 * 1024
    #: Requests that may wait behind the one being answered on the same connection.
    pipelined_max: int = 64
    #: Beyond it idle connections are closed, oldest first; where none is idle, the new one is
    #: refused.
    connections_max: int = 20_000
    #: Connections of one address (of one /64 for IPv6).
    connections_per_peer_max: int = 256
    #: What the listener is called in metrics.
    listener: str = "customers"
    #: Peers that the limit per address does not hold for: ourselves, and a reverse proxy on our
    #: machine.
    uncounted_peers: frozenset[str] = frozenset({"127.0.0.1", "::1", ""})
    #: The reverse proxies on other machines: one address each for all their callers.
    proxies: Container[str] = frozenset()

    def ticks(self, seconds: float) -> int:
        """Return after how many sweeps `seconds` have certainly passed."""
        return math.ceil(seconds / self.sweep_s) + 1


def _answer(status: HTTPStatus, sentence: str, *lines: str) -> bytes:
    """Return a whole answer that ends the connection."""
    body = f"{sentence}\n".encode("ascii")
    extra = "".join([f"{line}\r\n" for line in lines])
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        "content-type: text/plain; charset=utf-8\r\n"
        f"content-length: {len(body)}\r\n"
        f"{extra}"
        "connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


BAD_REQUEST = _answer(HTTPStatus.BAD_REQUEST, "The request is not well-formed HTTP/1.1.")
UNKNOWN_METHOD = _answer(
    HTTPStatus.METHOD_NOT_ALLOWED,
    "This server does not know this method; methods are in capitals, such as GET.",
)
NOT_A_PROXY = _answer(HTTPStatus.METHOD_NOT_ALLOWED, "This server is not a proxy.")
TIMED_OUT = _answer(HTTPStatus.REQUEST_TIMEOUT, "The request did not arrive in time.")
BODY_TOO_LARGE = _answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large.")
URL_TOO_LONG = _answer(HTTPStatus.REQUEST_URI_TOO_LONG, "The URL is too long.")
HEAD_TOO_LARGE = _answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers are too large.")
BUSY = _answer(
    HTTPStatus.SERVICE_UNAVAILABLE, "The server is busy; try again later.", "retry-after: 1"
)
TOO_MANY_FROM_PEER = _answer(
    HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections from your address.", "retry-after: 1"
)
VERSION_NOT_SUPPORTED = _answer(
    HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "This server speaks HTTP/1.1."
)
