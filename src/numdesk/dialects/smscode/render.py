"""Answers of the smscode API: domain values as its JSON, in the vendor's keys and order.

All functions are pure. A `rate` of None means v1, with amounts as integers of rupiah; with a rate
an amount is a money object, and `meta.fx` contains the rate once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from numdesk.dialects import Answer
from numdesk.dialects.smscode.wire import DOLLARS, STATUS
from numdesk.domain.fx import SHOWN_DECIMALS, Rate, project
from numdesk.domain.orders.lifecycle import (
    CANCEL_SHOWN_AFTER,
    Order,
    capabilities,
    capabilities_hold_until,
)
from numdesk.domain.orders.outcomes import CreatedOrder, Document
from numdesk.domain.webhooks import Endpoint

#: Totals are shown with two decimals, single items with four.
TOTAL_DECIMALS = 2

_CANCEL_SHOWN_AFTER_S = int(CANCEL_SHOWN_AFTER.total_seconds())

_encode = msgspec.json.Encoder().encode

# Few prices make many rows, and exact arithmetic costs as much as rendering the rest of a row.
_shown = lru_cache(maxsize=16_384)(project)


def success(data: object, *, meta: Mapping[str, Any] | None = None) -> Answer:
    """Return the envelope of a success; `meta` is left out if there is none."""
    if meta is None:
        return Answer(200, _encode({"success": True, "data": data}))
    return Answer(200, _encode({"success": True, "data": data, "meta": meta}))


def fx_meta(rate: Rate | None) -> dict[str, Any] | None:
    """Return the `meta` with the rate, or None in v1."""
    return None if rate is None else {"fx": fx(rate)}


def fx(rate: Rate) -> dict[str, Any]:
    """Return a rate in v2's form."""
    return {"pair": rate.pair, "rate": rate.value, "rate_as_of": iso(rate.as_of)}


def v1_rate(rate: Rate) -> dict[str, Any]:
    """Return a rate in v1's form."""
    base, _, quote = rate.pair.partition("/")
    return {"pair": rate.pair, "base_currency": base, "quote_currency": quote, "rate": rate.value}


def amount(
    units: int, rate: Rate | None, *, decimals: int = SHOWN_DECIMALS
) -> int | dict[str, Any]:
    """Return an amount of rupiah: the integer, or the money object at this rate."""
    if rate is None:
        return units
    return {
        "amount": _shown(units, rate=rate.value, decimals=decimals),
        "currency": "USD",
        "canonical_amount": units,
        "canonical_currency": "IDR",
    }


class _Rendered(NamedTuple):
    """A rendered answer, and the facts that it depends on."""

    order: Order
    rate: Rate | None
    until: datetime
    answer: Answer


#: Rendered answers to reads that a process remembers.
RENDERED_MAX = 5_000
_rendered: dict[tuple[int, bool], _Rendered] = {}


def order_summary(order: Order, *, now: datetime, rate: Rate | None) -> dict[str, Any]:
    """Return an order as lists and read show it."""
    summary = {
        "id": order.id,
        "status": STATUS[order.state],
        "created_at": iso(order.created_at),
        "product_id": order.offer_id,
        "catalog_product_id": order.catalogue_id,
        "operator_id": order.operator_id,
        "operator_name": order.operator_name,
        "phone_number": phone(order.msisdn),
        "amount": amount(order.price, rate),
        "otp_code": order.otp_code,
        "otp_message": order.otp_message,
        "sms_revision": order.sms_revision,
        "otp_received_at": iso(order.first_sms_at),
        "expires_at": iso(order.expires_at),
        "canceled_at": iso(order.ended_at) if STATUS[order.state] == "CANCELED" else None,
        "failed_reason": order.failed_reason,
    }
    summary.update(order_capabilities(order, now=now))
    return summary


def order_answer(order: Order, *, now: datetime, rate: Rate | None) -> Answer:
    """Return the answer to a read of one order.

    The same order with the same capabilities is not rendered twice: clients poll.
    """
    key = (order.id, rate is None)
    kept = _rendered.get(key)
    if kept is not None and kept.order is order and kept.rate == rate and now < kept.until:
        return kept.answer
    if len(_rendered) >= RENDERED_MAX:
        _rendered.clear()
    answer = success(order_summary(order, now=now, rate=rate), meta=fx_meta(rate))
    _rendered[key] = _Rendered(order, rate, capabilities_hold_until(order, now=now), answer)
    return answer


