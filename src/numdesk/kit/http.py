"""Outgoing HTTP: bounded in time and memory, never redirected, and never to an address a stranger may not choose."""

import asyncio
import socket
import ssl
from collections.abc import Mapping

import aiohttp
from aiohttp.http_exceptions import LineTooLong

from numdesk.kit.clock import Clock
from numdesk.kit.egress import EgressPolicy, FailureKind, HttpAnswer, HttpFailure
from numdesk.kit.network import assert_network_allowed
from numdesk.kit.resolver import CheckedResolver, Resolver, SystemResolver
from numdesk.kit.urls import parse_url

#: Connections of one policy, and of one host within it: a slow receiver cannot take them all.
CONNECTIONS_MAX = 1024
CONNECTIONS_PER_HOST_MAX = 128

#: An idle connection is kept this long; shorter than what common servers keep, so that they rarely close first.
KEEP_ALIVE_S = 15.0

#: Bounds of an answer's head.
HEAD_LINE_BYTES_MAX = 8190
HEAD_LINES_MAX = 100

#: Policies are few and made at start; more of them than this is a fault of the program.
POLICIES_MAX = 32

#: Headers that decide where a message ends or whom it is for; they are ours to write.
OUR_HEADERS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

# The order matters: a failed handshake is also a failed connection, and both are also an OSError.
_FAILURES: tuple[tuple[tuple[type[Exception], ...], FailureKind, str], ...] = (
    ((TimeoutError,), "timeout", "The host did not answer in time."),
    (
        (aiohttp.ClientSSLError, ssl.SSLError, ssl.CertificateError),
        "tls",
        "The host's certificate or TLS handshake was refused.",
    ),
    ((aiohttp.ClientConnectorDNSError,), "resolve", "The host's name was not found."),
    ((aiohttp.ClientConnectorError,), "connect", "The host refused the connection or could not be reached."),
    ((aiohttp.InvalidURL,), "bad_url", "The URL is not well-formed."),
)


class OutgoingHttp:
    """Sends requests; one per process, closed at its end."""

    def __init__(
        self,
        clock: Clock,
        *,
        resolver: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
        user_agent: str = "numdesk",
    ) -> None:
        """Send with the system's names and trust unless told otherwise."""
        self._clock = clock
        self._resolver: Resolver = SystemResolver() if resolver is None else resolver
        self._tls = tls
        self._user_agent = user_agent
        self._lanes: dict[EgressPolicy, _Lane] = {}

    async def post(self, url: str, *, body: bytes, headers: Mapping[str, str], policy: EgressPolicy) -> HttpAnswer:
        """Send `body` and return the answer; raise HttpFailure, or NetworkForbidden inside a transaction."""
        return await self._send("POST", url, body=body, headers=headers, policy=policy)

    async def get(self, url: str, *, headers: Mapping[str, str], policy: EgressPolicy) -> HttpAnswer:
        """Fetch `url` and return the answer; raise HttpFailure, or NetworkForbidden inside a transaction."""
        return await self._send("GET", url, body=None, headers=headers, policy=policy)

    async def validate_url(self, url: str, *, policy: EgressPolicy) -> None:
        """Judge a URL when it is registered, by text and by addresses; raise HttpFailure.

        The judgement is for the writer of the URL. Sending judges again, because names change.
        """
        assert_network_allowed()
        target = parse_url(url, policy)
        checked = CheckedResolver(self._resolver, policy)
        if target.is_address:
            checked.check_address(target.host, target.port)
            return
        try:
            async with asyncio.timeout(policy.connect_timeout_s):
                await checked.addresses_of(target.host, target.port)
        except TimeoutError as error:
            raise HttpFailure("resolve", "The host's name servers did not answer in time.") from error

    async def close(self) -> None:
        """Close every connection."""
        for lane in self._lanes.values():
            await lane.session.close()
        self._lanes.clear()
        await self._resolver.close()

    async def _send(self, method: str, url: str, *, body: bytes | None, headers: Mapping[str, str], policy: EgressPolicy) -> HttpAnswer:
        """Do one exchange and name whatever goes wrong."""
        assert_network_allowed()
        _check_headers(headers)
        target = parse_url(url, policy)
        lane = self._lanes.get(policy) or self._open_lane(policy)
        if target.is_address:
            # The HTTP library asks no resolver about addresses.
            lane.checked.check_address(target.host, target.port)
        started = self._clock.monotonic()
        try:
            async with lane.session.request(method, target.url, data=body, headers=headers, allow_redirects=False) as response:
                head, is_cut = await _read_head(response, policy)
                status = response.status
                retry_after = response.headers.get("Retry-After") if status >= 400 else None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _name_failure(error) from error
        return HttpAnswer(status, head, round((self._clock.monotonic() - started) * 1000), is_cut, retry_after)

    def _open_lane(self, policy: EgressPolicy) -> "_Lane":
        """Make the connections' pool of a policy; pools are not shared, so no policy rides on another's permission."""
        if len(self._lanes) >= POLICIES_MAX:
            raise RuntimeError("Egress policies are made at start, not per request.")
        lane = self._lanes[policy] = _Lane(self._resolver, policy, self._tls, self._user_agent)
        return lane


