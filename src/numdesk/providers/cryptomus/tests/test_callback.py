"""A callback is believed when it is signed, and then only for whose payment it is about."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdesk.ports.payments import CallbackRefused, PaymentHint
from numdesk.protocols.json_tokens import read_object, write_php
from numdesk.providers.cryptomus.callback import read_callback
from numdesk.providers.cryptomus.wire import sign

KEY = "test_payment_key_0123456789"
UUID = "62f88b36-a9d5-4fa6-aa26-e040c3dbf26d"
HINT = PaymentHint(reference="topup-42", invoice_id=UUID, payment_id=UUID)

#: Written and signed by PHP 8.2 itself.
SIGNED = (
    r'{"type":"payment","uuid":"62f88b36-a9d5-4fa6-aa26-e040c3dbf26d","order_id":"topup-42","amount":"10.00000000",'
    r'"payment_amount":"10.00000000","payment_amount_usd":"10.00","merchant_amount":"9.80000000","commission":"0.20000000",'
    r'"is_final":true,"status":"paid","from":null,"wallet_address_uuid":null,"network":"tron","currency":"USD","payer_currency":"USDT",'
    r'"additional_data":"Кошелёк\/42","txid":"6f0d9c8374db57cac0d806251473de754f361c83a03cd805f74aa9da3193486b",'
    r'"sign":"369d4636f40f173b2bfdfdc584f55126"}'
)
ESCAPED = re.sub(r"[^\x00-\x7f]", lambda match: f"\\u{ord(match[0]):04x}", SIGNED)


def signed(document: dict[str, Any]) -> bytes:
    """Returns a document as the gateway would send it."""
    return write_php(
        {**document, "sign": sign(write_php(document, escape_unicode=False).encode(), key=KEY)},
        escape_unicode=False,
    ).encode()


def document(**changes: Any) -> dict[str, Any]:
    """Returns an honest callback, with changes; None leaves a member out."""
    whole = {
        "type": "payment",
        "uuid": UUID,
        "order_id": "topup-42",
        "status": "paid",
        "amount": "10.00",
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


class TestSign:
    """The signature of requests, against the vendor's own code."""

    @pytest.mark.parametrize(
        ("body", "signature"),
        [
            (b"", "60ff172f205c4323262c5ab11ebe6faa"),
            (
                b'{"amount":"10.00","currency":"USD","order_id":"topup-42"}',
                "bdcc4daa2f6a0ddae7c79f160921acf0",
            ),
        ],
    )
    def test_is_what_php_makes(self, body: bytes, signature: str) -> None:
        """An empty body is signed, too."""
        assert sign(body, key=KEY) == signature


class TestReadCallback:
    """What verifies."""

    @pytest.mark.parametrize(
        "text",
        [
            SIGNED,
            ESCAPED,
            ESCAPED.replace('","', '", "'),
            SIGNED.replace(r"\/", "/"),
            f" {SIGNED}\n",
        ],
    )
    def test_takes_every_way_to_write_what_was_signed(self, text: str) -> None:
        """Letters escaped on the way, spaces and plain slashes do not change what was signed."""
        assert read_callback(text.encode(), key=KEY) == HINT

    def test_takes_the_signature_wherever_it_stands(self) -> None:
        """The signature is cut out of the text as it came, from the front, the middle or the end,
        whatever else is called sign."""
        member = '"sign":"369d4636f40f173b2bfdfdc584f55126"'
        rest = SIGNED.replace(f",{member}", "")
        assert read_callback(rest.replace("{", "{" + member + ",", 1).encode(), key=KEY) == HINT
        assert (
            read_callback(rest.replace('"amount"', member + ',"amount"', 1).encode(), key=KEY)
            == HINT
        )
        nested = '{"type":"payment","uuid":"u","order_id":"o","convert":{"sign":"x"},"n":1.50e0}'
        text = nested[:-1] + f',"sign":"{sign(nested.encode(), key=KEY)}"}}'
        assert read_callback(text.encode(), key=KEY).reference == "o"

    def test_takes_a_text_that_php_would_write_otherwise(self) -> None:
        """What was signed as sent verifies as sent: plain slashes and escaped letters side by
        side."""
        text = r'{"type":"payment","uuid":"u","order_id":"o","a":"/ \u043a к"}'
        whole = text[:-1] + f',"sign":"{sign(text.encode(), key=KEY)}"}}'
        assert read_callback(whole.encode(), key=KEY).reference == "o"

    def test_keeps_numbers_as_they_stood(self) -> None:
        """A number that no float gives back verifies when its letters were escaped on the way."""
        text = r'{"type":"payment","uuid":"u","order_id":"o","n":[0.00001234,1.50,1e-7,-0],"a":"к"}'
        signature = sign(text.encode(), key=KEY)
        moved = text.replace("к", r"\u043a")[:-1] + f',"sign":"{signature}"}}'
        assert read_callback(moved.encode(), key=KEY).reference == "o"

    @given(st.dictionaries(st.text(max_size=8), st.text(max_size=12), max_size=5), st.booleans())
    def test_takes_whatever_was_signed(self, more: dict[str, str], escapes: bool) -> None:
        """Any honest callback verifies as sent and with its letters escaped, and keeps nothing but
        its ids."""
        whole = {**more, **document()}
        whole.pop("sign", None)
        text = write_php(read_object(signed(whole).decode()), escape_unicode=escapes)
        assert read_callback(text.encode(), key=KEY) == HINT