def order_status(order: Order, *, now: datetime) -> dict[str, Any]:
    """Return an order for the polling call: no money, no number."""
    return {
        "id": order.id,
        "status": STATUS[order.state],
        "otp_code": order.otp_code,
        "otp_message": order.otp_message,
        "sms_revision": order.sms_revision,
        "otp_received_at": iso(order.first_sms_at),
        "expires_at": iso(order.expires_at),
        "failed_reason": order.failed_reason,
        "operator_id": order.operator_id,
        "operator_name": order.operator_name,
        **order_capabilities(order, now=now),
    }


def status_row(order: Order, *, now: datetime) -> msgspec.Raw:
    """Return `order_status` as bytes; encoded here so that a long list is encoded in slices."""
    return msgspec.Raw(_encode(order_status(order, now=now)))


def order_capabilities(order: Order, *, now: datetime) -> dict[str, Any]:
    """Return the capabilities of an order.

    Replacing is a cancel and a new order, so it follows the cancel.
    """
    may = capabilities(order, now=now)
    cancel_at = iso(may.cancel_available_at)
    return {
        "can_finish": may.finish,
        "can_resend": may.resend,
        "can_cancel": may.cancel,
        "can_replace": may.cancel,
        "can_reactivate": may.reactivate,
        "resend_available_at": iso(may.resend_available_at),
        "cancel_available_at": cancel_at,
        "replace_available_at": cancel_at,
    }


def render_created(document: Document) -> Answer:
    """Return the answer to a create or reactivate.

    The same document gives the same bytes at every replay.
    """
    rate = None
    if document.rate is not None:
        as_of = (
            None
            if document.rate_as_of is None
            else datetime.fromtimestamp(document.rate_as_of, UTC)
        )
        rate = Rate(DOLLARS, document.rate, as_of)
    orders = [_created_order(order, rate) for order in document.orders]
    return success({"orders": orders, "failed_count": document.failed}, meta=fx_meta(rate))


def _created_order(order: CreatedOrder, rate: Rate | None) -> dict[str, Any]:
    """Return an order at its creation, without a message or capabilities.

    Cancelling begins after two minutes.
    """
    cancel_at = _iso_epoch(order.created_at + _CANCEL_SHOWN_AFTER_S)
    return {
        "id": order.id,
        "status": "ACTIVE",
        "phone_number": phone(order.msisdn),
        "otp_code": None,
        "otp_received_at": None,
        "expires_at": _iso_epoch(order.expires_at),
        "failed_reason": None,
        "product_id": order.offer,
        "catalog_product_id": order.catalogue,
        "operator_id": order.operator,
        "operator_name": order.operator_name,
        "amount": amount(order.price, rate),
        "can_finish": False,
        "can_resend": False,
        "can_cancel": False,
        "can_replace": False,
        "can_reactivate": False,
        "resend_available_at": None,
        "cancel_available_at": cancel_at,
        "replace_available_at": cancel_at,
    }


def render_orders(listed: Iterable[Order], *, now: datetime, rate: Rate | None) -> Answer:
    """Return a page of orders; v2 contains the rate also on an empty page."""
    return success(
        [order_summary(order, now=now, rate=rate) for order in listed], meta=fx_meta(rate)
    )


def webhook_config(endpoint: Endpoint) -> dict[str, Any]:
    """Return a customer's webhook configuration, with the secret in clear text for its owner."""
    return {
        "webhook_url": endpoint.url,
        "webhook_secret": endpoint.secret,
        "webhook_disabled_at": iso(endpoint.disabled_at),
        "webhook_disabled_reason": endpoint.disabled_reason,
        "webhook_consecutive_failures": endpoint.consecutive_failures,
    }


def phone(msisdn: int | None) -> str | None:
    """Return a number with its plus."""
    return None if msisdn is None else f"+{msisdn}"


def iso(moment: datetime | None) -> str | None:
    """Return a time in whole seconds with `+00:00`, never `Z`."""
    return None if moment is None else moment.isoformat("T", "seconds")


@lru_cache(maxsize=1024)
def _iso_epoch(epoch_s: int) -> str:
    """Return a second of the Unix epoch as text; orders of one second share it."""
    return datetime.fromtimestamp(epoch_s, UTC).isoformat()
