"""Every refusal of the domain in the words of the partner API:

HTTP status, code, sentence, request id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from numdesk.dialects import JSON_TYPE, Answer, Header, Request, retry_after
from numdesk.dialects.partner.durations import AmbiguousDuration
from numdesk.dialects.partner.money import money
from numdesk.domain import errors
from numdesk.domain.customers import refusals as customer_refusals
from numdesk.domain.customers.callers import Caller
from numdesk.domain.errors import Refusal
from numdesk.domain.payments import refusals as payment_refusals
from numdesk.domain.rentals import refusals as rental_refusals
from numdesk.domain.stock import refusals as stock_refusals

#: Our names of fields, and the vendor's where they differ.
_FIELDS = {"url": "webhookUrl", "webhook_url": "webhookUrl"}
#: The causes by which a refused signed request is described; the answer says no more.
_CAUSES = {
    "key": ("INVALID_API_KEY", "The API key is missing or unknown"),
    "signature": ("INVALID_SIGNATURE", "The signature is missing or does not match the request"),
    "timestamp": (
        "TIMESTAMP_EXPIRED",
        "X-Timestamp must be the time in milliseconds, at most 5 minutes off",
    ),
}
_STATES = {
    "pending": ("ACCOUNT_PENDING", "The account is waiting for approval"),
    "blocked": ("ACCOUNT_BLOCKED", "The account is blocked"),
}

_encode = msgspec.json.Encoder().encode


def failure(  # noqa: PLR0913 - the parts of one envelope
    request: Request,
    status: int,
    code: str,
    message: str,
    *,
    details: object = None,
    headers: tuple[Header, ...] = (),
) -> Answer:
    """Return the envelope of a failure; `details` are left out if there are none."""
    error: dict[str, object] = {"code": code, "message": message}
    if details is not None:
        error["details"] = details
    if not request.id.startswith("req_"):
        # the header x-request-id is written from it afterwards, with the same value
        request.id = f"req_{request.id}"
    return Answer(
        status,
        _encode({"success": False, "error": error, "requestId": request.id}),
        (JSON_TYPE, *headers),
    )


def _constant(status: int, code: str, message: str) -> Callable[[Any, Request], Answer]:
    """Return the answer of a refusal without fields."""
    return lambda _refusal, request: failure(request, status, code, message)


def _not_authenticated(refusal: errors.NotAuthenticated, request: Request) -> Answer:
    code, message = _CAUSES.get(refusal.cause, _CAUSES["key"])
    return failure(request, 401, code, message)


def _not_permitted(refusal: errors.NotPermitted, request: Request) -> Answer:
    code, message = _STATES.get(
        refusal.customer_state, ("SERVICE_NOT_ALLOWED", "This account or API key may not do this")
    )
    return failure(request, 403, code, message)


def _not_found(refusal: errors.NotFound, request: Request) -> Answer:
    if refusal.what == "country":  # a wrong parameter; 404 is for paths and ids
        known = f"; one of: {', '.join(refusal.known)}" if refusal.known else ""
        return failure(
            request,
            400,
            "VALIDATION_ERROR",
            f"country: is not known{known}",
            details={"field": "country"},
        )
    return failure(
        request, 404, "NOT_FOUND", f"{(refusal.what or 'resource').capitalize()} not found"
    )


def _invalid(refusal: errors.InvalidInput, request: Request) -> Answer:
    name = _FIELDS.get(refusal.field, refusal.field)
    return failure(
        request, 400, "VALIDATION_ERROR", f"{name}: {refusal.reason}", details={"field": name}
    )


def _too_large(refusal: errors.BodyTooLarge, request: Request) -> Answer:
    message = f"body: may have at most {refusal.limit_bytes} bytes"
    return failure(request, 400, "VALIDATION_ERROR", message, details={"field": "body"})


def _no_period(refusal: rental_refusals.PeriodNotOffered, request: Request) -> Answer:
    periods = list(map(str, refusal.offered))
    message = (
        f"This period is not offered; one of: {', '.join(periods)}"
        if periods
        else f"period: {refusal.reason}"
    )
    return failure(
        request,
        400,
        "PERIOD_NOT_AVAILABLE",
        message,
        details={"field": refusal.field or "period", "availablePeriods": periods},
    )


def _ambiguous(refusal: AmbiguousDuration, request: Request) -> Answer:
    periods = list(map(str, refusal.offered))
    readings = list(map(str, refusal.readings))
    message = (
        f"duration could mean the period {' or '.join(readings)}; send durationUnit, or period as "
        f"one of: {', '.join(periods)}"
    )
    details = {"field": "duration", "readings": readings, "availablePeriods": periods}
    return failure(request, 400, "AMBIGUOUS_DURATION", message, details=details)


def _short(refusal: errors.WalletShort, request: Request) -> Answer:
    details = {"required": money(refusal.needed), "available": money(refusal.available)}
    return failure(
        request,
        400,
        "INSUFFICIENT_BALANCE",
        "Insufficient balance for this operation",
        details=details,
    )


def _too_small(refusal: payment_refusals.TopUpTooSmall, request: Request) -> Answer:
    minimum = money(refusal.minimum)
    details = {"field": "amount", "minimum": minimum}
    return failure(
        request,
        400,
        "TOPUP_TOO_SMALL",
        f"The least amount for this provider is {bytes(minimum).decode()} EUR",
        details=details,
    )


def _closed_country(refusal: rental_refusals.CountryClosed, request: Request) -> Answer:
    message = f"Numbers of {refusal.country or 'this country'} cannot be rented yet"
    return failure(request, 400, "COUNTRY_NOT_AVAILABLE", message, details={"field": "country"})


def _state(refusal: errors.StateForbids, request: Request) -> Answer:
    return failure(
        request,
        400,
        "VALIDATION_ERROR",
        f"This cannot be done now{f': {refusal.state}' if refusal.state else ''}",
    )


def _wait(refusal: Any, request: Request) -> Answer:
    return failure(
        request,
        429,
        "RATE_LIMIT_EXCEEDED",
        "Too many requests; try again later",
        headers=(retry_after(refusal.retry_after_s),),
    )


def _closed(refusal: Any, request: Request) -> Answer:
    return failure(
        request,
        503,
        "SERVICE_UNAVAILABLE",
        "The service is temporarily unavailable",
        headers=(retry_after(refusal.retry_after_s),),
    )


def _advice(request: Request) -> str:
    """Return advice on sending a request of unknown outcome again without doing it twice."""
    caller: Caller | None = getattr(request, "caller", None)
    if caller is None:  # only a registration is not signed
        return "ask us before you send it again"
    if caller.options.get("replay", "dedupe") == "dedupe":
        return (
            "send the same signed request again, or sign it anew with the same Idempotency-Key, "
            "to get its result"
        )
    return (
        "sign it anew with the same Idempotency-Key to get its result; if you sent no such key, "
        "look at your rentals and top-ups first"
    )


def _unknown_outcome(refusal: errors.OutcomeUnknown, request: Request) -> Answer:
    message = f"It is not known yet whether this was done; {_advice(request)}"
    return failure(
        request, 503, "OUTCOME_UNKNOWN", message, headers=(retry_after(refusal.retry_after_s),)
    )


def _no_gateway(refusal: payment_refusals.GatewayUnavailable, request: Request) -> Answer:
    message = (
        f"{refusal.provider or 'The payment provider'} gives no invoice now; nothing was charged, "
        "try again later"
    )
    return failure(
        request, 503, "SERVICE_UNAVAILABLE", message, headers=(retry_after(refusal.retry_after_s),)
    )


_NO_NUMBERS = _constant(
    400, "NO_NUMBERS_AVAILABLE", "No number is available for these services now"
)

REFUSALS: Mapping[type[Refusal], Callable[[Any, Request], Answer]] = {
    errors.NotAuthenticated: _not_authenticated,
    errors.NotPermitted: _not_permitted,
    errors.NotFound: _not_found,
    errors.InvalidInput: _invalid,
    rental_refusals.PeriodNotOffered: _no_period,
    AmbiguousDuration: _ambiguous,
    payment_refusals.TopUpTooSmall: _too_small,
    errors.BodyTooLarge: _too_large,
    errors.StateForbids: _state,
    rental_refusals.RentalNotActive: _constant(400, "RENT_NOT_ACTIVE", "This rental is not active"),
    rental_refusals.RentalStillActive: _constant(
        400, "RENT_STILL_ACTIVE", "This rental is still active"
    ),
    rental_refusals.NumberGone: _constant(
        400, "NUMBER_NOT_AVAILABLE", "This number is no longer available"
    ),
    errors.WalletShort: _short,
    errors.RequestInProgress: _constant(
        400, "REQUEST_IN_PROGRESS", "The same request is still running"
    ),
    errors.KeyReused: _constant(
        400, "VALIDATION_ERROR", "Idempotency-Key: was used with another request"
    ),
    errors.RequestRepeated: _constant(
        400, "REPLAYED_REQUEST", "This signed request was received before; sign a new one"
    ),
    stock_refusals.NoOffer: _NO_NUMBERS,
    rental_refusals.NoNumbers: _NO_NUMBERS,
    rental_refusals.CountryClosed: _closed_country,
    errors.TooManyRequests: _wait,
    customer_refusals.GuardBanned: _wait,
    errors.RateUnavailable: _closed,
    errors.Unavailable: _closed,
    errors.OutcomeUnknown: _unknown_outcome,
    payment_refusals.GatewayUnavailable: _no_gateway,
}


def unknown(request: Request, allow: tuple[str, ...]) -> Answer:
    """Answer an unknown path, or (with `allow`) a method that the path does not have."""
    if allow:
        headers: tuple[Header, ...] = ((b"allow", ", ".join(allow).encode("ascii")),)
        return failure(
            request, 405, "NOT_FOUND", "This endpoint has no such method", headers=headers
        )
    return failure(request, 404, "NOT_FOUND", "Endpoint not found")


def broken(request: Request) -> Answer:
    """Answer a program fault; the log has the details under the same request id."""
    return failure(request, 500, "INTERNAL_ERROR", "Internal server error")
