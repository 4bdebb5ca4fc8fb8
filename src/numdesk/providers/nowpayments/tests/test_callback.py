"""A callback is believed when it is signed, and then only for which payment it is about."""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.cost import cost

from numdesk.ports.payments import CallbackRefused, PaymentHint
from numdesk.protocols.json_tokens import NumberToken, write_js
from numdesk.providers.nowpayments.callback import HEADER, _filtered, canonical, read_callback, sign

KEY = "ipn_secret_demo"

#: What Node signed, with the keys of all objects sorted.
CANONICAL = (
    '{"actually_paid":0.00001234,"fee":{"currency":"btc","depositFee":0.1,"serviceFee":0,"withdrawalFee":0},"order_id":"topup-42",'
    '"outcome_amount":1.5e-7,"payment_id":5077125051,"payment_status":"finished"}'
)
SIGNATURE = (
    "ab378eed8b45caacfe6b9f4b09001476dd3509510772364c850296934e2edf07"
    "9719cb6ee18b40557728282bf7256e60a08b671b7be51536c5af1005acac5df5"
)
HINT = PaymentHint(reference="topup-42", invoice_id=None, payment_id="5077125051")
#: The same members as somebody sends them.
SENT = (
    '{"payment_id":5077125051,"payment_status":"finished","order_id":"topup-42","outcome_amount":1.5e-7,"actually_paid":0.00001234,'
    '"fee":{"withdrawalFee":0,"currency":"btc","depositFee":0.1,"serviceFee":0}}'
)

NUMBERS = st.from_regex(r"\A(0|[1-9][0-9]{0,9})(\.[0-9]{1,12})?(e-[1-9][0-9]?)?\Z").map(NumberToken)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=10,
)


