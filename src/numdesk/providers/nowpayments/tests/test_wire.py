"""What NOWPayments says, in our words; and what it may not say without being noticed."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from numdesk.ports.errors import ProviderError
from numdesk.ports.payments import PaymentStatus
from numdesk.protocols.json_tokens import NumberToken, read_object
from numdesk.providers import ProviderSettingRefused, read_settings
from numdesk.providers.nowpayments import PROVIDER
from numdesk.providers.nowpayments.settings import NowPaymentsSettings
from numdesk.providers.nowpayments.wire import STATUS, number, read_payment, read_time

#: An answer as the documentation shows it, with made-up ids.
ROW = read_object(
    """{"payment_id":5524759814,"parent_payment_id":null,"invoice_id":4522625843,"payment_status":"finished",
    "pay_address":"TNDFkiSmBQorNFacb3735q8MnT29sn8BLn","payin_extra_id":null,"price_amount":5,"price_currency":"usd",
    "pay_amount":165.652609,"actually_paid":180,"pay_currency":"trx","order_id":"topup-42","order_description":"x/Кошелёк",
    "purchase_id":"4944856743","outcome_amount":178.9005,"outcome_currency":"trx","payout_hash":null,"payin_hash":"99f2",
    "created_at":"2021-04-12T14:22:54.942Z","updated_at":"2021-04-12T14:23:06.244Z","burning_percent":null,"type":"crypto2crypto"}"""
)


def row(**changes: Any) -> dict[str, Any]:
    """Returns an answer with changes."""
    return {**ROW, **changes}


class TestStatus:
    """The table of statuses."""

    @pytest.mark.parametrize(
        ("word", "status"),
        [
            ("waiting", "waiting"),
            ("confirming", "seen"),
            ("confirmed", "seen"),
            ("sending", "seen"),
            ("spending", "seen"),
            ("partially_paid", "underpaid"),
            ("finished", "paid"),
            ("failed", "failed"),
            ("refunded", "refunded"),
            ("expired", "expired"),
            ("something_new", "unknown"),
        ],
    )
    def test_translates_every_word(self, word: str, status: str) -> None:
        """Only finished is paid, confirmed is not settled.

        A new word decides nothing and is kept.
        """
        found = read_payment(row(payment_status=word), parent=None)
        assert (found.status, found.gateway_status) == (PaymentStatus(status), word)

    def test_says_nothing_that_is_not_there(self) -> None:
        """This gateway has no words for holding and for a refund on its way."""
        assert set(STATUS.values()) == set(PaymentStatus) - {
            PaymentStatus.HELD,
            PaymentStatus.REFUNDING,
            PaymentStatus.UNKNOWN,
        }


class TestReadPayment:
    """Amounts, ids and times."""

    def test_reads_the_documented_answer(self) -> None:
        """Every field that we use is where the documentation has it.

        Finished says nothing of how much came.
        """
        found = read_payment(ROW, parent=None)
        assert (found.payment_id, found.invoice_id, found.reference) == (
            "5524759814",
            "4522625843",
            "topup-42",
        )
        assert (found.amount, found.due, found.paid) == (
            Decimal(5),
            Decimal("165.652609"),
            Decimal(180),
        )
        assert (found.settled, found.settled_currency, found.payer_currency, found.currency) == (
            Decimal("178.9005"),
            "TRX",
            "TRX",
            "USD",
        )
        assert found.fee == (Decimal(180) - Decimal("178.9005")) * 5 / Decimal("165.652609")
        assert found.changed_at == datetime(2021, 4, 12, 14, 23, 6, 244000, tzinfo=UTC)

    def test_tells_a_deposit_in_another_coin(self) -> None:
        """Compared with its parent's coin, a deposit shows that it came by mistake.

        Then nothing was due in it.
        """
        child = row(parent_payment_id=NumberToken("5"), pay_currency="btc")
        assert read_payment(child, parent=row()).wrong_asset
        assert read_payment(child, parent=row()).due is None
        assert not read_payment(child, parent=row(pay_currency="btc")).wrong_asset
        assert not read_payment(child, parent=None).wrong_asset

    def test_tells_no_commission_in_another_coin(self) -> None:
        """What was exchanged on the way cannot be compared with what came."""
        assert read_payment(row(outcome_currency="eur"), parent=None).fee is None

    @pytest.mark.parametrize(
        "name",
        [
            "payment_id",
            "payment_status",
            "price_currency",
            "price_amount",
            "actually_paid",
            "payin_hash",
        ],
    )
    def test_refuses_an_answer_with_a_broken_part(self, name: str) -> None:
        """A part that cannot be read is a broken answer, and not a payment of nothing: the work may
        have been done."""
        with pytest.raises(ProviderError) as caught:
            read_payment(row(**{name: True}), parent=None)
        assert caught.value.unknown

    @pytest.mark.parametrize(
        ("text", "moment"),
        [
            (NumberToken("1618237386244"), datetime(2021, 4, 12, 14, 23, 6, 244000, tzinfo=UTC)),
            ("2021-04-12T14:23:06", datetime(2021, 4, 12, 14, 23, 6, tzinfo=UTC)),
            (NumberToken("1"), None),
        ],
    )
    def test_reads_both_kinds_of_time(self, text: object, moment: datetime | None) -> None:
        """Times come as text and as milliseconds; one that cannot be read is no time."""
        assert read_time(text) == moment

    @pytest.mark.parametrize(
        ("amount", "text"), [("450.00", "450.00"), ("1E+3", "1000"), ("0.00000015", "0.00000015")]
    )
    def test_writes_amounts_digit_by_digit(self, amount: str, text: str) -> None:
        """No amount goes through a float on its way out."""
        assert number(Decimal(amount)) == text


class TestSettings:
    """What the operator tells."""

    def test_hide_the_secrets(self) -> None:
        """Neither repr nor text of the settings holds a secret."""
        settings = NowPaymentsSettings(
            api_key="hush-1", ipn_secret="hush-2\n", email="hush-3", password="hush-4"
        )
        assert "hush" not in f"{settings!r} {settings}"
        assert settings.signing_key == "hush-2"

    @pytest.mark.parametrize(
        "words",
        [
            {"base_url": "http://api.example.com/v1"},
            {"api_key": "hush"},
            {"ipn_secret": "hush"},
            {"api_key": "hush", "ipn_secret": " \n"},
            {"api_key": "hush-ключ", "ipn_secret": "hush"},
            {"email": "hush@example.com"},
            {"timeout_s": "61"},
            {"look_back_days": "400"},
        ],
    )
    def test_are_refused_without_repeating_a_secret(self, words: dict[str, str]) -> None:
        """Settings that cannot work are told at the start."""
        with pytest.raises(ProviderSettingRefused) as caught:
            read_settings(PROVIDER, words)
        assert "hush" not in str(caught.value)
