"""The APIs we speak downstream: one folder per vendor API; parse, one use case, render; no SQL, no money sums.

What may live here: the contract that every dialect fulfils (this module), the door that all of them share (`door.py`), and one
folder per dialect, which knows no other dialect.
"""

from __future__ import annotations

import math
import pkgutil
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from typing import Any

from numdesk.domain import errors
from numdesk.domain.customers.callers import Caller, Scope
from numdesk.domain.errors import Refusal
from numdesk.ports.rendering import EventRenderer
from numdesk.runtime import Runtime

Header = tuple[bytes, bytes]

#: A call takes no more, unless its route says so: objects of a dozen short fields, whatever the spacing and the escapes.
BODY_BYTES_MAX = 8 * 1024
#: Refused credentials of one address per minute, before it is told to wait.
STRANGER_LIMIT = 600

JSON_TYPE: Header = (b"content-type", b"application/json")


class RouteClaimedTwice(RuntimeError):
    """Two routes claim one method and path; a fault of the program that stops the start."""


class Request:
    """One request at a dialect's door, as bytes. `headers` holds the last value of each name, `scope` all that the server knows.

    `address` is the client's, behind the operator's own proxies. `params` are the segments that stood at the `{...}` of the route's
    template. `form` is for a dialect's own steps to tell each other how the request was put (its `verify` sets it). `caller` is there
    once the door let somebody in, `body` once it was read.
    """

    __slots__ = (
        "address",
        "body",
        "caller",
        "form",
        "headers",
        "id",
        "method",
        "params",
        "path",
        "query",
        "scope",
    )

    caller: Caller
    body: bytes

    def __init__(
        self,
        scope: Mapping[str, Any],
        headers: Mapping[bytes, bytes],
        params: tuple[str, ...],
        id: str,  # noqa: A002
    ) -> None:
        """Look at what the server received; nothing is parsed before a handler asks."""
        client = scope["client"]
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: bytes = scope["query_string"]
        self.headers = headers
        self.params = params
        self.address: str = client[0] if client else ""
        self.form = ""
        self.id = id


class Answer:
    """What goes back: status, body, and headers beside the length and the request's id."""

    __slots__ = ("body", "headers", "status")

    def __init__(
        self, status: int, body: bytes, headers: tuple[Header, ...] = (JSON_TYPE,)
    ) -> None:
        """Answer with `body`; a body that is not JSON needs its own content-type among `headers`."""
        self.status = status
        self.body = body
        self.headers = headers


Handler = Callable[[Runtime, Request], Coroutine[Any, Any, Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One call: where it is found, who may make it, in which rate group it counts.

    `path` may hold segments such as `{id}`; a path without any wins over one with. `operation` is the call's name in a key's list
    of methods. With `is_write` the handler runs on when the client goes away in the middle. `body_bytes_max` is the longest body.
    With `is_long` the answer may list thousands, or look through as many: a customer gets one of those at a time, and the next waits.
    """

    method: str
    path: str
    handler: Handler
    operation: str
    scope: Scope
    group: str
    is_write: bool = False
    needs_caller: bool = True
    summary: str = ""
    body_bytes_max: int = BODY_BYTES_MAX
    is_long: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One vendor's API: everything the door must know about it.

    `areas` are those of the domain that it serves and that have refusals; `refusals` has an answer for each of theirs.
    `prefixes` are the paths whose unknown calls are answered in this dialect's words. `limits` are requests per group and window, shared
    by all keys of a customer; a window is `window_s` long, or as `windows_s` says for the group. `credential` finds the token in a
    request, None when there is none. Where requests are `signed`, a key has a secret and `verify` refuses, with NotAuthenticated, a
    request that does not bear its signature (the third argument is the real time). A narrower refusal that is
    not in `refusals` is answered as the one above it. `unknown` answers a path (`allow` empty) or a method that does not exist, `broken` a
    fault of ours. `customer_prefix` is how a customer's id begins where this API shows one.
    """

    slug: str
    title: str
    docs: str
    currency: str
    areas: frozenset[str]
    prefixes: tuple[str, ...]
    routes: tuple[Route, ...]
    limits: Mapping[str, int]
    credential: Callable[[Request], bytes | None]
    refusals: Mapping[type[Refusal], Callable[[Any, Request], Answer]]
    unknown: Callable[[Request, tuple[str, ...]], Answer]
    broken: Callable[[Request], Answer]
    renderer: EventRenderer | None = None
    stranger_limit: int = STRANGER_LIMIT
    window_s: int = 60
    windows_s: Mapping[str, int] = field(default_factory=dict)
    signed: bool = False
    verify: Callable[[Request, Caller, datetime], None] | None = None
    customer_prefix: str = ""

    def needed_refusals(self) -> tuple[type[Refusal], ...]:
        """Return the refusals to have an answer for: those of no area, and of the areas served."""
        modules = {errors.__name__, *(f"numdesk.domain.{area}.refusals" for area in self.areas)}
        for name in modules:
            import_module(name)
        return tuple(kind for kind in Refusal.__subclasses__() if kind.__module__ in modules)

    def refuse(self, refusal: Refusal, request: Request) -> Answer:
        """Returns the refusal in this dialect's words."""
        kinds = type(refusal).__mro__
        return next(self.refusals[kind] for kind in kinds if kind in self.refusals)(
            refusal, request
        )


def retry_after(seconds: float) -> Header:
    """Returns the header; never below one second, because a client that is told zero spins."""
    return (b"retry-after", b"%d" % max(1, math.ceil(seconds)))


def find_dialects() -> tuple[Dialect, ...]:
    """Returns the dialect of every folder here, by slug. Raises RouteClaimedTwice."""
    folders = [module.name for module in pkgutil.iter_modules(__path__) if module.ispkg]
    dialects = tuple(import_module(f"{__name__}.{folder}").DIALECT for folder in sorted(folders))
    check_routes(dialects)
    return dialects


def check_routes(dialects: Iterable[Dialect]) -> None:
    """Raises RouteClaimedTwice when two routes of the dialects are the same call."""
    owners: dict[tuple[str, str], str] = {}
    for dialect in dialects:
        for route in dialect.routes:
            call = (
                route.method,
                "/".join("{}" if is_parameter(part) else part for part in route.path.split("/")),
            )
            if call in owners:
                raise RouteClaimedTwice(
                    f"{route.method} {route.path} is claimed by {owners[call]} and {dialect.slug}"
                )
            owners[call] = dialect.slug


def is_parameter(segment: str) -> bool:
    """Does this segment of a template stand for any text?"""
    return segment.startswith("{") and segment.endswith("}")


def call_table(dialect: Dialect) -> str:
    """Returns the table of calls that the dialect's README must hold."""
    lines = [f"| call | scope | limit / {dialect.window_s} s | what it does |", "|---|---|---|---|"]
    lines += [
        f"| `{route.method} {route.path}` | {route.scope.name.lower()} | {route.group} {dialect.limits[route.group]} | {route.summary} |"
        for route in dialect.routes
    ]
    return "\n".join(lines) + "\n"
