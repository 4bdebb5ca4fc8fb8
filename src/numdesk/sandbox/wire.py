"""The shapes of the sandbox API: strict JSON in, plain JSON out.

Refusals are {"error": {"code", "message"}}.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from numdesk.domain.errors import (
    BodyTooLarge,
    InvalidInput,
    NotFound,
    NotPermitted,
    Refusal,
    TooManyRequests,
    Unavailable,
)
from numdesk.domain.money import AMOUNT_MAX

#: Body limit in bytes; every call of this API fits.
BODY_BYTES_MAX = 64 * 1024
#: Outcomes that one call may script.
OUTCOMES_MAX = 1000

_STATUSES: dict[type[Refusal], int] = {
    NotFound: 404,
    InvalidInput: 422,
    BodyTooLarge: 413,
    NotPermitted: 403,
    TooManyRequests: 429,
    Unavailable: 503,
}
_STATUS_OTHERWISE = 409

Text = Annotated[str, Meta(min_length=1, max_length=10_000)]
Digits = Annotated[str, Meta(pattern=r"^\+?[0-9]{7,15}$")]


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A body in which unknown fields are refused."""


class CustomerWanted(Strict, frozen=True):
    """The body of POST /customers. `balance` in minor units of the dialect's currency."""

    dialect: str
    balance: Annotated[int, Meta(ge=0, le=AMOUNT_MAX)] | None = None
    webhook_url: Annotated[str, Meta(max_length=2048)] | None = None


class MessageSent(Strict, frozen=True):
    """The body of POST /messages."""

    to: Digits
    text: Text
    sender: Annotated[str, Meta(min_length=1, max_length=64)] = msgspec.field(
        name="from", default="Sandbox"
    )


class CallPlaced(Strict, frozen=True):
    """The body of POST /calls."""

    to: Digits
    caller: Digits = msgspec.field(name="from")


class ClockMoved(Strict, frozen=True):
    """The body of POST /clock."""

    advance_s: float


class Faults(Strict, frozen=True):
    """The body of POST /faults."""

    provider: str
    next: Annotated[list[str], Meta(max_length=OUTCOMES_MAX)]


class RateSet(Strict, frozen=True):
    """The body of POST /rates. `rate` null removes the rate."""

    pair: str
    rate: Annotated[int, Meta(gt=0, le=AMOUNT_MAX)] | None


Body = TypeVar("Body", bound=Strict)


async def read_body(request: Request) -> bytes:
    """Return the body. Raises BodyTooLarge."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_BYTES_MAX:
            raise BodyTooLarge(limit_bytes=BODY_BYTES_MAX)
        parts.append(part)
    return b"".join(parts)


async def parse(request: Request, shape: type[Body]) -> Body:
    """Return the JSON body as `shape`. Raises InvalidInput and BodyTooLarge."""
    try:
        return msgspec.json.decode(await read_body(request), type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidInput(field="body", reason=str(error)) from error


async def parse_optional(request: Request, shape: type[Body]) -> Body:
    """Return the JSON body as `shape`; an empty body has every default.

    Raises InvalidInput and BodyTooLarge.
    """
    try:
        return msgspec.json.decode(await read_body(request) or b"{}", type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidInput(field="body", reason=str(error)) from error


def answer(value: object, *, status: int = 200) -> Response:
    """Return a JSON response."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def refuse(status: int, code: str, message: str) -> Response:
    """Return a refusal as a response."""
    return answer({"error": {"code": code, "message": message}}, status=status)


Handler = Callable[[Request], Awaitable[Response]]


def guarded(handler: Handler) -> Handler:
    """Return the handler with every refusal answered in this API's words."""

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except ClientDisconnect:
            return Response(status_code=400)  # the client is gone
        except Refusal as refusal:
            return refuse(
                _STATUSES.get(type(refusal), _STATUS_OTHERWISE), refusal.code, _sentence(refusal)
            )

    return handle


def _sentence(refusal: Refusal) -> str:
    match refusal:
        case InvalidInput():
            return f"{refusal.field}: {refusal.reason}"
        case NotFound() if refusal.what:
            return f"There is no {refusal.what}."
        case _:
            return str(refusal)


def json_of(text: str) -> Any:
    """Return JSON text decoded."""
    return msgspec.json.decode(text)
