"""Tests of what the partner API answers: closed shapes, keys in the vendor's order, money with two
decimals, times with Z.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from numdesk.dialects import Answer
from numdesk.dialects.partner import render
from numdesk.dialects.partner.money import money
from numdesk.dialects.partner.query import Turned
from numdesk.domain.pages import Page
from numdesk.domain.payments.topups import TopUp, TopUpState
from numdesk.usecases.ledger.wallets import Balances, HistoryLine

AT = datetime(2024, 1, 1, 10, 0, 0, 999_999, tzinfo=UTC)


def opaque(kind: str, serial: int) -> str:
    """Return an id that shows what it stands for."""
    return f"{kind}_{serial}"


def text_of(answer: Answer) -> str:
    """Return the body of a success."""
    assert answer.status == 200
    return answer.body.decode()


class TestPieces:
    """Amounts, times and pages."""

    @pytest.mark.parametrize(
        ("cents", "text"),
        [
            (0, b"0.00"),
            (5, b"0.05"),
            (2700, b"27.00"),
            (-2700, b"-27.00"),
            (-5, b"-0.05"),
            (100_050, b"1000.50"),
        ],
    )
    def test_money_has_two_decimals(self, cents: int, text: bytes) -> None:
        """Cents are written as euros, below nothing too."""
        assert bytes(money(cents)) == text

    def test_times_are_utc(self) -> None:
        """Any zone, any fraction of a second: whole seconds with Z."""
        assert render.iso(AT) == "2024-01-01T10:00:00Z"
        assert render.iso(AT.astimezone(timezone(timedelta(hours=5)))) == "2024-01-01T10:00:00Z"

    @pytest.mark.parametrize(("total", "pages"), [(0, 0), (1, 1), (50, 1), (51, 2)])
    def test_pages_are_counted(self, total: int, pages: int) -> None:
        """The last page may be short, and nothing has no page."""
        assert render.pagination(Turned(2, 50), total) == {
            "page": 2,
            "limit": 50,
            "total": total,
            "totalPages": pages,
        }


class TestWallet:
    """Answers about money."""

    def test_balance(self) -> None:
        """Total is balance and bonus, available is what of it is not reserved: the vendor's
        example.
        """
        assert text_of(render.balance(Balances("EUR", 100_050, 5000, 2500))) == (
            '{"success":true,"data":{"balance":1000.50,"balanceBonus":50.00,"currency":"EUR","total":1050.50,"reserved":25.00,'
            '"available":1025.50}}'
        )

    def test_transactions(self) -> None:
        """A charge is negative, and its metadata stand in the vendor's order."""
        line = HistoryLine(
            7,
            "charge",
            -2700,
            50_000,
            47_300,
            "Number rental: +34600000001",
            {"x": 1, "period": "7", "country": "Spain"},
            AT,
        )
        assert text_of(render.transactions(Page((line,), 1), Turned(1, 50), opaque)) == (
            '{"success":true,"data":[{"id":"tx_7","type":"charge","amount":-27.00,"currency":"EUR","balanceBefore":500.00,'
            '"balanceAfter":473.00,"description":"Number rental: '
            '+34600000001","metadata":{"country":"Spain","period":"7","x":1},'
            '"createdAt":"2024-01-01T10:00:00Z"}],"pagination":{"page":1,"limit":50,"total":1,"totalPages":1}}'
        )

    def test_invoice(self) -> None:
        """A top-up tells what is credited, what is to be paid and what is saved."""
        made = TopUp(
            id=1,
            public_id="inv_1",
            customer_id=1,
            dialect="partner",
            provider="cryptomus",
            currency="EUR",
            amount=50_000,
            final_amount=45_000,
            discount_bp=1000,
            state=TopUpState.AWAITING,
            created_at=AT,
            payment_url="https://pay.example/1",
            expires_at=AT,
        )
        assert text_of(render.invoice(made, replayed=False)) == (
            '{"success":true,"data":{"invoiceId":"inv_1","amount":500.00,"finalAmount":450.00,"discount":50.00,"discountPercent":10,'
            '"paymentUrl":"https://pay.example/1","expiresAt":"2024-01-01T10:00:00Z","status":"pending"}}'
        )
