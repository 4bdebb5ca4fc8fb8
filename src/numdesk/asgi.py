"""The HTTP application: finds the door of each request, gives it an id, and has the last word when everything else failed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus
from typing import TypeVar

import msgspec

from numdesk.dialects import Answer, Dialect, Header, Request, check_routes, is_parameter
from numdesk.dialects.door import Door, RequestIds, Shares, send_answer
from numdesk.domain.errors import TooManyRequests, Unavailable
from numdesk.kit.incoming.body import App, Message, Receive, Scope, Send
from numdesk.kit.incoming.proxies import ClientShares, TrustedProxies
from numdesk.kit.log import get_logger, request_id
from numdesk.kit.outgoing.addresses import peer_group
from numdesk.kit.remembered import Remembered
from numdesk.runtime import Runtime
from numdesk.usecases import ledger_check
from numdesk.usecases.desk import installation

Kept = TypeVar("Kept")

#: How long a stopping server waits for purchases and the like that are under way.
DRAIN_S = 20.0
#: How long one part may take to say how it is before we call ourselves not ready.
READY_S = 2.0

#: How long an answer of /readyz holds for those who ask next: it costs a look into the database.
READY_KEPT_S = 0.5

#: Says how one part of the installation is, or raises; shown by the operators' /readyz under its name.
Check = Callable[[], Awaitable[object]]

_TEXT: Header = (b"content-type", b"text/plain; charset=utf-8")

_log = get_logger("numdesk.http", "path")


class Node:
    """What may follow one segment of a path."""

    __slots__ = ("any", "doors", "named")

    def __init__(self) -> None:
        """Begin with nothing below and no door."""
        self.named: dict[str, Node] = {}
        self.any: Node | None = None
        self.doors: dict[str, Door] | None = None


class Tree:
    """Routes by path: exact ones in a dictionary, templates segment by segment. A path without parameters wins."""

    def __init__(self) -> None:
        """Begin without routes."""
        self._exact: dict[str, dict[str, Door]] = {}
        self._root = Node()

    def add(self, path: str, method: str, door: Door) -> None:
        """Puts a door behind a method and a path."""
        segments = path.split("/")
        if not any(is_parameter(segment) for segment in segments):
            self._exact.setdefault(path, {})[method] = door
            return
        node = self._root
        for segment in segments:
            if is_parameter(segment):
                node.any = node.any or Node()
                node = node.any
            else:
                node = node.named.setdefault(segment, Node())
        node.doors = node.doors or {}
        node.doors[method] = door

    def find(self, path: str) -> tuple[dict[str, Door] | None, tuple[str, ...]]:
        """Returns the doors by method behind a path (None when there are none) and what stood at its parameters."""
        doors = self._exact.get(path)
        if doors is not None:
            return doors, ()
        node = self._root
        params: tuple[str, ...] = ()
        for segment in path.split("/"):
            below = node.named.get(segment)
            if below is None:
                below = node.any
                if below is None or not segment:
                    return None, ()
                params = (*params, segment)
            node = below
        return node.doors, params


class Report(msgspec.Struct, frozen=True):
    """How every part of the installation is, and whether that is good enough to serve."""

    ready: bool
    checks: dict[str, object]


class Readiness:
    """Looks at every part of the installation that a request needs."""

    def __init__(self, rt: Runtime, checks: Mapping[str, Check] | None = None) -> None:
        """Look at the database, the ledger and the parts in `checks`."""
        self._rt = rt
        self._checks = {
            "database": self._check_database,
            "ledger": self._check_ledger,
            **(checks or {}),
        }
        self._report = Remembered(self._look, keep_s=READY_KEPT_S)

    async def look(self) -> Report:
        """Returns the report of now or of a moment ago."""
        return await self._report.get()

    async def _look(self) -> Report:
        parts: dict[str, object] = {}
        for name, check in self._checks.items():
            try:
                async with asyncio.timeout(READY_S):
                    parts[name] = await check()
            except Exception as error:  # noqa: BLE001 - whatever it is, this part is not ready
                parts[name] = {"ok": False, "error": type(error).__name__}
        return Report(not any(_is_bad(part) for part in parts.values()), parts)

    async def _check_database(self) -> object:
        """The database takes writes; one that can only be read serves nobody who buys."""
        await installation.check_writes(self._rt)
        return {"ok": True}

    async def _check_ledger(self) -> object:
        """How the last check of the ledger went, and how long ago; none yet is no reason to stay away, one that is too old is."""
        report = ledger_check.last_report(self._rt)
        if report is None:
            return {"ok": True, "checked": False}
        age_s = ledger_check.report_age_s(self._rt)
        ok = report.violations == 0 and age_s <= ledger_check.REPORT_AGE_MAX_S
        return {
            "ok": ok,
            "checked": True,
            "violations": report.violations,
            "age_s": round(age_s, 1),
        }


class HttpApp:
    """The ASGI application of one process. Dialects come first, then our own few paths, then what is mounted."""

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
        """Answers one request, or lives through the server's start and stop."""
        if scope["type"] != "http":
            await self._other(scope, receive, send)
            return
        if self._proxies is None or not scope["client"] or scope["client"][0] not in self._proxies:
            await self._answer(scope, receive, send)
            return
        said = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        client = self._proxies.client_of(scope["client"][0], said)
        scope["client"] = (client, 0)  # what every door below goes by, mounted ones too
        if client in self._proxies:  # nobody is named: this may be everybody
            await self._answer(scope, receive, send)
            return
        with self._shares.hold(peer_group(client)) as may_enter:
            await self._answer(scope, receive, send, is_over_share=not may_enter)

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, *, is_over_share: bool = False
    ) -> None:
        """Finds the door of one request and lets it in; refuses a client that has its share of requests under way."""
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
            await self._elsewhere(scope, receive, send, request)
            return
        door = doors.get(request.method) or (doors.get("GET") if request.method == "HEAD" else None)
        if door is None:
            owner = _owner_of(self._owners, request.path)
            await send_answer(
                send, owner.unknown(request, _allowed(doors)) if owner else _plain(405), request
            )
            return
        await door.enter(scope, receive, send, request)

    async def _elsewhere(
        self, scope: Scope, receive: Receive, send: Send, request: Request
    ) -> None:
        """Answers what no dialect has a route for."""
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
                await self._mounted(
                    app,
                    {**scope, "root_path": scope.get("root_path", "") + prefix},
                    receive,
                    send,
                    request,
                )
                return
        await send_answer(send, _plain(404), request)

    async def _mounted(
        self, app: App, scope: Scope, receive: Receive, send: Send, request: Request
    ) -> None:
        """Lets a mounted application answer, with our request id, and answers for it when it fails before it began."""
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
                "unreachable" if is_away else "fault",
                path=scope["root_path"],
                error=type(error).__name__,
                exc_info=error,
            )
            if has_begun:
                raise
            await send_answer(send, _plain(503 if is_away else 500), request)

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lives through start and stop; closes web sockets, which nothing here speaks."""
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
            return
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        late = await self._door_shares.finishing.drain(seconds=DRAIN_S)
        if late:
            _log.warning("unfinished", count=late)
        await send({"type": "lifespan.shutdown.complete"})

    async def _healthz(self) -> Answer:
        """The process runs and its event loop turns."""
        return Answer(200, b"ok\n", (_TEXT,))

    async def _readyz(self) -> Answer:
        """Says whether every part is able to serve, and no more: which one is not is told to operators only."""
        ready = (await self.readiness.look()).ready
        return Answer(200 if ready else 503, b"ready\n" if ready else b"unready\n", (_TEXT,))


def make_app(
    rt: Runtime,
    *,
    dialects: Iterable[Dialect],
    mounts: Mapping[str, App],
    checks: Mapping[str, Check] | None = None,
) -> HttpApp:
    """Returns the application: the dialects' routes, /healthz, /readyz, and applications by path prefix.

    `checks` adds parts to /readyz; a part that raises, or answers {"ok": False}, makes us not ready. Raises RouteClaimedTwice.
    """
    return HttpApp(rt, dialects=dialects, mounts=mounts, checks=checks or {})


def _plain(status: int, *headers: Header) -> Answer:
    """Returns an answer in nobody's dialect."""
    return Answer(status, f"{HTTPStatus(status).phrase}\n".encode("ascii"), (_TEXT, *headers))


def _allowed(doors: Mapping[str, Door]) -> tuple[str, ...]:
    """Returns the methods that a path knows; HEAD comes with GET."""
    return tuple(sorted({*doors, "HEAD"} if "GET" in doors else doors))


def _is_bad(part: object) -> bool:
    return isinstance(part, Mapping) and part.get("ok") is False


def _longest_first(by_prefix: Mapping[str, Kept]) -> list[tuple[str, Kept]]:
    return sorted(by_prefix.items(), key=lambda pair: -len(pair[0]))


def _owner_of(owners: Iterable[tuple[str, Dialect]], path: str) -> Dialect | None:
    """Returns the dialect that a path belongs to, also when it has no such route."""
    return next((dialect for prefix, dialect in owners if _is_below(path, prefix)), None)


def _is_below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(prefix + "/")
