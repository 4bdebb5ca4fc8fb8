"""The APIs of our customers: one folder per vendor API; no SQL and no sums of money.

A dialect parses, calls one use case, and renders. This module is the contract of every dialect,
`door.py` is the door that all of them share, and each other folder is one dialect, which knows no
other dialect.
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

#: The body limit of a call whose route sets none: a dozen short fields, with any spacing and
#: escapes.
BODY_BYTES_MAX = 8 * 1024
#: Refused credentials per address and minute; above it the address must wait.
REFUSED_LIMIT = 600

JSON_TYPE: Header = (b"content-type", b"application/json")


class RouteClaimedTwice(RuntimeError):
    """Two routes claim one method and path; a program fault that stops the start."""


class Request:
    """One request at a dialect's door, as bytes.

    `headers` holds the last value of each name, `scope` is the server's ASGI scope. `address` is
    the client's, behind the operator's own proxies. `params` are the path segments at the `{...}`
    of the route's template. `form` carries a dialect's note on the form of the request from one of
    its steps to another (its `verify` sets it). `caller` is set once the door has authenticated it,
    `body` once it was read.
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
        """Keep what the server received; handlers parse on demand."""
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
    """An answer: status, body, and headers besides the length and the request's id."""

    __slots__ = ("body", "headers", "status")

    def __init__(
        self, status: int, body: bytes, headers: tuple[Header, ...] = (JSON_TYPE,)
    ) -> None:
        """Answer with `body`; a body other than JSON needs its own content-type in `headers`."""
        self.status = status
        self.body = body
        self.headers = headers


Handler = Callable[[Runtime, Request], Coroutine[Any, Any, Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One call: its path, its scope and its rate group.

    `path` may hold segments such as `{id}`; a path without any wins over one with. `operation` is
    the call's name in a key's list of methods. With `is_write` the handler runs to its end even if
    the client disconnects. `body_bytes_max` is the body limit. With `is_long` the answer may list
    or search thousands of rows: a customer gets one of those at a time, the next one waits.
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
    """One vendor's API, as the door sees it.

    `areas` are the areas of the domain that it serves; `refusals` has an answer for each refusal of
    theirs. `prefixes` are the paths whose unknown calls are answered in this dialect's words.
    `limits` are requests per group and window, shared by all keys of a customer; a window is
    `window_s` long, or as `windows_s` says for the group. `credential` returns the token in a
    request, or None. Where requests are `signed`, a key has a secret, and `verify` refuses with
    NotAuthenticated a request without its signature (the third argument is the real time). A
    narrower refusal that is not in `refusals` is answered as its nearest parent. `unknown` answers
    an unknown path (`allow` empty) or method, `broken` a program fault. `customer_prefix` begins a
    customer's id where this API shows one.
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
    refused_limit: int = REFUSED_LIMIT
    window_s: int = 60
    windows_s: Mapping[str, int] = field(default_factory=dict)
    signed: bool = False
    verify: Callable[[Request, Caller, datetime], None] | None = None
    customer_prefix: str = ""

    def needed_refusals(self) -> tuple[type[Refusal], ...]:
        """Return the refusals that need an answer: those of no area and of the served areas."""
        modules = {errors.__name__, *(f"numdesk.domain.{area}.refusals" for area in self.areas)}
        for name in modules:
            import_module(name)
        return tuple(kind for kind in Refusal.__subclasses__() if kind.__module__ in modules)

    def refuse(self, refusal: Refusal, request: Request) -> Answer:
        """Return the answer to a refusal in this dialect's words."""
        kinds = type(refusal).__mro__
        return next(self.refusals[kind] for kind in kinds if kind in self.refusals)(
            refusal, request
        )


def retry_after(seconds: float) -> Header:
    """Return the Retry-After header, at least one second: after zero clients retry at once."""
    return (b"retry-after", b"%d" % max(1, math.ceil(seconds)))


def find_dialects() -> tuple[Dialect, ...]:
    """Return the dialect of every folder here, by slug. Raises RouteClaimedTwice."""
    folders = [module.name for module in pkgutil.iter_modules(__path__) if module.ispkg]
    dialects = tuple(import_module(f"{__name__}.{folder}").DIALECT for folder in sorted(folders))
    check_routes(dialects)
    return dialects


def check_routes(dialects: Iterable[Dialect]) -> None:
    """Raise RouteClaimedTwice if two routes of the dialects are the same call."""
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
    """Return whether this segment of a template matches any text."""
    return segment.startswith("{") and segment.endswith("}")


def call_table(dialect: Dialect) -> str:
    """Return the table of calls for the dialect's README."""
    lines = [f"| call | scope | limit / {dialect.window_s} s | what it does |", "|---|---|---|---|"]
    lines += [
        (
            f"| `{route.method} {route.path}` | {route.scope.name.lower()} | {route.group} "
            f"{dialect.limits[route.group]} | {route.summary} |"
        )
        for route in dialect.routes
    ]
    return "\n".join(lines) + "\n"