class TestRefusals:
    """What does not."""

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"null",
            b"[]",
            b'"sign"',
            b"{",
            b"{}",
            b"\xff{}",
            "\ufeff{}".encode(),
            b'{"sign":""}',
            b'{"sign":null}',
            b'{"sign":["369d4636f40f173b2bfdfdc584f55126"]}',
            b'{"sign":369}',
            b'{"sign":"369d4636f40f173b2bfdfdc584f55126"}',
            b'{"a":NaN,"sign":"369d4636f40f173b2bfdfdc584f55126"}',
            b'{"a":' + b"[" * 200 + b"]" * 200 + b',"sign":"369d4636f40f173b2bfdfdc584f55126"}',
            b"[" * 60_000,
            b'{"sign":"' + "ы".encode() * 32 + b'"}',
        ],
    )
    def test_refuses_what_is_no_callback(self, body: bytes) -> None:
        """Bytes that are no object with a signature are refused, and nothing else goes wrong."""
        with pytest.raises(CallbackRefused):
            read_callback(body, key=KEY)

    @pytest.mark.parametrize(
        "text",
        [
            SIGNED.replace("10.00000000", "99.00000000", 1),
            SIGNED.replace("topup-42", "topup-43"),
            SIGNED.replace('"paid"', '"paid_over"'),
            SIGNED.replace("true", "false"),
            SIGNED.replace('"from":null,', ""),
            SIGNED.replace("}", ',"more":1}'),
            SIGNED.replace("369d", "369e"),
        ],
    )
    def test_refuses_every_change(self, text: str) -> None:
        """One changed member is another document."""
        with pytest.raises(CallbackRefused, match="signature"):
            read_callback(text.encode(), key=KEY)

    def test_refuses_another_key(self) -> None:
        """Only the holder of the payment key speaks for the gateway."""
        with pytest.raises(CallbackRefused, match="signature"):
            read_callback(SIGNED.encode(), key=KEY + "x")

    def test_refuses_a_key_named_twice(self) -> None:
        """Two readers would take two values, so neither is taken."""
        with pytest.raises(CallbackRefused, match="twice"):
            read_callback(SIGNED.replace("{", '{"uuid":"other",', 1).encode(), key=KEY)

    def test_refuses_what_is_too_long(self) -> None:
        """A callback has some hundred bytes; one of 64 KiB and more is not looked at."""
        with pytest.raises(CallbackRefused, match="longer"):
            read_callback(signed(document(additional_data="x" * 65_536)), key=KEY)

    @pytest.mark.parametrize(
        "changes",
        [
            {"type": "payout"},
            {"type": "wallet"},
            {"type": None},
            {"uuid": None},
            {"uuid": ["u"]},
            {"uuid": ""},
            {"uuid": "u\n"},
            {"order_id": None},
            {"order_id": {"$gt": "x"}},
            {"order_id": True},
            {"order_id": "x" * 129},
        ],
    )
    def test_refuses_what_is_about_no_payment(self, changes: dict[str, Any]) -> None:
        """A rightly signed call about something else, or with ids that are none, is refused as
        well."""
        with pytest.raises(CallbackRefused):
            read_callback(signed(document(**changes)), key=KEY)

    @given(st.binary(max_size=200))
    def test_never_breaks(self, body: bytes) -> None:
        """Any bytes at all are refused in one way."""
        with pytest.raises(CallbackRefused):
            read_callback(body, key=KEY)

    def test_says_nothing_of_the_body(self) -> None:
        """A refusal names a rule; it repeats neither body nor key."""
        with pytest.raises(CallbackRefused) as caught:
            read_callback(SIGNED.replace("369d", "369e").encode(), key=KEY)
        assert str(caught.value) == "the signature is wrong"


def test_copies_are_known_by_what_was_signed() -> None:
    """However the bytes are spaced or escaped on their way, it is the same callback."""
    copies = (SIGNED, ESCAPED, SIGNED.replace('",', '",  '), SIGNED.replace("{", "{\n"))
    assert len({read_callback(copy.encode(), key=KEY).signed for copy in copies}) == 1
