"""The HTTP application: find each request's door, give it an id, answer when all else failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import TypeVar

from numdesk.asgi.readiness import Check, Readiness
from numdesk.asgi.tree import Tree
from numdesk.dialects import Answer, Dialect, Header, Request, check_routes
from numdesk.dialects.door import Door, Shares, send_answer
from numdesk.domain.errors import TooManyRequests, Unavailable
from numdesk.kit.incoming.body import App, Message, Receive, Scope, Send
from numdesk.kit.incoming.proxies import ClientShares, TrustedProxies
from numdesk.kit.incoming.request_ids import RequestIds
from numdesk.kit.log import get_logger, request_id
from numdesk.kit.outgoing.addresses import peer_group
from numdesk.runtime import Runtime

Kept = TypeVar("Kept")

#: How long a stopping server waits for purchases and other uninterruptible work.
DRAIN_S = 20.0
_TEXT: Header = (b"content-type", b"text/plain; charset=utf-8")
_log = get_logger("numdesk.http", "path")


class HttpApp:
    """The ASGI application of one process.

    Routes of dialects come first, then the server's own paths, then mounted applications.
    """

    def __init__(
        self,
        rt: Runtime,
        *,
        dialects: Iterable[Dialect],
        mounts: Mapping[str, App],
        checks: Mapping[str, Check],
    ) -> None:
        """Make a door for every route. Raises RouteClaimedTwice."""
        dialects = tuple(dialects)
        check_routes(dialects)
        self._rt = rt
        self._ids = RequestIds()
        networks = rt.settings.trusted_proxies
        self._proxies = TrustedProxies(networks) if networks else None
        self._shares = ClientShares(each_max=rt.settings.connections_per_peer_max)
        self._door_shares = Shares()
        self._tree = Tree()
        for dialect in dialects:
            for route in dialect.routes:
                self._tree.add(
                    route.path, route.method, Door(rt, dialect, route, self._door_shares)
                )
        self._owners = _longest_first(
            {prefix: dialect for dialect in dialects for prefix in dialect.prefixes}
        )
        self._mounts = _longest_first({prefix.rstrip("/"): app for prefix, app in mounts.items()})
        self.readiness = Readiness(rt, checks)
        self._own = {"/healthz": self._healthz, "/readyz": self._readyz}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or handle the server's start and stop."""
        if scope["type"] != "http":
            await self._handle_lifespan(scope, receive, send)
            return
        if self._proxies is None or not scope["client"] or scope["client"][0] not in self._proxies:
            await self._answer(scope, receive, send)
            return
        forwarded = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        client = self._proxies.client_of(scope["client"][0], forwarded)
        scope["client"] = (client, 0)  # the client for every door below, mounted ones too
        if client in self._proxies:  # no client is named: the address stands for many clients
            await self._answer(scope, receive, send)
            return
        with self._shares.hold(peer_group(client)) as may_enter:
            await self._answer(scope, receive, send, is_over_share=not may_enter)

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, *, is_over_share: bool = False
    ) -> None:
        """Find the door of one request and enter it.

        Refuses a client whose share of concurrent requests is used up.
        """
        headers = dict(scope["headers"])
        doors, params = self._tree.find(scope["path"])
        request = Request(scope, headers, params, self._ids.accept(headers))
        if is_over_share:
            owner = _owner_of(self._owners, request.path)
            refusal = TooManyRequests(group="under way", retry_after_s=1)
            await send_answer(
                send, owner.refuse(refusal, request) if owner else _plain(503), request
            )
            return
        if doors is None:
            await self._answer_unrouted(scope, receive, send, request)
            return
        door = doors.get(request.method) or (doors.get("GET") if request.method == "HEAD" else None)
        if door is None:
            owner = _owner_of(self._owners, request.path)
            await send_answer(
                send, owner.unknown(request, _allowed(doors)) if owner else _plain(405), request
            )
            return
        await door.enter(scope, receive, send, request)

    async def _answer_unrouted(
        self, scope: Scope, receive: Receive, send: Send, request: Request
    ) -> None:
        """Answer a path that is not a dialect's route."""
        own = self._own.get(request.path)
        if own is not None:
            answer = (
                await own()
                if request.method in ("GET", "HEAD")
                else _plain(405, (b"allow", b"GET, HEAD"))
            )
            await send_answer(send, answer, request)
            return
        owner = _owner_of(self._owners, request.path)
        if owner is not None:
            await send_answer(send, owner.unknown(request, ()), request)
            return
        for prefix, app in self._mounts:
            if _is_below(request.path, prefix):
                await self._call_mounted(
                    app,
                    {**scope, "root_path": scope.get("root_path", "") + prefix},
                    receive,
                    send,
                    request,
                )
                return
        await send_answer(send, _plain(404), request)

    async def _call_mounted(
        self, app: App, scope: Scope, receive: Receive, send: Send, request: Request
    ) -> None:
        """Call a mounted application with our request id.

        Answers 5xx if it fails before its own answer begins.
        """
        request_id.set(request.id)
        has_begun = False

        async def send_with_id(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                message = {
                    **message,
                    "headers": [
                        *message.get("headers", ()),
                        (b"x-request-id", request.id.encode("ascii")),
                    ],
                }
            await send(message)

        try:
            await app(scope, receive, send_with_id)
        except Exception as error:
            is_away = isinstance(error, (Unavailable, OSError))
            _log.error(
                "dependency unreachable" if is_away else "request failed",
                path=scope["root_path"],
                error=type(error).__name__,
                exc_info=error,
            )
            if has_begun:
                raise
            await send_answer(send, _plain(503 if is_away else 500), request)

    async def _handle_lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle start and stop; close web sockets, which are not supported."""
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
            return
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        late = await self._door_shares.finishing.drain(seconds=DRAIN_S)
        if late:
            _log.warning("requests unfinished at the stop", count=late)
        await send({"type": "lifespan.shutdown.complete"})

    async def _healthz(self) -> Answer:
        """Answer that the process runs and its event loop turns."""
        return Answer(200, b"ok\n", (_TEXT,))

    async def _readyz(self) -> Answer:
        """Answer whether every part is ready; which part is not is shown to operators only."""
        ready = (await self.readiness.report()).ready
        return Answer(200 if ready else 503, b"ready\n" if ready else b"unready\n", (_TEXT,))


def make_app(
    rt: Runtime,
    *,
    dialects: Iterable[Dialect],
    mounts: Mapping[str, App],
    checks: Mapping[str, Check] | None = None,
) -> HttpApp:
    """Return the application: the dialects' routes, /healthz, /readyz, and mounts by path prefix.

    `checks` adds parts to /readyz; a part that raises, or returns {"ok": False}, makes the process
    not ready. Raises RouteClaimedTwice.
    """
    return HttpApp(rt, dialects=dialects, mounts=mounts, checks=checks or {})


def _plain(status: int, *headers: Header) -> Answer:
    """Return a plain-text answer outside all dialects."""
    return Answer(status, f"{HTTPStatus(status).phrase}\n".encode("ascii"), (_TEXT, *headers))


def _allowed(doors: Mapping[str, Door]) -> tuple[str, ...]:
    """Return the methods of a path; HEAD comes with GET."""
    return tuple(sorted({*doors, "HEAD"} if "GET" in doors else doors))


def _longest_first(by_prefix: Mapping[str, Kept]) -> list[tuple[str, Kept]]:
    return sorted(by_prefix.items(), key=lambda pair: -len(pair[0]))


def _owner_of(owners: Iterable[tuple[str, Dialect]], path: str) -> Dialect | None:
    """Return the dialect that owns a path, even if it has no route there."""
    return next((dialect for prefix, dialect in owners if _is_below(path, prefix)), None)


def _is_below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(prefix + "/")
