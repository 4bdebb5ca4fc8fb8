"""Requests of the smscode API: bodies, paths and headers parsed to domain values.

Other values are refused by field.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from numdesk.dialects import Request
from numdesk.dialects.smscode.body import INT64_MAX, integer_of, read_object, text_of
from numdesk.domain.errors import InvalidInput, NotFound
from numdesk.domain.fx import PriceCap
from numdesk.domain.ids import SERIAL_MAX
from numdesk.domain.orders.lifecycle import QUANTITY_MAX, State
from numdesk.domain.stock.routing import Policy, Wish
from numdesk.domain.webhooks import SECRET_CHARS_MAX, URL_CHARS_MAX
from numdesk.usecases.orders.purchases import OrderRequest
from numdesk.usecases.orders.reactivation import ReactivateRequest


@dataclass(frozen=True, slots=True)
class Version:
    """One of the two APIs: v1 shows the ledger's rupiah, v2 shows them in dollars."""

    name: str
    #: The pair at whose rate amounts are shown, or None where they are shown as booked.
    shown: str | None


#: The only pair of v2.
DOLLARS = "USD/IDR"
V1 = Version("v1", None)
V2 = Version("v2", DOLLARS)
LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX = 20, 100
WAIT_S_MAX = 25
#: The vendor's five words for an order, and our states. An order without its supplier's answer
#: looks like one that waits, one that could not be filled like a canceled one; asking for one more
#: message puts an order back to waiting.
STATUS: Mapping[State, str] = {
    State.PENDING: "ACTIVE",
    State.ACTIVE: "ACTIVE",
    State.RECEIVED: "OTP_RECEIVED",
    State.RESENT: "ACTIVE",
    State.COMPLETED: "COMPLETED",
    State.CANCELED: "CANCELED",
    State.EXPIRED: "EXPIRED",
    State.FAILED: "CANCELED",
}
_STATES_BY_STATUS = {
    word: frozenset(state for state in State if STATUS[state] == word) for word in STATUS.values()
}
_CREATE_FIELDS = frozenset(
    {
        "product_id",
        "catalog_product_id",
        "quantity",
        "policy",
        "operator_id",
        "min_price",
        "max_price",
        "prefer_provider",
    }
)
#: Fields that steer the choice among offers have no meaning if the offer itself is given.
_ROUTING_FIELDS = ("max_price", "min_price", "prefer_provider", "policy", "operator_id")
_POLICIES = {policy.value: policy for policy in Policy}
_NO_WISH = Wish()
_encode = msgspec.json.Encoder().encode
_is_key = re.compile(rb"[A-Za-z0-9_-]{1,128}").fullmatch
_is_serial = re.compile(r"[0-9]{1,10}", re.ASCII).fullmatch
# Digits enough for the result of a client's own division; caps are compared as exact fractions.
_is_decimal = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,60})?", re.ASCII).fullmatch
_is_provider = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII).fullmatch


def parse_create(request: Request, version: Version) -> OrderRequest:
    """Return the order to create; refuses with InvalidInput."""
    data = read_object(request.body, allowed=_CREATE_FIELDS)
    offer_id, catalogue_id = integer_of(data, "product_id"), integer_of(data, "catalog_product_id")
    if (offer_id is None) == (catalogue_id is None):
        raise InvalidInput(
            field="product_id", reason="give exactly one of product_id and catalog_product_id"
        )
    quantity = integer_of(data, "quantity")
    if quantity is None:
        quantity = 1
    elif not 1 <= quantity <= QUANTITY_MAX:
        raise InvalidInput(field="quantity", reason=f"must be from 1 to {QUANTITY_MAX}")
    wish = _NO_WISH if catalogue_id is None else _wish(data, version)
    if catalogue_id is None:
        _check_unrouted(data)
    facts = (
        version.name,
        "create",
        offer_id,
        catalogue_id,
        quantity,
        wish.policy,
        wish.operator_id,
        _cap_text(wish.min_price),
        _cap_text(wish.max_price),
        wish.prefer_provider,
    )
    return OrderRequest(
        key=_key(request),
        fingerprint=_fingerprint(facts),
        offer_id=offer_id,
        catalogue_id=catalogue_id,
        quantity=quantity,
        wish=wish,
        show=version.shown,
    )


def parse_reactivate(request: Request, version: Version) -> ReactivateRequest:
    """Return the order whose number is to be bought again.

    Refuses with InvalidInput or NotFound.
    """
    data = read_object(request.body, allowed=frozenset({"id", "max_price"}))
    order_id = _order_id(data)
    cap = _cap(data, "max_price", version)
    return ReactivateRequest(
        key=_key(request),
        fingerprint=_fingerprint((version.name, "reactivate", order_id, _cap_text(cap))),
        order_id=order_id,
        max_price=cap,
        show=version.shown,
    )


