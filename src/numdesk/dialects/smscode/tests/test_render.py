"""Tests of what the smscode API answers: closed shapes in the vendor's order, exact money, and that
its SDK reads them.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import httpx
from hypothesis import given
from hypothesis import strategies as st
from smscode._decode import decode_response
from smscode.models import parse_v2_fx
from smscode.money import parse_money
from smscode.resources import orders as sdk
from tests.support.smscode_keys import CAPABILITIES, CREATED, MONEY, STATUS, SUMMARY

from numdesk.dialects import Answer
from numdesk.dialects.smscode.render import (
    TOTAL_DECIMALS,
    amount,
    iso,
    order_status,
    order_summary,
    render_created,
    render_orders,
    webhook_config,
)
from numdesk.domain.fx import Rate
from numdesk.domain.orders.lifecycle import Order, State
from numdesk.domain.orders.outcomes import CreatedOrder, Document
from numdesk.domain.webhooks import Endpoint

NOW = datetime(2026, 3, 1, 12, 0, 30, 999_999, tzinfo=UTC)
RATE = Rate("USD/IDR", 16_250, NOW)

ORDER = Order(
    id=1,
    customer_id=1,
    dialect="smscode",
    state=State.ACTIVE,
    offer_id=142,
    catalogue_id=87,
    country_id=6,
    service_id=3,
    operator_id=None,
    operator_name=None,
    provider="local",
    provider_ref=None,
    msisdn=62_000_000_001,
    currency="IDR",
    price=15_000,
    cost=0,
    created_at=NOW,
    expires_at=NOW + timedelta(minutes=20),
    otp_code=None,
    otp_message=None,
    sms_revision=0,
    first_sms_at=None,
    resend_at=None,
    ended_at=None,
    failed_reason=None,
    reactivatable=True,
    number_free=True,
    revision=1,
)
EPOCH = int(NOW.timestamp())
BORN = CreatedOrder(
    id=1,
    msisdn=62_000_000_001,
    price=15_000,
    offer=142,
    catalogue=87,
    created_at=EPOCH,
    expires_at=EPOCH + 1200,
)


def as_sdk(answer: Answer) -> Any:
    """Return the answer as the vendor's SDK unwraps it."""
    return decode_response(
        httpx.Response(
            answer.status, content=answer.body, headers={"content-type": "application/json"}
        )
    )


class TestAmount:
    """Money, booked in rupiah and shown in dollars."""

    def test_is_the_vendors_own_examples(self) -> None:
        """The published pairs: half-up at two decimals for totals and four for items, trailing
        zeros kept.
        """
        totals = [
            (500_000, 16_250, "30.77"),
            (515_000, 16_250, "31.69"),
            (1_250_000, 16_000, "78.13"),
            (0, 16_250, "0.00"),
            (1, 16_250, "0.01"),
        ]
        items = [
            (15_000, 16_250, "0.9231"),
            (750_000, 16_000, "46.8750"),
            (0, 16_250, "0.0000"),
            (1, 10**6, "0.0001"),
        ]
        for units, rate, shown in totals:
            total = amount(units, Rate("USD/IDR", rate, None), decimals=TOTAL_DECIMALS)
            assert total["amount"] == shown  # type: ignore[index]
        for units, rate, shown in items:
            assert amount(units, Rate("USD/IDR", rate, None))["amount"] == shown  # type: ignore[index]

    @given(st.integers(0, 10**12), st.integers(1, 10**6), st.sampled_from([2, 4]))
    def test_is_exact(self, units: int, rate: int, decimals: int) -> None:
        """Against exact rationals: the nearest decimal, halves up, and never zero for what is not
        zero.
        """
        shown = amount(units, Rate("USD/IDR", rate, None), decimals=decimals)
        assert isinstance(shown, dict)
        text = shown["amount"]
        step = Fraction(1, 10**decimals)
        assert len(text.partition(".")[2]) == decimals
        nearest = ((Fraction(units, rate) / step + Fraction(1, 2)).__floor__()) * step
        assert Fraction(text) == (max(nearest, step) if units else 0)
        assert parse_money(shown).canonical_amount == units

    @given(st.integers(1, 10**12), st.integers(1, 10**6))
    def test_agrees_with_decimal_arithmetic(self, units: int, rate: int) -> None:
        """A second way of computing gives the same text."""
        wanted = max(
            (Decimal(units) / rate).quantize(Decimal("0.0001"), ROUND_HALF_UP), Decimal("0.0001")
        )
        assert amount(units, Rate("USD/IDR", rate, None))["amount"] == f"{wanted:f}"  # type: ignore[index]

    def test_keeps_the_sign_of_a_debt(self) -> None:
        """A negative balance rounds by its magnitude and never reads minus zero."""
        assert amount(-15_000, RATE, decimals=2)["amount"] == "-0.92"  # type: ignore[index]
        assert amount(-1, Rate("USD/IDR", 10**6, None), decimals=2)["amount"] == "0.00"  # type: ignore[index]

    def test_is_an_integer_in_v1(self) -> None:
        """Without a rate an amount is its rupiah."""
        assert amount(15_000, None) == 15_000


