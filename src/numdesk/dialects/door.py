"""The door of every dialect's routes: authenticate, authorise, limit the rate, run the handler.

This is the hottest Python code of the product, so it is plain ASGI: one Request and one Answer are
all that a request allocates here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import datetime

from numdesk.dialects import Answer, Dialect, Header, Request, Route
from numdesk.domain.customers.callers import Caller, check_call
from numdesk.domain.customers.refusals import GuardBanned
from numdesk.domain.errors import (
    BodyTooLarge,
    NotAuthenticated,
    NotPermitted,
    Refusal,
    TooManyRequests,
    Unavailable,
)
from numdesk.kit.incoming import body as bodies
from numdesk.kit.incoming.body import Receive, Scope, Send
from numdesk.kit.incoming.finishing import Finishing
from numdesk.kit.incoming.one_write import send_whole
from numdesk.kit.incoming.pacing import Pace
from numdesk.kit.incoming.request_metrics import tally_of
from numdesk.kit.log import get_logger, request_id
from numdesk.kit.outgoing.addresses import peer_group
from numdesk.kit.turns import Turns
from numdesk.runtime import Runtime
from numdesk.usecases.customers import callers, rate_limits

_NO_STORE: Header = (b"cache-control", b"no-store")
_BODILESS = frozenset({"GET", "HEAD", "DELETE"})
#: A customer's long requests that may wait while another long answer of the customer is made.
LONG_ANSWERS_WAITING_MAX = 32
#: Refusals that are delayed per address: an honest program meets few of them, an attacker
#: thousands.
_PACED = (BodyTooLarge, GuardBanned, NotAuthenticated, NotPermitted, TooManyRequests)

_log = get_logger("numdesk.http", "elapsed_ms", "method", "route", "status")
_level = logging.getLogger("numdesk.http")


class Shares:
    """State shared by all doors of one process.

    That is the unfinished writes, the turns for long answers, and the delay of refusals.
    """

    __slots__ = ("finishing", "long_answers", "refusals")

    def __init__(self) -> None:
        """Begin with nothing under way."""
        self.finishing: Finishing[Answer] = Finishing()
        self.long_answers: Turns[int] = Turns(1)
        self.refusals = Pace.of_refusals()


class Door:
    """The door of one route."""

    __slots__ = (
        "_bucket",
        "_dialect",
        "_failed_bucket",
        "_forbidden_bucket",
        "_has_body",
        "_is_body_signed",
        "_limit",
        "_refused_bucket",
        "_route",
        "_rt",
        "_shares",
        "_tally",
        "_window_s",
    )

    def __init__(self, rt: Runtime, dialect: Dialect, route: Route, shares: Shares) -> None:
        """Prepare everything that is the same for every request."""
        self._rt = rt
        self._dialect = dialect
        self._route = route
        self._shares = shares
        self._has_body = route.method not in _BODILESS
        self._is_body_signed = dialect.verify is not None and route.needs_caller
        self._bucket = f"{dialect.slug}.{route.group}"
        self._refused_bucket = f"{dialect.slug}.refused"
        self._failed_bucket = f"{dialect.slug}.failed"
        self._forbidden_bucket = f"{dialect.slug}.forbidden"
        self._limit = dialect.limits[route.group]
        self._window_s = dialect.windows_s.get(route.group, dialect.window_s)
        self._tally = tally_of(dialect.slug, route.operation)

    async def enter(self, scope: Scope, receive: Receive, send: Send, request: Request) -> None:
        """Answer one request."""
        started = time.perf_counter()
        request_id.set(request.id)
        try:
            answer = await self._answer(scope, receive, request)
        except bodies.ClientGone:
            return
        await send_answer(send, answer, request)
        took = time.perf_counter() - started
        self._tally.note(answer.status, took)
        if _level.isEnabledFor(
            logging.DEBUG
        ):  # a log line costs several times the request; metrics count all requests
            _log.debug(
                "request",
                method=request.method,
                route=self._route.path,
                status=answer.status,
                elapsed_ms=round(took * 1000, 1),
            )

    async def _answer(self, scope: Scope, receive: Receive, request: Request) -> Answer:
        """Return the handler's answer, or the refusal or fault in the dialect's words."""
        try:
            return await self._handle(scope, receive, request)
        except Refusal as refusal:
            return await self._refuse(refusal, request)
        except bodies.BodyTooLarge as error:
            return await self._refuse(BodyTooLarge(limit_bytes=error.bytes_max), request)
        except bodies.ClientGone:
            raise
        except OSError as error:  # a connection, a time-out, a full disk
            _log.error("dependency unreachable", route=self._route.path, error=type(error).__name__)
            return self._dialect.refuse(Unavailable(), request)
        except Exception as error:  # noqa: BLE001 - the last resort: no trace ever reaches a client
            _log.error(
                "request failed", route=self._route.path, error=type(error).__name__, exc_info=error
            )
            return self._dialect.broken(request)

    async def _refuse(self, refusal: Refusal, request: Request) -> Answer:
        """Return the refusal in the dialect's words, after a delay.

        The delay grows with the refusals of the address.
        """
        if isinstance(refusal, _PACED) and self._rt.settings.rate_limits:
            await self._shares.refusals.wait(peer_group(request.address))
        return self._dialect.refuse(refusal, request)

    async def _handle(self, scope: Scope, receive: Receive, request: Request) -> Answer:
        """Authenticate the request, then read its body and run the handler."""
        rt, route = self._rt, self._route
        request.body = b""
        if route.needs_caller:
            await self._authorise(scope, receive, request)
        else:
            rate_limits.admit(
                rt,
                subject=peer_group(request.address),
                bucket=self._bucket,
                limit=self._limit,
                window_s=self._window_s,
            )
        if self._has_body and not self._is_body_signed:
            request.body = await bodies.read_body(scope, receive, bytes_max=route.body_bytes_max)
        if route.is_long:
            return await self._answer_in_turn(request)
        if route.is_write:
            return await self._shares.finishing.start(
                asyncio.get_running_loop().create_task(route.handler(rt, request))
            )
        return await route.handler(rt, request)

    async def _answer_in_turn(self, request: Request) -> Answer:
        """Run the handler at the customer's turn for a long answer.

        Refuses with TooManyRequests if too many are waiting.
        """
        turns, customer_id = self._shares.long_answers, request.caller.customer_id
        if turns.used(customer_id) > LONG_ANSWERS_WAITING_MAX:
            raise TooManyRequests(group="long answers", retry_after_s=1)
        async with turns.hold(customer_id):
            return await self._route.handler(self._rt, request)

    async def _authorise(self, scope: Scope, receive: Receive, request: Request) -> None:
        """Authenticate and authorise the caller, cheap checks first.

        Only an allowed call is verified. Before its signature is verified, a request is not counted
        against the customer, who may not be its sender, and the answer does not reveal the
        customer's state: a call that will be refused because of the state is counted for its key
        from its address, and verified up to a limit.
        """
        rt, dialect, route = self._rt, self._dialect, self._route
        token = dialect.credential(request) or b""
        caller = callers.remembered(rt, token, dialect=dialect.slug) or await self._authenticate(
            request, token
        )
        request.caller = caller
        refusal: Refusal | None = None
        try:
            check_call(
                caller,
                operation=route.operation,
                scope=route.scope,
                address=request.address,
                wall=rt.clock.wall,
            )
        except Refusal as refused:
            refusal = refused
            self._count_failure(request, self._forbidden_bucket)
        if dialect.verify is not None:
            rate_limits.refuse_exhausted(
                rt,
                subject=caller.customer_id,
                bucket=self._bucket,
                limit=self._limit,
                window_s=self._window_s,
            )
            request.body = await bodies.read_body(scope, receive, bytes_max=route.body_bytes_max)
            self._verify(request, dialect.verify)
        if refusal is not None:
            raise refusal
        rate_limits.admit(
            rt,
            subject=caller.customer_id,
            bucket=self._bucket,
            limit=self._limit,
            window_s=self._window_s,
        )

    async def _authenticate(self, request: Request, token: bytes) -> Caller:
        """Return the caller.

        Refuses with NotAuthenticated, and repeated failures of an address with TooManyRequests.
        """
        rt = self._rt
        try:
            return await callers.authenticate(rt, token, dialect=self._dialect.slug)
        except NotAuthenticated:
            self._count_address_failure(request)
            raise

    def _verify(
        self, request: Request, verify: Callable[[Request, Caller, datetime], None]
    ) -> None:
        """Verify the signature of the caller's key, and refuse as `_authenticate` does.

        Failures count for this key from this address, and above the limit no signature is computed:
        a caller who knows only the public half of a key costs no processor time and, from another
        address, none of the customer's own requests.
        """
        rt, dialect = self._rt, self._dialect
        rate_limits.refuse_exhausted(
            rt,
            subject=_key_and_address(request),
            bucket=self._failed_bucket,
            limit=dialect.refused_limit,
            window_s=dialect.window_s,
        )
        try:
            verify(request, request.caller, rt.clock.wall())
        except NotAuthenticated:
            self._count_failure(request, self._failed_bucket)
            self._count_address_failure(request)
            raise

    def _count_failure(self, request: Request, bucket: str) -> None:
        """Count a failure of the key from the address.

        Refuses with TooManyRequests above the limit.
        """
        dialect = self._dialect
        rate_limits.admit(
            self._rt,
            subject=_key_and_address(request),
            bucket=bucket,
            limit=dialect.refused_limit,
            window_s=dialect.window_s,
        )

    def _count_address_failure(self, request: Request) -> None:
        """Count a failure of the address under any key.

        Refuses with TooManyRequests above the limit.
        """
        dialect, subject = self._dialect, peer_group(request.address)
        rate_limits.admit(
            self._rt,
            subject=subject,
            bucket=self._refused_bucket,
            limit=dialect.refused_limit,
            window_s=dialect.window_s,
        )


def _key_and_address(request: Request) -> str:
    """Return the key under which failures before authentication are counted."""
    return f"{request.caller.key_id} {peer_group(request.address)}"


async def send_answer(send: Send, answer: Answer, request: Request) -> None:
    """Send the answer with the headers of every answer."""
    body = answer.body
    await send_whole(
        send,
        status=answer.status,
        common=answer.headers,
        own=(
            _NO_STORE,
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", request.id.encode("ascii")),
        ),
        body=b"" if request.method == "HEAD" else body,
    )
