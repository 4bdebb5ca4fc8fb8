"""Tests of the smscode refusals: the right error of the vendor's SDK for each, with what it needs
to go on.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import httpx
import pytest
from smscode import errors as sdk
from smscode._decode import decode_response

from numdesk.dialects import Answer, Request
from numdesk.dialects.smscode.refusals import REFUSALS, broken, unknown
from numdesk.domain import errors
from numdesk.domain.customers import refusals as customer_refusals
from numdesk.domain.errors import Refusal
from numdesk.domain.orders import refusals as order_refusals
from numdesk.domain.stock import refusals as stock_refusals

REQUEST = Request(
    {"client": None, "method": "GET", "path": "/v1/x", "query_string": b""}, {}, (), "id"
)
UNTIL = datetime(2026, 3, 1, 16, 0, tzinfo=UTC)
EXPECTED: list[tuple[Refusal, type[sdk.SmscodeError], int]] = [
    (errors.NotAuthenticated(), sdk.UnauthorizedError, 401),
    (errors.NotPermitted(reason="customer is blocked"), sdk.ForbiddenError, 403),
    (errors.NotFound(what="order"), sdk.NotFoundError, 404),
    (errors.InvalidInput(field="quantity", reason="is odd"), sdk.ValidationError, 422),
    (errors.BodyTooLarge(limit_bytes=5), sdk.PayloadTooLargeError, 413),
    (errors.StateForbids(state="expired"), sdk.ConflictError, 409),
    (order_refusals.CancelTooEarly(allowed_at=UNTIL), sdk.CancelTooEarlyError, 409),
    (order_refusals.CancelCapReached(retry_after_s=3600), sdk.RateLimitError, 429),
    (errors.WalletShort(needed=2, available=1), sdk.InsufficientBalanceError, 409),
    (errors.RequestInProgress(), sdk.RequestInProgressError, 409),
    (errors.KeyReused(), sdk.IdempotencyKeyReuseError, 422),
    (stock_refusals.NoOffer(), sdk.NoOfferAvailableError, 422),
    (order_refusals.SupplierFailed(), sdk.ProviderError, 422),
    (order_refusals.PriceAboveCap(price=5), sdk.ValidationError, 422),
    (errors.TooManyRequests(retry_after_s=0), sdk.RateLimitError, 429),
    (
        customer_refusals.GuardBanned(until=UNTIL, tier="HARD", retry_after_s=14_400),
        sdk.TempBannedError,
        429,
    ),
    (errors.RateUnavailable(pair="USD/IDR"), sdk.FxRateUnavailableError, 503),
    (errors.Unavailable(), sdk.ServiceUnavailableError, 503),
    (errors.OutcomeUnknown(), sdk.ServiceUnavailableError, 503),
]


def raised(answer: Answer) -> sdk.SmscodeError:
    """Return what the SDK raises for an answer."""
    headers = [(name.decode(), value.decode()) for name, value in answer.headers]
    with pytest.raises(sdk.SmscodeError) as caught:
        decode_response(httpx.Response(answer.status, content=answer.body, headers=headers))
    return caught.value


def refuse(refusal: Refusal) -> Answer:
    """Return a refusal in the vendor's words."""
    return REFUSALS[type(refusal)](refusal, REQUEST)


class TestRefusals:
    """Each refusal of the domain."""

    @pytest.mark.parametrize(
        ("refusal", "error", "status"), EXPECTED, ids=[type(row[0]).__name__ for row in EXPECTED]
    )
    def test_is_the_sdks_own_error(
        self, refusal: Refusal, error: type[sdk.SmscodeError], status: int
    ) -> None:
        """The SDK raises the error that its users catch, with the vendor's status."""
        answer = refuse(refusal)
        assert (type(raised(answer)), answer.status) == (error, status)

    def test_are_all_there(self) -> None:
        """The table above holds every refusal of the dialect's."""
        assert {type(row[0]) for row in EXPECTED} == set(REFUSALS)

    def test_say_when_to_come_back(self) -> None:
        """Every 429 and 503 carries Retry-After as an integer of at least one: the SDK spins on
        zero.
        """
        for refusal, _, status in EXPECTED:
            if status in (429, 503):
                wait = dict(refuse(refusal).headers)[b"retry-after"]
                assert wait.isdigit()
                assert int(wait) >= 1

    def test_say_until_when_a_state_forbids(self) -> None:
        """What time alone will allow is told with the moment."""
        answer = REFUSALS[errors.StateForbids](
            errors.StateForbids(state="resend cooldown", until=UNTIL), REQUEST
        )
        assert b"resend cooldown until 2026-03-01T16:00:00+00:00" in answer.body

    def test_leave_out_absent_details(self) -> None:
        """An error has no `details` key where there are none."""
        assert list(json.loads(refuse(errors.KeyReused()).body)["error"]) == ["code", "message"]
        assert "details" not in json.loads(refuse(stock_refusals.NoOffer()).body)["error"]

    def test_tell_what_suppliers_answered(self) -> None:
        """An order by catalogue product lists the tries, one by tier counts the causes."""
        attempts = [
            (1, "local", "no_numbers"),
            (3, "simulator", "no_numbers"),
            (3, "simulator", "provider_error"),
        ]
        by_catalogue = raised(
            refuse(order_refusals.SupplierFailed(attempts=attempts, by_catalogue=True))
        )
        assert by_catalogue.details == {
            "attempts": [{"product_id": o, "provider": p, "result": c} for o, p, c in attempts]
        }
        by_tier = raised(refuse(order_refusals.SupplierFailed(attempts=attempts)))
        assert by_tier.details == {"cause_counts": {"no_numbers": 2, "provider_error": 1}}

    def test_tell_how_long_a_ban_lasts(self) -> None:
        """A ban names its end, its tier and the seconds."""
        ban = raised(
            refuse(customer_refusals.GuardBanned(until=UNTIL, tier="HARD", retry_after_s=14_400))
        )
        assert ban.details == {
            "until": "2026-03-01T16:00:00+00:00",
            "tier": "HARD",
            "retry_after_seconds": 14_400,
        }
        assert ban.retry_after_seconds == 14_400

    def test_tell_faults_apart_from_refusals(self) -> None:
        """A program fault is the SDK's InternalError without details."""
        assert type(raised(broken(REQUEST))) is sdk.InternalError
        assert type(raised(unknown(REQUEST, ()))) is sdk.NotFoundError
        assert type(raised(unknown(REQUEST, ("GET",)))) is sdk.NotFoundError