class TestShapes:
    """Keys, all of them, no other, in the vendor's order."""

    def test_of_a_summary(self) -> None:
        """A listed order has 24 keys, and its amount four."""
        summary = order_summary(ORDER, now=NOW, rate=RATE)
        assert list(summary) == SUMMARY
        assert list(summary["amount"]) == MONEY

    def test_of_a_status(self) -> None:
        """An order for polling has 18 keys, no money among them."""
        assert list(order_status(ORDER, now=NOW)) == STATUS

    def test_of_a_created_order(self) -> None:
        """A created order has 20 keys; code, arrival and reason are always null."""
        data = json.loads(render_created(Document(orders=(BORN,))).body)["data"]
        assert list(data) == ["orders", "failed_count"]
        assert list(data["orders"][0]) == CREATED
        assert {
            data["orders"][0][key] for key in ("otp_code", "otp_received_at", "failed_reason")
        } == {None}

    def test_of_a_webhook_configuration(self) -> None:
        """The configuration has its five keys also when nothing is configured."""
        assert list(webhook_config(Endpoint())) == [
            "webhook_url",
            "webhook_secret",
            "webhook_disabled_at",
            "webhook_disabled_reason",
            "webhook_consecutive_failures",
        ]

    def test_of_an_empty_page(self) -> None:
        """v2 tells the rate also where there is no order, v1 has no meta at all."""
        assert json.loads(render_orders([], now=NOW, rate=RATE).body) == {
            "success": True,
            "data": [],
            "meta": {
                "fx": {"pair": "USD/IDR", "rate": 16_250, "rate_as_of": "2026-03-01T12:00:30+00:00"}
            },
        }
        assert json.loads(render_orders([], now=NOW, rate=None).body) == {
            "success": True,
            "data": [],
        }

    def test_of_times(self) -> None:
        """Whole seconds, cut and not rounded, with +00:00."""
        assert iso(NOW) == "2026-03-01T12:00:30+00:00"
        assert iso(None) is None


class TestCreated:
    """Answers made from recorded documents."""

    def test_repeats_the_same_bytes(self) -> None:
        """The same document gives the same answer at every replay."""
        document = Document(rate=16_250, rate_as_of=EPOCH, failed=1, orders=(BORN, BORN))
        assert render_created(document).body == render_created(document).body

    def test_agrees_with_reading_the_order(self) -> None:
        """What a create tells is what a read at the same moment tells."""
        born = json.loads(
            render_created(Document(rate=16_250, rate_as_of=EPOCH, orders=(BORN,))).body
        )["data"]["orders"][0]
        read = order_summary(ORDER, now=NOW, rate=RATE)
        assert born == {key: read[key] for key in born}

    def test_tells_a_rate_without_a_time(self) -> None:
        """A rate whose time was not recorded has null for it."""
        assert (
            json.loads(render_created(Document(rate=16_250)).body)["meta"]["fx"]["rate_as_of"]
            is None
        )


class TestCapabilities:
    """What may be done, moment by moment."""

    def may(self, order: Order, *, at: timedelta) -> dict[str, Any]:
        summary = order_summary(order, now=ORDER.created_at + at, rate=None)
        return {key: summary[key] for key in CAPABILITIES if summary[key]}

    def test_follows_the_vendors_table(self) -> None:
        """Fresh, past two minutes, after an SMS, cooling, completed, canceled, expired."""
        received = replace(ORDER, state=State.RECEIVED, first_sms_at=NOW, sms_revision=1)
        cooling = replace(received, state=State.RESENT, resend_at=NOW + timedelta(seconds=30))
        early, late = timedelta(seconds=10), timedelta(seconds=120)
        until = "2026-03-01T12:02:30+00:00"
        assert self.may(ORDER, at=early) == {
            "cancel_available_at": until,
            "replace_available_at": until,
        }
        assert self.may(ORDER, at=late) == {"can_cancel": True, "can_replace": True}
        assert self.may(received, at=late) == {"can_finish": True, "can_resend": True}
        assert self.may(cooling, at=early) == {
            "can_finish": True,
            "resend_available_at": "2026-03-01T12:01:00+00:00",
        }
        assert self.may(replace(received, state=State.COMPLETED, ended_at=NOW), at=late) == {
            "can_reactivate": True
        }
        for state in (State.CANCELED, State.EXPIRED):
            assert self.may(replace(ORDER, state=state, ended_at=NOW), at=late) == {}

    def test_tells_when_an_order_was_canceled(self) -> None:
        """Only a canceled order has a time of cancelling."""
        for state in State:
            summary = order_summary(replace(ORDER, state=state, ended_at=NOW), now=NOW, rate=None)
            assert (summary["canceled_at"] is not None) == (summary["status"] == "CANCELED")


class TestSdk:
    """The vendor's SDK reads what we write."""

    def test_reads_a_create(self) -> None:
        """Both versions of a create parse into orders with capabilities, money and rate."""
        v2 = sdk._decode_v2_create_result(
            as_sdk(
                render_created(Document(rate=16_250, rate_as_of=EPOCH, failed=2, orders=(BORN,)))
            ),
            "key",
        )
        assert (v2.failed_count, v2.orders[0].amount.amount, v2.fx.rate) == (2, "0.9231", 16_250)  # type: ignore[union-attr]
        v1 = sdk._decode_v1_create_result(as_sdk(render_created(Document(orders=(BORN,)))), "key")
        assert v1.orders[0].amount == 15_000

    def test_reads_a_page(self) -> None:
        """A page of orders parses in every state."""
        listed = [replace(ORDER, state=state, ended_at=NOW) for state in State]
        answer = as_sdk(render_orders(listed, now=NOW, rate=RATE))
        fx = parse_v2_fx(answer.meta["fx"])
        assert len(sdk._decode_v2_orders(answer.data, fx)) == len(State)
        assert len(
            sdk._decode_v1_orders(
                [order_status(order, now=NOW) for order in listed], label="active"
            )
        ) == len(State)
