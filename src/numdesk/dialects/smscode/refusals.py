"""Every refusal of the domain in the words of the smscode API: code, HTTP status, sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from numdesk.dialects import JSON_TYPE, Answer, Header, Request, retry_after
from numdesk.domain import errors
from numdesk.domain.customers import refusals as customer_refusals
from numdesk.domain.errors import Refusal
from numdesk.domain.orders import refusals as order_refusals
from numdesk.domain.stock import refusals as stock_refusals

#: The header of an answer that repeats the one stored under its idempotency key.
REPLAYED: Header = (b"idempotency-replayed", b"true")
#: Our names of fields, and the vendor's where they differ.
_FIELDS = {"url": "webhook_url", "secret": "webhook_secret"}
_NO_OFFER_DETAILS = {
    "catalogue_id": "catalog_product_id",
    "policy": "policy",
    "considered": "candidates_considered",
    "operator_id": "operator_id",
    "min_price": "min_price_idr",
    "max_price": "max_price_idr",
}

_encode = msgspec.json.Encoder().encode


def failure(
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
    return Answer(status, _encode({"success": False, "error": error}), (JSON_TYPE, *headers))


def _constant(
    status: int, code: str, message: str, *headers: Header
) -> Callable[[Any, Request], Answer]:
    """Return the answer of a refusal without fields."""
    answer = failure(status, code, message, headers=headers)
    return lambda _refusal, _request: answer


def _not_found(refusal: errors.NotFound, _request: Request) -> Answer:
    return failure(404, "NOT_FOUND", f"{(refusal.what or 'resource').capitalize()} not found")


def _invalid(refusal: errors.InvalidInput, _request: Request) -> Answer:
    name = _FIELDS.get(refusal.field, refusal.field)
    return failure(422, "VALIDATION_ERROR", f"{name}: {refusal.reason}", details={"field": name})


def _too_large(refusal: errors.BodyTooLarge, _request: Request) -> Answer:
    # The connection stays open: if it closed while the client still sends, a reset would lose the
    # answer.
    return failure(
        413, "PAYLOAD_TOO_LARGE", f"The body may have at most {refusal.limit_bytes} bytes"
    )


def _conflict(refusal: errors.StateForbids, _request: Request) -> Answer:
    state = f": {refusal.state}" if refusal.state else ""
    until = f" until {refusal.until.isoformat(timespec='seconds')}" if refusal.until else ""
    return failure(409, "CONFLICT", f"The order's state does not allow this{state}{until}")


def _too_early(refusal: order_refusals.CancelTooEarly, _request: Request) -> Answer:
    when = (
        refusal.allowed_at.isoformat(timespec="seconds")
        if refusal.allowed_at
        else "2 minutes after it was created"
    )
    return failure(409, "CANCEL_TOO_EARLY", f"The order can be canceled from {when}")


def _cancel_cap(refusal: order_refusals.CancelCapReached, _request: Request) -> Answer:
    return failure(
        429,
        "RATE_LIMIT_EXCEEDED",
        "Too many orders were canceled today",
        headers=(retry_after(refusal.retry_after_s),),
    )


def _short(refusal: errors.WalletShort, _request: Request) -> Answer:
    return failure(
        409,
        "INSUFFICIENT_BALANCE",
        f"The order needs {refusal.needed} IDR, the balance is {refusal.available} IDR",
    )


def _no_offer(refusal: stock_refusals.NoOffer, _request: Request) -> Answer:
    details = (
        {word: refusal.details.get(ours) for ours, word in _NO_OFFER_DETAILS.items()}
        if refusal.details
        else None
    )
    return failure(
        422,
        "NO_OFFER_AVAILABLE",
        "No offer matches product, price, operator and availability",
        details=details,
    )


def _supplier(refusal: order_refusals.SupplierFailed, _request: Request) -> Answer:
    details: dict[str, object] | None = None
    if refusal.by_catalogue:
        details = {
            "attempts": [
                {"product_id": offer, "provider": slug, "result": cause}
                for offer, slug, cause in refusal.attempts
            ]
        }
    elif refusal.attempts:
        details = {"cause_counts": dict(Counter(cause for _, _, cause in refusal.attempts))}
    headers = (REPLAYED,) if refusal.replayed else ()
    return failure(
        422,
        "PROVIDER_ERROR",
        "The supplier refused the request or failed",
        details=details,
        headers=headers,
    )


def _too_dear(refusal: order_refusals.PriceAboveCap, _request: Request) -> Answer:
    return failure(
        422,
        "VALIDATION_ERROR",
        f"max_price: the price is now {refusal.price} IDR",
        details={"field": "max_price"},
    )


def _too_many(refusal: errors.TooManyRequests, _request: Request) -> Answer:
    return failure(
        429,
        "RATE_LIMIT_EXCEEDED",
        "Too many requests",
        headers=(retry_after(refusal.retry_after_s),),
    )


def _banned(refusal: customer_refusals.GuardBanned, _request: Request) -> Answer:
    until = refusal.until.isoformat(timespec="seconds") if refusal.until else None
    wait = max(1, refusal.retry_after_s)
    return failure(
        429,
        "TEMP_BANNED_ABUSE_GUARD",
        "Ordering is closed for a while: too many orders ended without an SMS",
        details={"until": until, "tier": refusal.tier, "retry_after_seconds": wait},
        headers=(retry_after(wait),),
    )


def _no_rate(refusal: errors.RateUnavailable, _request: Request) -> Answer:
    pair = refusal.pair or "USD/IDR"
    return failure(
        503,
        "FX_RATE_UNAVAILABLE",
        f"{pair} exchange rate is unavailable",
        headers=(retry_after(refusal.retry_after_s),),
    )


def _closed(refusal: errors.Unavailable, _request: Request) -> Answer:
    return failure(
        503,
        "SERVICE_UNAVAILABLE",
        "The service is temporarily unavailable",
        headers=(retry_after(refusal.retry_after_s),),
    )


def _unknown_outcome(refusal: errors.OutcomeUnknown, _request: Request) -> Answer:
    message = (
        "It is not known yet whether this was done; "
        "repeat it with the same Idempotency-Key to get its result, or look at your orders first"
    )
    return failure(
        503, "SERVICE_UNAVAILABLE", message, headers=(retry_after(refusal.retry_after_s),)
    )


REFUSALS: Mapping[type[Refusal], Callable[[Any, Request], Answer]] = {
    errors.NotAuthenticated: _constant(
        401, "UNAUTHORIZED", "Authentication required", (b"www-authenticate", b"Bearer")
    ),
    errors.NotPermitted: _constant(403, "FORBIDDEN", "This account or token may not do this"),
    errors.NotFound: _not_found,
    errors.InvalidInput: _invalid,
    errors.BodyTooLarge: _too_large,
    errors.StateForbids: _conflict,
    order_refusals.CancelTooEarly: _too_early,
    order_refusals.CancelCapReached: _cancel_cap,
    errors.WalletShort: _short,
    errors.RequestInProgress: _constant(
        409, "REQUEST_IN_PROGRESS", "A request with this idempotency key is still running"
    ),
    errors.KeyReused: _constant(
        422, "IDEMPOTENCY_KEY_REUSED", "This idempotency key was used with another request"
    ),
    stock_refusals.NoOffer: _no_offer,
    order_refusals.SupplierFailed: _supplier,
    order_refusals.PriceAboveCap: _too_dear,
    errors.TooManyRequests: _too_many,
    customer_refusals.GuardBanned: _banned,
    errors.RateUnavailable: _no_rate,
    errors.Unavailable: _closed,
    errors.OutcomeUnknown: _unknown_outcome,
}


def unknown(_request: Request, allow: tuple[str, ...]) -> Answer:
    """Answer an unknown path, or (with `allow`) a method that the path does not have."""
    if allow:
        return failure(
            405,
            "NOT_FOUND",
            "This path has no such method",
            headers=((b"allow", ", ".join(allow).encode("ascii")),),
        )
    return failure(404, "NOT_FOUND", "Resource not found")


def broken(_request: Request) -> Answer:
    """Answer a program fault; the log has the details under the same request id."""
    return failure(500, "INTERNAL_ERROR", "Internal server error")
