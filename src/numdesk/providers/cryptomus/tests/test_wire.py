"""What Cryptomus says, in our words; and what it may not say without being noticed."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from numdesk.ports.errors import ProviderError
from numdesk.ports.payments import PaymentStatus
from numdesk.providers import ProviderSettingRefused, read_settings
from numdesk.providers.cryptomus import PROVIDER
from numdesk.providers.cryptomus.settings import CryptomusSettings
from numdesk.providers.cryptomus.wire import STATUS, read_payment

#: An answer as the documentation shows it, with made-up ids.
ROW = {
    "uuid": "70b8db5c-b952-406d-af26-4e1c34c27f15", "order_id": "topup-42", "amount": "15.00", "payment_amount": "15.00",
    "payer_amount": "15.00", "discount_percent": None, "discount": "0.00000000", "payer_currency": "USDT", "currency": "USD",
    "merchant_amount": "14.70", "network": "tron_trc20", "address": "TXhfYSWt2oKRrHAJVJeYRuit6ZzKuoEKXj", "from": None, "txid": None,
    "payment_status": "paid", "status": "paid", "url": "https://pay.example.com/70b8db5c", "expired_at": "1689098133", "is_final": True,
    "created_at": "2023-07-11T20:23:52+03:00", "updated_at": "2023-07-11T21:24:17+03:00",
}  # fmt: skip


def row(**changes: Any) -> dict[str, Any]:
    """Returns an answer with changes."""
    return {**ROW, **changes}


class TestStatus:
    """The table of statuses."""

    @pytest.mark.parametrize(
        ("word", "status"),
        [
            ("process", "waiting"),
            ("check", "waiting"),
            ("confirm_check", "seen"),
            ("wrong_amount_waiting", "waiting"),
            ("paid", "paid"),
            ("paid_over", "paid"),
            ("wrong_amount", "underpaid"),
            ("cancel", "expired"),
            ("fail", "failed"),
            ("system_fail", "failed"),
            ("locked", "held"),
            ("refund_process", "refunding"),
            ("refund_paid", "refunded"),
            ("refund_fail", "paid"),
            ("something_new", "unknown"),
        ],
    )
    @pytest.mark.parametrize("is_final", [True, False, None])
    def test_goes_by_the_word_and_never_by_its_finality(
        self, word: str, status: str, is_final: bool | None
    ) -> None:
        """`is_final` may contradict the status and is not read.

        A new word decides nothing and is kept.
        """
        found = read_payment(row(status=word, is_final=is_final))
        assert (found.status, found.gateway_status) == (PaymentStatus(status), word)

    def test_is_read_from_either_name(self) -> None:
        """Where `status` is missing, `payment_status` says it."""
        assert read_payment(row(status=None, payment_status="locked")).status is PaymentStatus.HELD

    def test_every_status_of_ours_has_a_word(self) -> None:
        """There is nothing that this gateway can never say."""
        assert set(STATUS.values()) == set(PaymentStatus) - {PaymentStatus.UNKNOWN}


class TestReadPayment:
    """Amounts, ids and times."""

    def test_reads_the_documented_answer(self) -> None:
        """Every field that we use is where the documentation has it."""
        found = read_payment(ROW)
        assert (found.amount, found.due, found.paid, found.settled, found.fee) == (
            15,
            15,
            15,
            Decimal("14.70"),
            Decimal("0.3"),
        )
        assert found.changed_at == datetime(2023, 7, 11, 18, 24, 17, tzinfo=UTC)

    def test_reads_what_was_exchanged_on_the_way(self) -> None:
        """With a conversion we get its amount.

        The commission is then not told in the payer's coin.
        """
        found = read_payment(
            row(
                convert={
                    "to_currency": "BTC",
                    "commission": None,
                    "rate": "0.00003",
                    "amount": "0.00045",
                }
            )
        )
        assert (found.settled, found.settled_currency, found.fee) == (
            Decimal("0.00045"),
            "BTC",
            None,
        )

    @pytest.mark.parametrize(
        "name", ["uuid", "status", "currency", "amount", "payment_amount", "txid"]
    )
    def test_refuses_an_answer_with_a_broken_part(self, name: str) -> None:
        """A part that cannot be read is a broken answer, and not a payment of nothing: the work may
        have been done."""
        with pytest.raises(ProviderError) as caught:
            read_payment(row(**{name: 1, "payment_status": 1}))
        assert caught.value.unknown


class TestSettings:
    """What the operator tells."""

    def test_hide_the_key(self) -> None:
        """Neither repr nor text of the settings holds the key."""
        settings = CryptomusSettings(merchant="m", payment_key="hush-hush")
        assert "hush" not in f"{settings!r} {settings}"

    @pytest.mark.parametrize(
        "words",
        [
            {"base_url": "http://api.example.com"},
            {"merchant": "m"},
            {"payment_key": "hush-hush"},
            {"merchant": "m", "payment_key": "hush-ключ"},
            {"timeout_s": "0"},
            {"look_back_days": "-1"},
        ],
    )
    def test_are_refused_without_repeating_a_secret(self, words: dict[str, str]) -> None:
        """Settings that cannot work are told at the start."""
        with pytest.raises(ProviderSettingRefused) as caught:
            read_settings(PROVIDER, words)
        assert "hush" not in str(caught.value)

    def test_are_frozen_structs(self) -> None:
        """Settings do not change under a running gateway."""
        with pytest.raises(AttributeError):
            msgspec.structs.replace(CryptomusSettings()).merchant = "x"  # pyright: ignore[reportAttributeAccessIssue] - that is the point
