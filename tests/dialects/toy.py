"""A dialect of some calls, for tests of what all dialects share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from numdesk.dialects import Answer, Dialect, Request, Route
from numdesk.domain import errors
from numdesk.domain.customers.callers import Caller, Scope
from numdesk.domain.errors import Refusal
from numdesk.runtime import Runtime

TEXT = ((b"content-type", b"text/plain"),)


def token_of(request: Request) -> bytes | None:
    """Returns the token in the header `token`."""
    return request.headers.get(b"token")


def _refuse(refusal: Refusal, _request: Request) -> Answer:
    extra = (
        ((b"retry-after", b"%d" % refusal.retry_after_s),)
        if isinstance(refusal, errors.TooManyRequests)
        else ()
    )
    return Answer(400, f"no: {refusal.code}".encode(), (*TEXT, *extra))


def _unknown(_request: Request, allow: tuple[str, ...]) -> Answer:
    return Answer(405 if allow else 404, ("not so: " + ",".join(allow)).encode(), TEXT)


def _broken(_request: Request) -> Answer:
    return Answer(500, b"sorry", TEXT)


@dataclass
class Toy:
    """The dialect, and what its handlers saw and did. `behaviour` is what POST /toy/do does."""

    behaviour: Callable[[Runtime, Request], Coroutine[Any, Any, Answer]]
    limit: int = 1000
    slug: str = "smscode"
    body_bytes_max: int = 100
    verify: Callable[[Request, Caller, datetime], None] | None = None
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    def dialect(self) -> Dialect:
        """Returns the manifest. The slug is one that customers can be registered for."""
        return Dialect(
            slug=self.slug, title="Toy", docs="https://example.com", currency="IDR", areas=frozenset(), prefixes=("/toy",), routes=(
                replace(self._route("POST", "/toy/do", self.behaviour, is_write=True), body_bytes_max=self.body_bytes_max),
                self._route("GET", "/toy/things/{id}", _echo),
                self._route("GET", "/toy/things/new", _new),
                self._route("GET", "/toy/things/{id}/parts/{part}", _echo),
                self._route("GET", "/toy/open", _echo, needs_caller=False),
                replace(self._route("GET", "/toy/long", self.behaviour), is_long=True),
            ), limits={"all": self.limit}, credential=token_of, refusals=dict.fromkeys(Refusal.__subclasses__(), _refuse),
            unknown=_unknown, broken=_broken, refused_limit=3, verify=self.verify)  # fmt: skip

    @staticmethod
    def _route(
        method: str,
        path: str,
        handler: Callable[[Runtime, Request], Coroutine[Any, Any, Answer]],
        *,
        is_write: bool = False,
        needs_caller: bool = True,
    ) -> Route:
        return Route(method=method, path=path, handler=handler, operation=path, scope=Scope.ORDER if is_write else Scope.READ, group="all",
                     is_write=is_write, needs_caller=needs_caller, summary="a toy")  # fmt: skip


async def _echo(_rt: Runtime, request: Request) -> Answer:
    return Answer(200, ("things: " + ",".join(request.params)).encode(), TEXT)


async def _new(_rt: Runtime, _request: Request) -> Answer:
    return Answer(200, b"new", TEXT)


async def done(_rt: Runtime, request: Request) -> Answer:
    """Answers with what was sent."""
    return Answer(200, request.body, TEXT)
