"""Outgoing HTTP: bounded in time and memory, never redirected, and never to an address a stranger
may not choose."""

import asyncio
import functools
import socket
import ssl
from collections.abc import Mapping
from contextvars import ContextVar

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from numdesk.kit.clock import Clock
from numdesk.kit.outgoing.failures import name_failure
from numdesk.kit.outgoing.lookups import Lookups
from numdesk.kit.outgoing.network import assert_network_allowed
from numdesk.kit.outgoing.policy import EgressPolicy, HttpAnswer, HttpFailure, check_headers
from numdesk.kit.outgoing.resolver import CheckedResolver, Resolver, SystemResolver
from numdesk.kit.outgoing.status_line import RememberingHandler, status_of
from numdesk.kit.outgoing.urls import Target, parse_url
from numdesk.kit.turns import Turns

#: Requests under way to one host under one policy; the next waits for its turn, as long as a
#: connection may take. Hosts do not wait for each other: the sum over all of them is bounded by the
#: callers.
REQUESTS_PER_HOST_MAX = 128

#: A body that only is kept for display is waited for no longer than this.
BODY_WAIT_S = 0.25

#: An idle connection is kept this long; shorter than what common servers keep, so that they rarely
#: close first.
KEEP_ALIVE_S = 15.0

#: Bounds of an answer's head.
HEAD_LINE_BYTES_MAX = 8190
HEAD_LINES_MAX = 100

#: Policies are few and made at start; more of them than this is a fault of the program.
POLICIES_MAX = 32


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
        self._lookups = Lookups(SystemResolver() if resolver is None else resolver, clock)
        self._tls = tls
        self._user_agent = user_agent
        self._lanes: dict[EgressPolicy, _Lane] = {}

    async def post(
        self, url: str, *, body: bytes, headers: Mapping[str, str], policy: EgressPolicy
    ) -> HttpAnswer:
        """Send `body` and return the answer.

        Raise HttpFailure, or NetworkForbidden inside a transaction.
        """
        return await self._send("POST", url, body=body, headers=headers, policy=policy)

    async def get(
        self, url: str, *, headers: Mapping[str, str], policy: EgressPolicy
    ) -> HttpAnswer:
        """Fetch `url` and return the answer.

        Raise HttpFailure, or NetworkForbidden inside a transaction.
        """
        return await self._send("GET", url, body=None, headers=headers, policy=policy)

    async def validate_url(self, url: str, *, policy: EgressPolicy) -> None:
        """Judge a URL when it is registered, by text and by addresses; raise HttpFailure.

        The judgement is for the writer of the URL. Sending judges again, because names change.
        """
        assert_network_allowed()
        target = parse_url(url, policy)
        # Not from memory: who has just corrected a name is not told what it was before.
        checked = CheckedResolver(self._lookups.fresh, policy)
        if target.is_address:
            checked.check_address(target.host, target.port)
        else:
            await checked.addresses_of(target.host, target.port)

    async def close(self) -> None:
        """Close every connection."""
        for lane in self._lanes.values():
            await lane.session.close()
        self._lanes.clear()
        await self._lookups.close()

    async def _send(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None,
        headers: Mapping[str, str],
        policy: EgressPolicy,
    ) -> HttpAnswer:
        """Do one exchange and name whatever goes wrong."""
        assert_network_allowed()
        check_headers(headers)
        target = parse_url(url, policy)
        lane = self._lanes.get(policy) or self._open_lane(policy)
        if target.is_address:
            # The HTTP library asks no resolver about addresses.
            lane.checked.check_address(target.host, target.port)
        await lane.enter(target.host)
        exchange = _Exchange(self._clock.monotonic())
        mark = _current.set(exchange)
        try:
            async with asyncio.timeout(policy.total_timeout_s) as exchange.deadline:
                return await self._exchange(lane, method, target, body, headers)
        except (aiohttp.ClientError, OSError, ValueError, RuntimeError, MemoryError) as error:
            answer = None if policy.needs_body else exchange.answer(self._clock.monotonic())
            if answer is None:
                raise name_failure(error) from error
            return answer
        finally:
            _current.reset(mark)
            lane.turns.leave(target.host)

    async def _exchange(
        self,
        lane: "_Lane",
        method: str,
        target: Target,
        body: bytes | None,
        headers: Mapping[str, str],
    ) -> HttpAnswer:
        """Send one request and read its answer as far as the policy wants it."""
        async with lane.session.request(
            method, target.url, data=body, headers=headers, allow_redirects=False
        ) as response:
            exchange = _current.get()
            status = response.status
            retry_after = response.headers.get("Retry-After") if status >= 400 else None
            if not lane.policy.needs_body:
                elapsed_ms = exchange.elapsed_ms(self._clock.monotonic())
                head, is_cut = await _read_shown(response, lane.policy)
                return HttpAnswer(status, head, elapsed_ms, is_cut, retry_after)
            kept = bytearray()
            is_cut = await _read_head(response, lane.policy, kept)
            return HttpAnswer(
                status,
                bytes(kept),
                exchange.elapsed_ms(self._clock.monotonic()),
                is_cut,
                retry_after,
            )

    def _open_lane(self, policy: EgressPolicy) -> "_Lane":
        """Make the connections' pool of a policy.

        Pools are not shared, so no policy rides on another's permission.
        """
        if len(self._lanes) >= POLICIES_MAX:
            raise RuntimeError("Egress policies are made at start, not per request.")
        lane = self._lanes[policy] = _Lane(self._lookups, policy, self._tls, self._user_agent)
        return lane


