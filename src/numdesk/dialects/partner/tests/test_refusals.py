"""Tests of the partner refusals: the code, the status and the details of each, under one request
id.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from numdesk.dialects import Answer, Request
from numdesk.dialects.partner.durations import AmbiguousDuration
from numdesk.dialects.partner.refusals import REFUSALS, broken, unknown
from numdesk.domain import errors
from numdesk.domain.customers import refusals as customer_refusals
from numdesk.domain.customers.callers import Caller, CustomerState
from numdesk.domain.errors import Refusal
from numdesk.domain.payments import refusals as payment_refusals
from numdesk.domain.rentals import refusals as rental_refusals
from numdesk.domain.stock import refusals as stock_refusals

OFFERED = (1, 3, 7)
PERIODS = ["1", "3", "7"]
EXPECTED: list[tuple[Refusal, int, str, dict[str, Any] | None]] = [
    (errors.NotAuthenticated(), 401, "INVALID_API_KEY", None),
    (errors.NotAuthenticated(cause="signature"), 401, "INVALID_SIGNATURE", None),
    (errors.NotAuthenticated(cause="timestamp"), 401, "TIMESTAMP_EXPIRED", None),
    (errors.NotPermitted(customer_state="pending"), 403, "ACCOUNT_PENDING", None),
    (errors.NotPermitted(customer_state="blocked"), 403, "ACCOUNT_BLOCKED", None),
    (errors.NotPermitted(customer_state="restricted"), 403, "SERVICE_NOT_ALLOWED", None),
    (errors.NotPermitted(reason="key lacks the scope spend"), 403, "SERVICE_NOT_ALLOWED", None),
    (errors.NotFound(what="rental"), 404, "NOT_FOUND", None),
    (errors.NotFound(what="country"), 400, "VALIDATION_ERROR", {"field": "country"}),
    (
        errors.InvalidInput(field="url", reason="is odd"),
        400,
        "VALIDATION_ERROR",
        {"field": "webhookUrl"},
    ),
    (
        rental_refusals.PeriodNotOffered(field="period", offered=OFFERED),
        400,
        "PERIOD_NOT_AVAILABLE",
        {"field": "period", "availablePeriods": PERIODS},
    ),
    (
        AmbiguousDuration(offered=OFFERED, readings=(1, 7)),
        400,
        "AMBIGUOUS_DURATION",
        {"field": "duration", "readings": ["1", "7"], "availablePeriods": PERIODS},
    ),
    (
        payment_refusals.TopUpTooSmall(minimum=10_000),
        400,
        "TOPUP_TOO_SMALL",
        {"field": "amount", "minimum": 100.0},
    ),
    (errors.BodyTooLarge(limit_bytes=5), 400, "VALIDATION_ERROR", {"field": "body"}),
    (errors.StateForbids(state="odd"), 400, "VALIDATION_ERROR", None),
    (rental_refusals.RentalNotActive(state="expired"), 400, "RENT_NOT_ACTIVE", None),
    (rental_refusals.RentalStillActive(state="active"), 400, "RENT_STILL_ACTIVE", None),
    (rental_refusals.NumberGone(), 400, "NUMBER_NOT_AVAILABLE", None),
    (
        errors.WalletShort(needed=5000, available=2550),
        400,
        "INSUFFICIENT_BALANCE",
        {"required": 50.0, "available": 25.5},
    ),
    (errors.RequestInProgress(), 400, "REQUEST_IN_PROGRESS", None),
    (errors.KeyReused(), 400, "VALIDATION_ERROR", None),
    (errors.RequestRepeated(), 400, "REPLAYED_REQUEST", None),
    (stock_refusals.NoOffer(), 400, "NO_NUMBERS_AVAILABLE", None),
    (rental_refusals.NoNumbers(), 400, "NO_NUMBERS_AVAILABLE", None),
    (
        rental_refusals.CountryClosed(country="Germany"),
        400,
        "COUNTRY_NOT_AVAILABLE",
        {"field": "country"},
    ),
    (errors.TooManyRequests(retry_after_s=0), 429, "RATE_LIMIT_EXCEEDED", None),
    (customer_refusals.GuardBanned(), 429, "RATE_LIMIT_EXCEEDED", None),
    (errors.RateUnavailable(pair="USD/EUR"), 503, "SERVICE_UNAVAILABLE", None),
    (errors.Unavailable(), 503, "SERVICE_UNAVAILABLE", None),
    (errors.OutcomeUnknown(), 503, "OUTCOME_UNKNOWN", None),
    (payment_refusals.GatewayUnavailable(provider="cryptomus"), 503, "SERVICE_UNAVAILABLE", None),
]


def request_of() -> Request:
    """Return a request that something is answered to."""
    return Request(
        {"client": None, "method": "GET", "path": "/api/v1/x", "query_string": b""},
        {},
        (),
        "beef-1",
    )


def body_of(answer: Answer) -> dict[str, Any]:
    """Return the body of an answer."""
    return json.loads(answer.body)


class TestRefusals:
    """Each refusal of the domain."""

    @pytest.mark.parametrize(
        ("refusal", "status", "code", "details"), EXPECTED, ids=lambda value: type(value).__name__
    )
    def test_has_its_code(
        self, refusal: Refusal, status: int, code: str, details: dict[str, Any] | None
    ) -> None:
        """Status, code and details are those of the vendor's table; the envelope has nothing
        else.
        """
        request = request_of()
        answer = REFUSALS[type(refusal)](refusal, request)
        body = body_of(answer)
        assert list(body) == ["success", "error", "requestId"]
        assert (
            answer.status,
            body["success"],
            body["error"]["code"],
            body["error"].get("details"),
        ) == (status, False, code, details)
        assert body["error"]["message"]
        assert "\n" not in body["error"]["message"]

    def test_are_all_there(self) -> None:
        """The table above holds every refusal of the dialect's."""
        assert {type(row[0]) for row in EXPECTED} == set(REFUSALS)

    def test_say_when_to_come_back(self) -> None:
        """Every 429 and 503 carries Retry-After as an integer of at least one."""
        for refusal, status, _, _ in EXPECTED:
            if status in (429, 503):
                wait = dict(REFUSALS[type(refusal)](refusal, request_of()).headers)[b"retry-after"]
                assert wait.isdigit()
                assert int(wait) >= 1

    @pytest.mark.parametrize(
        ("replay", "is_safe"), [("dedupe", True), ("reject", False), ("allow", False)]
    )
    def test_advise_to_send_a_signature_again_only_where_it_is_spent(
        self, replay: str, is_safe: bool
    ) -> None:
        """Of an unknown outcome: a customer for whom the same signed request would be done or
        refused again is not told to send it.
        """
        request = request_of()
        request.caller = Caller(
            1,
            1,
            CustomerState.ACTIVE,
            "partner",
            1,
            "EUR",
            frozenset(),
            frozenset(),
            (),
            None,
            None,
            None,
            options={"replay": replay},
        )
        message = body_of(REFUSALS[errors.OutcomeUnknown](errors.OutcomeUnknown(), request))[
            "error"
        ]["message"]
        assert ("send the same signed request again" in message) is is_safe
        assert "the same Idempotency-Key" in message

    def test_write_money_with_two_decimals(self) -> None:
        """Amounts in details look as they do everywhere."""
        answer = REFUSALS[errors.WalletShort](
            errors.WalletShort(needed=5000, available=2550), request_of()
        )
        assert b'"details":{"required":50.00,"available":25.50}' in answer.body


class TestRequestIds:
    """The id in every error."""

    def test_is_the_one_in_the_header(self) -> None:
        """The body's id is what the door then writes as x-request-id, however often an answer is
        made.
        """
        request = request_of()
        assert body_of(broken(request))["requestId"] == request.id == "req_beef-1"
        assert body_of(unknown(request, ()))["requestId"] == "req_beef-1"


class TestOthers:
    """What is refused outside the domain."""

    def test_unknown_calls(self) -> None:
        """A path that is not there is 404; a method that is not there says which are."""
        assert (
            unknown(request_of(), ()).status,
            body_of(unknown(request_of(), ()))["error"]["code"],
        ) == (404, "NOT_FOUND")
        answer = unknown(request_of(), ("GET", "HEAD"))
        assert (answer.status, dict(answer.headers)[b"allow"]) == (405, b"GET, HEAD")

    def test_faults(self) -> None:
        """The answer to a program fault has no details."""
        assert (broken(request_of()).status, body_of(broken(request_of()))["error"]) == (
            500,
            {"code": "INTERNAL_ERROR", "message": "Internal server error"},
        )