def document(**changes: Any) -> dict[str, Any]:
    """Returns an honest callback, with changes; None leaves a member out."""
    whole = {
        "payment_id": NumberToken("5077125051"),
        "invoice_id": NumberToken("4522625843"),
        "order_id": "topup-42",
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


def read(body: str, canonical_text: str) -> PaymentHint:
    """Reads a callback whose signature covers a text."""
    return read_callback({HEADER: sign(canonical_text, key=KEY)}, body.encode(), key=KEY)


def scrambled(value: Any, dice: random.Random) -> Any:
    """Returns a value with the keys of its objects in another order."""
    if isinstance(value, dict):
        return {name: scrambled(value[name], dice) for name in dice.sample(list(value), len(value))}
    return [scrambled(item, dice) for item in value] if isinstance(value, list) else value


class TestReadCallback:
    """What verifies."""

    @pytest.mark.parametrize(
        "body",
        [
            SENT,
            CANONICAL,
            SENT.replace(",", ",\n "),
            SENT.replace('"topup-42"', r'"\u0074opup-42"'),
        ],
    )
    def test_takes_the_vendors_own_signature(self, body: str) -> None:
        """Keys come in any order, spaced in any way; numbers are signed as they stand."""
        assert sign(CANONICAL, key=KEY) == SIGNATURE
        assert read_callback({HEADER: SIGNATURE}, body.encode(), key=KEY) == HINT
        assert read_callback({HEADER: SIGNATURE.upper()}, body.encode(), key=KEY) == HINT
        assert read_callback({HEADER: SIGNATURE}, body.encode(), key=KEY).signed == CANONICAL

    @given(st.dictionaries(st.text(max_size=6), VALUES, max_size=5), st.integers())
    def test_takes_whatever_was_signed(self, more: dict[str, Any], seed: int) -> None:
        """Every honest callback verifies in each of the documented ways of signing, in whatever
        order its keys come."""
        whole = {**more, **document()}
        hint = PaymentHint(reference="topup-42", invoice_id="4522625843", payment_id="5077125051")
        body = write_js(scrambled(whole, random.Random(seed)))
        for form in (canonical(whole), canonical(whole, lists_as_objects=True)):
            assert read(body, write_js(form)) == hint
            assert read(body, write_js(form, escape_unicode=True)) == hint

    def test_takes_the_old_way_of_sorting(self) -> None:
        """JSON.stringify(params, Object.keys(params).sort()) drops inner members whose names are
        not on the top."""
        body = r'{"payment_id":1,"order_id":"o","fee":{"order_id":"x","currency":"btc"},"я":[{"payment_id":2,"z":1}]}'
        old = '{"fee":{"order_id":"x"},"order_id":"o","payment_id":1,"я":[{"payment_id":2}]}'
        assert read(body, old).payment_id == "1"
        assert read(body, old.replace("я", r"\u044f")).payment_id == "1"

    def test_takes_lists_either_way(self) -> None:
        """The documentation's sample makes objects of lists; others leave them."""
        body = r'{"payment_id":1,"order_id":"o","payment_extra_ids":[7,{"b":1,"a":2}]}'
        rest = ',"payment_id":1}'
        assert (
            read(
                body, '{"order_id":"o","payment_extra_ids":{"0":7,"1":{"a":2,"b":1}}' + rest
            ).payment_id
            == "1"
        )
        assert (
            read(body, '{"order_id":"o","payment_extra_ids":[7,{"a":2,"b":1}]' + rest).payment_id
            == "1"
        )

    def test_sorts_keys_that_are_numbers_like_javascript(self) -> None:
        """A JavaScript object has its array indices first, however they were sorted."""
        assert list(canonical({"b": 1, "10": 1, "9": 1, "a": 1})) == ["9", "10", "a", "b"]

    @pytest.mark.parametrize(
        ("payment_id", "invoice_id"),
        [("5077125051", "4522625843"), (NumberToken("5077125051"), None)],
    )
    def test_takes_ids_as_numbers_and_as_texts(
        self, payment_id: str, invoice_id: str | None
    ) -> None:
        """Ids come both ways and mean the same; not every payment has an invoice."""
        whole = document(payment_id=payment_id, invoice_id=invoice_id)
        hint = read(write_js(whole), write_js(canonical(whole)))
        assert (hint.payment_id, hint.invoice_id) == ("5077125051", invoice_id)

    def test_takes_a_payment_without_a_reference(self) -> None:
        """Money without an owner is told, and not thrown away with its callback."""
        whole = {**document(), "order_id": None}
        assert read(write_js(whole), write_js(canonical(whole))).reference == ""


class TestRefusals:
    """What does not."""

    @pytest.mark.parametrize(
        "signature",
        ["", "0" * 127, "0" * 129, "g" * 128, "ы" * 128, SIGNATURE[:-1] + "4", SIGNATURE[1:] + "a"],
    )
    def test_refuses_a_wrong_signature(self, signature: str) -> None:
        """A signature is 128 hexadecimal digits and the right ones."""
        with pytest.raises(CallbackRefused, match="signature"):
            read_callback({HEADER: signature}, SENT.encode(), key=KEY)

    def test_refuses_a_call_without_the_header(self) -> None:
        """A document without a valid signature is refused."""
        with pytest.raises(CallbackRefused, match="signature"):
            read_callback({}, SENT.encode(), key=KEY)

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"null",
            b"[]",
            b"{",
            b"\xff{}",
            "\ufeff{}".encode(),
            b'{"payment_id":1,"payment_id":1}',
            b'{"fee":{"a":1,"a":1}}',
            b'{"a":NaN}',
            b'{"a":' + b"[" * 200 + b"]" * 200 + b"}",
            b"[" * 60_000,
            b'{"a":"' + b"x" * 65_536 + b'"}',
        ],
    )
    def test_refuses_what_is_no_callback(self, body: bytes) -> None:
        """Bytes that are no object, or one that two readers would read in two ways, are refused
        whatever signs them."""
        with pytest.raises(CallbackRefused):
            read_callback({HEADER: SIGNATURE}, body, key=KEY)

    @pytest.mark.parametrize(
        "changed",
        [
            SENT.replace("0.00001234", "1.234e-05"),
            SENT.replace("0.00001234", "1000"),
            SENT.replace("finished", "partially_paid"),
            SENT.replace("topup-42", "topup-43"),
            SENT.replace("5077125051", "5077125052"),
            SENT.replace('"depositFee":0.1', '"depositFee":0.10'),
            SENT.replace(":5077125051", ':"5077125051"'),
            SENT[:-1] + ',"more":null}',
        ],
    )
    def test_refuses_every_change(self, changed: str) -> None:
        """One changed member is another document, also where only its way of writing a number
        changed."""
        with pytest.raises(CallbackRefused, match="signature"):
            read_callback({HEADER: SIGNATURE}, changed.encode(), key=KEY)

    def test_refuses_another_key(self) -> None:
        """Only the holder of the secret speaks for the gateway."""
        with pytest.raises(CallbackRefused, match="signature"):
            read_callback({HEADER: SIGNATURE}, SENT.encode(), key=KEY + "x")

    @pytest.mark.parametrize(
        "changes",
        [
            {"payment_id": None},
            {"payment_id": True},
            {"payment_id": ["1"]},
            {"payment_id": "../auth"},
            {"payment_id": NumberToken("1.5")},
            {"invoice_id": {"a": "b"}},
            {"order_id": NumberToken("1")},
            {"order_id": "x" * 129},
            {"order_id": "a\nb"},
        ],
    )
    def test_refuses_ids_that_are_none(self, changes: dict[str, Any]) -> None:
        """A rightly signed call with ids of a wrong kind is refused as well."""
        whole = document(**changes)
        with pytest.raises(CallbackRefused):
            read(write_js(whole), write_js(canonical(whole)))

    @pytest.mark.parametrize("many", ["{}", "[]", '""', "0"])
    def test_costs_no_more_than_its_size(self, many: str) -> None:
        """The dearest documents of 64 KiB are refused in a moment.

        With as many objects as names it took two seconds once.
        """
        names = ",".join(f'"{number:x}":0' for number in range(3_000))
        body = (
            f'{{"payment_id":1,{names},"z":['
            + ",".join([many] * ((65_500 - len(names)) // (len(many) + 1) - 10))
            + "]}"
        )

        def refuse() -> None:
            for text in (body, '{"a":"' + "\u00e9x" * 21_000 + '"}'):
                with pytest.raises(CallbackRefused):
                    read_callback({HEADER: SIGNATURE}, text.encode(), key=KEY)

        assert cost(refuse) < 40

    def test_asks_every_object_for_its_own_names(self) -> None:
        """Below the bound on parts too, the old way of sorting looks at each object's members and
        not at all names that there are."""
        inner = {"b": NumberToken("1"), "a": NumberToken("2"), "x": NumberToken("3")}
        asked: list[object] = []

        class Names(dict[str, int]):
            def __iter__(self) -> Iterator[str]:
                asked.append("all")
                return super().__iter__()

        ranks = Names({"a": 0, "b": 1, "c": 2})
        assert list(_filtered(inner, ranks)) == ["a", "b"]
        assert not asked

    @given(st.binary(max_size=200))
    def test_never_breaks(self, body: bytes) -> None:
        """Any bytes at all are refused in one way."""
        with pytest.raises(CallbackRefused):
            read_callback({HEADER: SIGNATURE}, body, key=KEY)

    def test_python_alone_would_refuse_an_honest_callback(self) -> None:
        """Why numbers are kept as tokens: what floats give back is not what was signed."""
        assert json.dumps(json.loads(SENT), sort_keys=True, separators=(",", ":")) != CANONICAL
