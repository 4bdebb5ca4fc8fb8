"""The connections of one policy: an HTTP session whose names are looked up outside its time."""

import asyncio
import functools
import socket
import ssl
from contextvars import ContextVar

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from numdesk.kit.outgoing.lookups import Lookups
from numdesk.kit.outgoing.policy import EgressPolicy, HttpAnswer, HttpFailure
from numdesk.kit.outgoing.resolver import CheckedResolver
from numdesk.kit.outgoing.status_line import RememberingHandler, status_of
from numdesk.kit.turns import Turns

#: Requests under way to one host under one policy; the next waits for its turn, as long as a
#: connection may take. Hosts do not wait for each other: the sum over all of them is bounded by the
#: callers.
REQUESTS_PER_HOST_MAX = 128
#: An idle connection is kept this long; shorter than what common servers keep, so that they rarely
#: close first.
KEEP_ALIVE_S = 15.0
#: Bounds of an answer's head.
HEAD_LINE_BYTES_MAX = 8190
HEAD_LINES_MAX = 100


class Exchange:
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
current_exchange: ContextVar[Exchange] = ContextVar("exchange")


class _Handler(RememberingHandler):
    """Reads the answers of one connection, and is known to the exchange that waits for the next
    one."""

    def set_response_params(self, **params: object) -> None:
        """Begin with the answer to the current exchange."""
        current_exchange.get().connection = self
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
        exchange, started = current_exchange.get(), loop.time()
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


class Lane:
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
            # A request that waited for another's connection would look like a slow host.
            limit=0,
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