class _Exchange:
    """One request that is under way: its deadline, and the connection on which the answer comes."""

    __slots__ = ("connection", "deadline", "started")

    def __init__(self, started: float) -> None:
        self.started = started
        self.deadline: asyncio.Timeout | None = None
        self.connection: RememberingHandler | None = None

    def elapsed_ms(self, now: float) -> int:
        """Return how long the other side has had; looking its name up is not its time."""
        return round((now - self.started) * 1000)

    def answer(self, now: float) -> HttpAnswer | None:
        """Return the answer that only its first bytes tell, or None when they tell of none."""
        found = None if self.connection is None else status_of(self.connection.beginning or b"")
        if found is None:
            return None
        status, retry_after = found
        return HttpAnswer(
            status, b"", self.elapsed_ms(now), True, retry_after if status >= 400 else None
        )


#: The exchange that this task is in; the HTTP library calls back without saying for which request.
_current: ContextVar[_Exchange] = ContextVar("exchange")


class _Handler(RememberingHandler):
    """Reads the answers of one connection, and is known to the exchange that waits for the next
    one."""

    def set_response_params(self, **params: object) -> None:
        """Begin with the answer to the current exchange."""
        _current.get().connection = self
        super().set_response_params(**params)


class _UntimedResolver(AbstractResolver):
    """Looks names up while the clock of the exchange stands still: slow name servers are not the
    host's slowness."""

    def __init__(self, checked: CheckedResolver) -> None:
        self._checked = checked

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the checked addresses of `host`; raise HttpFailure."""
        loop = asyncio.get_running_loop()
        exchange, started = _current.get(), loop.time()
        deadline = exchange.deadline
        ends_at = None if deadline is None else deadline.when()
        if deadline is not None:
            deadline.reschedule(None)
        try:
            return await self._checked.resolve(host, port, family)
        finally:
            took_s = loop.time() - started
            exchange.started += took_s
            if deadline is not None and ends_at is not None:
                deadline.reschedule(ends_at + took_s)

    async def close(self) -> None:
        """Leave the inner resolver to its owner."""


class _Lane:
    """The connections made under one policy."""

    __slots__ = ("checked", "policy", "session", "turns")

    def __init__(
        self, lookups: Lookups, policy: EgressPolicy, tls: ssl.SSLContext | None, user_agent: str
    ) -> None:
        self.policy = policy
        self.turns: Turns[str] = Turns(REQUESTS_PER_HOST_MAX)
        self.checked = CheckedResolver(lookups, policy)
        connector = aiohttp.TCPConnector(
            resolver=_UntimedResolver(self.checked),
            use_dns_cache=False,  # what is remembered of names is ours to bound and to judge
            socket_factory=self._make_socket,
            ssl=True if tls is None else tls,
            limit=0,  # a request that waited for somebody else's connection would look like a slow host
            keepalive_timeout=KEEP_ALIVE_S,
        )
        if not policy.needs_body:
            # The library has no public place for this; test_http.py fails when it goes away.
            factory = functools.partial(_Handler, loop=asyncio.get_running_loop())
            connector._factory = factory  # noqa: SLF001  # pyright: ignore[reportAttributeAccessIssue]
        self.session = aiohttp.ClientSession(
            connector=connector,
            # The total is kept by `_send`, which knows what of it was the other side's time.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=policy.connect_timeout_s),
            headers={"User-Agent": user_agent, "Accept-Encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            max_line_size=HEAD_LINE_BYTES_MAX,
            max_field_size=HEAD_LINE_BYTES_MAX,
            max_headers=HEAD_LINES_MAX,
        )

    async def enter(self, host: str) -> None:
        """Wait for a turn at a host, before its own time begins.

        Raise HttpFailure (`connect`, ours) when none comes.
        """
        try:
            await self.turns.enter(host, patience_s=self.policy.connect_timeout_s)
        except TimeoutError as error:
            raise HttpFailure(
                "connect", "Too many requests to this host are under way.", ours=True
            ) from error

    def _make_socket(self, info: tuple[int, int, int, str, tuple[object, ...]]) -> socket.socket:
        """Judge the very address about to be connected to: the last look, whoever found it."""
        family, kind, protocol, _, address = info
        self.checked.check_address(str(address[0]), int(str(address[1])))
        return socket.socket(family, kind, protocol)


async def _read_head(
    response: aiohttp.ClientResponse, policy: EgressPolicy, kept: bytearray
) -> bool:
    """Read the answer's body into `kept` up to the policy's bound.

    Return whether there was more of it.
    """
    read = 0
    while chunk := await response.content.readany():
        read += len(chunk)
        if len(kept) < policy.answer_keep_max:
            kept += chunk[: policy.answer_keep_max - len(kept)]
        if read > policy.answer_read_max:
            response.close()  # the connection goes too: what is still on its way would cost more than a new one
            return True
    return read > len(kept)


async def _read_shown(response: aiohttp.ClientResponse, policy: EgressPolicy) -> tuple[bytes, bool]:
    """Return the body of an answer for display, without waiting for it long, and whether it was
    cut."""
    kept = bytearray()
    # Closing wakes the reader. A body that is complete, as it mostly is, needs no such limit.
    limit = (
        None
        if response.content.is_eof()
        else asyncio.get_running_loop().call_later(BODY_WAIT_S, response.close)
    )
    try:
        is_cut = await _read_head(response, policy, kept)
    except (aiohttp.ClientError, OSError, ValueError):
        is_cut = True
    finally:
        if limit is not None:
            limit.cancel()
    return bytes(kept), is_cut
