"""Tests of amounts in requests of the partner API."""

from __future__ import annotations

import pytest
from tests.dialects.partner_requests import field_of, read, request_of

from numdesk.dialects.partner.money import cents_of
from numdesk.dialects.partner.wire import (
    parse_topup,
    read_object,
)
from numdesk.domain.errors import InvalidInput


class TestAmount:
    """Euros in JSON."""

    @pytest.mark.parametrize(
        ("sent", "cents"),
        [
            ("500", 50_000),
            ("500.00", 50_000),
            ("27.1", 2710),
            ("0.07", 7),
            ("1e3", 100_000),
            ("1111.11", 111_111),
        ],
    )
    def test_is_exact(self, sent: str, cents: int) -> None:
        """A number of euros is exactly its cents."""
        data = read_object(request_of(b'{"amount":%s,"provider":" Cryptomus "}' % sent.encode()))
        assert parse_topup(data) == (cents, "cryptomus")

    @pytest.mark.parametrize(
        "sent",
        [
            "0",
            "-5",
            "0.001",
            "1e400",
            "1e300",
            "null",
            '"500"',
            "true",
            "[]",
            "1.005",
            "99999999999999999",
        ],
    )
    def test_refuses_what_is_none(self, sent: str) -> None:
        """Nothing, less, fractions of cents, and more than there is."""
        with pytest.raises(InvalidInput) as refusal:
            parse_topup(
                read_object(request_of(b'{"amount":%s,"provider":"cryptomus"}' % sent.encode()))
            )
        assert field_of(refusal) == "amount"

    def test_takes_every_number_of_cents(self) -> None:
        """No amount of two decimals is misread by the double that it travels in."""
        assert all(
            cents_of(float(f"{cents // 100}.{cents % 100:02}"), field="amount") == cents
            for cents in range(1, 200_000, 7)
        )

    def test_needs_a_provider(self) -> None:
        """The provider is named when it is missing."""
        with pytest.raises(InvalidInput) as refusal:
            parse_topup(read(amount=500))
        assert field_of(refusal) == "provider"