def parse_order(request: Request) -> int:
    """Return the order id of a body of just `id`; refuses with InvalidInput or NotFound."""
    return _order_id(read_object(request.body, allowed=frozenset({"id"})))


def parse_order_path(request: Request) -> int:
    """Return the order id in the path; refuses an impossible one with NotFound."""
    text = request.params[0]
    if _is_serial(text) is None or int(text) > SERIAL_MAX:
        raise NotFound(what="order")
    return int(text)


def parse_webhook_change(request: Request) -> tuple[str | None, str | None]:
    """Return the new URL and secret, None for those that stay; refuses with InvalidInput."""
    data = read_object(request.body, allowed=frozenset({"webhook_url", "webhook_secret"}))
    url, secret = (
        text_of(data, "webhook_url", URL_CHARS_MAX),
        text_of(data, "webhook_secret", SECRET_CHARS_MAX),
    )
    if url is None and secret is None:
        raise InvalidInput(field="webhook_url", reason="give webhook_url, webhook_secret or both")
    return url, secret


def states_of(query: Mapping[str, str]) -> frozenset[State] | None:
    """Return the states behind the query's `status`, or None if absent.

    Refuses with InvalidInput.
    """
    word = query.get("status")
    if word is None:
        return None
    states = _STATES_BY_STATUS.get(word.upper())
    if states is None:
        raise InvalidInput(field="status", reason="must be one of " + ", ".join(_STATES_BY_STATUS))
    return states


def token_of(request: Request) -> bytes | None:
    """Return the bearer token, or None."""
    value = request.headers.get(b"authorization")
    if value is None or value[:7].lower() != b"bearer ":
        return None
    return value[7:].strip()


def _wish(data: Mapping[str, Any], version: Version) -> Wish:
    """Return the choice among the offers of a catalogue product."""
    if len(data) == 1:
        return _NO_WISH
    policy = data.get("policy")
    if policy is not None and (type(policy) is not str or policy not in _POLICIES):
        raise InvalidInput(field="policy", reason="must be cheapest or best_success")
    provider = data.get("prefer_provider")
    if provider is not None and (type(provider) is not str or _is_provider(provider) is None):
        raise InvalidInput(field="prefer_provider", reason="must be a provider code")
    return Wish(
        policy=Policy.CHEAPEST if policy is None else _POLICIES[policy],
        operator_id=integer_of(data, "operator_id"),
        min_price=_cap(data, "min_price", version),
        max_price=_cap(data, "max_price", version),
        prefer_provider=None if provider is None else provider.lower(),
    )


def _check_unrouted(data: Mapping[str, Any]) -> None:
    """Refuse routing fields beside product_id."""
    for name in _ROUTING_FIELDS:
        if data.get(name) is not None:
            raise InvalidInput(field=name, reason="goes with catalog_product_id only")


def _cap(data: Mapping[str, Any], name: str, version: Version) -> PriceCap | None:
    """Return a bound on the price: a number of rupiah in v1, a text of dollars in v2."""
    value = data.get(name)
    if value is None:
        return None
    if version.shown is None:
        if type(value) is not int or not 0 < value <= INT64_MAX:
            raise InvalidInput(field=name, reason="must be a positive integer (IDR)")
        return PriceCap(units=value)
    shown = Decimal(value) if type(value) is str and _is_decimal(value) else None
    if not shown:
        raise InvalidInput(
            field=name, reason='must be a positive decimal string (USD), such as "0.50"'
        )
    return PriceCap(shown=shown)


def _cap_text(cap: PriceCap | None) -> str | None:
    """Return a bound in one spelling, so that 0.5 and 0.50 are one request."""
    if cap is None:
        return None
    return str(cap.units) if cap.shown is None else format(cap.shown.normalize(), "f")


def _key(request: Request) -> str | None:
    """Return the idempotency key, or None; refuses with InvalidInput."""
    value = request.headers.get(b"idempotency-key")
    if value is None:
        return None
    if _is_key(value) is None:
        raise InvalidInput(field="Idempotency-Key", reason="must be 1 to 128 of A-Z a-z 0-9 _ -")
    return value.decode("ascii")


def _fingerprint(facts: tuple[object, ...]) -> bytes:
    """Return the fingerprint of a request's parsed facts; clients space their JSON differently."""
    return hashlib.sha256(_encode(facts)).digest()


def _order_id(data: Mapping[str, Any]) -> int:
    order_id = integer_of(data, "id")
    if order_id is None:
        raise InvalidInput(field="id", reason="is required")
    if not 1 <= order_id <= SERIAL_MAX:
        raise NotFound(what="order")
    return order_id