class _Lane:
    """The connections made under one policy."""

    __slots__ = ("checked", "session")

    def __init__(self, resolver: Resolver, policy: EgressPolicy, tls: ssl.SSLContext | None, user_agent: str) -> None:
        self.checked = CheckedResolver(resolver, policy)
        connector = aiohttp.TCPConnector(
            resolver=self.checked,
            use_dns_cache=False,  # every new connection resolves and judges again
            socket_factory=self._make_socket,
            ssl=True if tls is None else tls,
            limit=CONNECTIONS_MAX,
            limit_per_host=CONNECTIONS_PER_HOST_MAX,
            keepalive_timeout=KEEP_ALIVE_S,
        )
        self.session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(
                total=policy.total_timeout_s,
                connect=policy.total_timeout_s,
                sock_connect=policy.connect_timeout_s,
            ),
            headers={"User-Agent": user_agent, "Accept-Encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            max_line_size=HEAD_LINE_BYTES_MAX,
            max_field_size=HEAD_LINE_BYTES_MAX,
            max_headers=HEAD_LINES_MAX,
        )

    def _make_socket(self, info: tuple[int, int, int, str, tuple[object, ...]]) -> socket.socket:
        """Judge the very address about to be connected to: the last look, whoever found it."""
        family, kind, protocol, _, address = info
        self.checked.check_address(str(address[0]), int(str(address[1])))
        return socket.socket(family, kind, protocol)


def _check_headers(headers: Mapping[str, str]) -> None:
    """Raise ValueError for headers that would change whom a message is for or where it ends."""
    for name, value in headers.items():
        if name.lower() in OUR_HEADERS:
            raise ValueError(f"The header {name} is written by the sender itself.")
        if "\r" in value or "\n" in value or "\0" in value or "\r" in name or "\n" in name:
            raise ValueError("A header holds a line break.")


async def _read_head(response: aiohttp.ClientResponse, policy: EgressPolicy) -> tuple[bytes, bool]:
    """Read the answer's body up to the policy's bound; return what is kept and whether more was there."""
    head = b""
    read = 0
    while chunk := await response.content.readany():
        read += len(chunk)
        if len(head) < policy.answer_keep_max:
            head += chunk[: policy.answer_keep_max - len(head)]
        if read > policy.answer_read_max:
            response.close()  # the connection goes too: what is still on its way would cost more than a new one
            return head, True
    return head, read > len(head)


def _name_failure(error: Exception) -> HttpFailure:
    """Return the one word and the sentence for what the HTTP library raised."""
    if _is_too_large(error):
        return HttpFailure("too_large", "The answer's headers are too large.")
    for kinds, kind, sentence in _FAILURES:
        if isinstance(error, kinds):
            return HttpFailure(kind, sentence)
    return HttpFailure("protocol", "The connection broke or the answer was not HTTP.")


def _is_too_large(error: Exception) -> bool:
    """Return whether the answer's head broke a bound; for the number of lines the library has words but no type."""
    if not isinstance(error, aiohttp.ClientResponseError):
        return False
    return isinstance(error.__cause__, LineTooLong) or error.message.startswith(("Got more than", "Too many headers"))
