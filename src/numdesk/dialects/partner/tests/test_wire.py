"""Tests of what clients of the partner API send: both spellings of everything, durations, keys, and
what is refused by name.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.dialects.partner_requests import field_of, read, request_of

from numdesk.dialects.partner.wire import (
    api_key_of,
    parse_application,
    parse_claim,
    parse_rental_id,
    parse_selection,
    parse_topup,
    read_object,
)
from numdesk.domain.errors import InvalidInput, NotFound
from numdesk.domain.rentals.lifecycle import RentType
from numdesk.usecases.idempotency import Signature

OFFERED = (1, 3, 7, 30)


class TestBody:
    """The JSON object of a request."""

    @pytest.mark.parametrize("body", [b"", b" ", b"null", b" null\n", b"{}"])
    def test_may_be_missing(self, body: bytes) -> None:
        """Nothing, null and {} are one."""
        assert read_object(request_of(body)) == {}

    @pytest.mark.parametrize(
        "body",
        [
            b"[]",
            b"1",
            b'"x"',
            b"true",
            b"{",
            b'{"a":NaN}',
            b"\xff",
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b"\xef\xbb\xbf{}",
            b"a=1",
            b"{}{}",
        ],
        ids=lambda body: repr(body[:12]),
    )
    def test_must_be_an_object(self, body: bytes) -> None:
        """Everything else is refused as the body, however deep."""
        with pytest.raises(InvalidInput) as refusal:
            read_object(request_of(body))
        assert field_of(refusal) == "body"

    def test_keeps_the_last_of_a_repeated_field(self) -> None:
        """What is acted on is what JavaScript, and so the signature, takes for the body."""
        assert read_object(request_of(b'{"a":1,"a":2}')) == {"a": 2}


class TestSelection:
    """Country, kind and services."""

    @pytest.mark.parametrize(
        "fields",
        [
            {"rentType": "LONG", "serviceIds": ["google", "WhatsApp"]},
            {"type": "long", "services": ["google", "WhatsApp"]},
            {
                "rentType": "Long",
                "type": "LONG",
                "serviceIds": ["google", "WhatsApp"],
                "services": ["google", "WhatsApp"],
            },
            {
                "rentType": "LONG",
                "serviceIds": ["google", "WhatsApp"],
                "services": ["whatsapp", "google"],
            },
        ],
    )
    def test_takes_both_spellings(self, fields: dict[str, Any]) -> None:
        """The reference's names and the sample's are the same fields, and may both be there."""
        assert parse_selection(read(country=" Spain ", **fields)) == (
            "Spain",
            RentType.LONG,
            ("google", "WhatsApp"),
        )

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"type": "SHORT"}, "type"),
            ({"services": ["telegram"]}, "services"),
            ({"country": None}, "country"),
            ({"country": ""}, "country"),
            ({"country": 5}, "country"),
            ({"country": "a\0b"}, "country"),
            ({"country": "\ud800"}, "country"),
            ({"country": "x" * 5000}, "country"),
            ({"rentType": None}, "rentType"),
            ({"rentType": "WEEKLY"}, "rentType"),
            ({"rentType": 1}, "rentType"),
            ({"serviceIds": None}, "serviceIds"),
            ({"serviceIds": []}, "serviceIds"),
            ({"serviceIds": "google"}, "serviceIds"),
            ({"serviceIds": [1]}, "serviceIds"),
            ({"serviceIds": [None]}, "serviceIds"),
            ({"serviceIds": [""]}, "serviceIds"),
            ({"serviceIds": ["a"] * 21}, "serviceIds"),
            ({"serviceIds": {"a": 1}}, "serviceIds"),
        ],
        ids=lambda value: repr(value)[:40],
    )
    def test_refuses_by_name(self, change: dict[str, Any], field: str) -> None:
        """Missing, mistyped and contradicting fields are named."""
        with pytest.raises(InvalidInput) as refusal:
            parse_selection(
                read(**{"country": "Spain", "rentType": "LONG", "serviceIds": ["google"], **change})
            )
        assert field_of(refusal) == field


class TestReasons:
    """What a refusal asks its reader to fix."""

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b'{"amount":', "is not valid JSON: Expecting value at character 10"),
            (b'{"a":NaN}', "is not valid JSON: NaN is no number of it"),
            (b'"\xff"', "is not valid JSON: it must be UTF-8"),
            (b"[1]", "must be a JSON object, not a list"),
            (b"[" * 100_000, "is nested too deeply"),
        ],
        ids=["cut", "constant", "bytes", "list", "deep"],
    )
    def test_tell_what_is_wrong_with_a_body(self, body: bytes, reason: str) -> None:
        """Cut off, not an object, too deep: bodies with different fixes have different
        sentences.
        """
        with pytest.raises(InvalidInput) as refusal:
            read_object(request_of(body))
        assert refusal.value.reason == reason

    @pytest.mark.parametrize(
        ("amount", "words"),
        [
            (b"null", "is required"),
            (b'"500"', "without quotes"),
            (b"0", "above zero"),
            (b"1e300", "at most"),
            (b"1.001", "two decimals"),
        ],
    )
    def test_tell_what_is_wrong_with_an_amount(self, amount: bytes, words: str) -> None:
        """An amount that is missing, a text, nothing, or too much is told apart."""
        with pytest.raises(InvalidInput) as refusal:
            parse_topup(read_object(request_of(b'{"amount":%s,"provider":"cryptomus"}' % amount)))
        assert words in refusal.value.reason

    def test_tell_which_type_is_wanted(self) -> None:
        """Objects in the list of services and a number for a country are told what should be
        there.
        """
        with pytest.raises(InvalidInput) as services:
            parse_selection(read(country="Spain", rentType="LONG", services=[{"id": "google"}]))
        assert (services.value.field, services.value.reason) == (
            "services",
            'must hold ids of services as strings, such as ["google"]',
        )
        with pytest.raises(InvalidInput) as country:
            parse_selection(read(country=5, rentType="LONG", services=["google"]))
        assert (country.value.field, country.value.reason) == (
            "country",
            "must be a string, not a number",
        )


class TestClaim:
    """What makes a write the same as an earlier one."""

    @pytest.mark.parametrize("key", [None, b"order-1"])
    @pytest.mark.parametrize(
        ("replay", "signature"),
        [
            ("dedupe", Signature("sig:" + "ab" * 32)),
            ("reject", Signature("sig:" + "ab" * 32, is_single=True)),
            ("allow", None),
        ],
    )
    def test_has_the_key_and_the_signature(
        self, key: bytes | None, replay: str, signature: Signature | None
    ) -> None:
        """The signature is there in one case of letters, whatever the key, unless staff allows
        repeats.
        """
        request = request_of({"a": 1}, options={"replay": replay})
        request.headers = {**request.headers, **({} if key is None else {b"idempotency-key": key})}
        claim = parse_claim(request)
        assert (claim.key, claim.signature) == (key and key.decode(), signature)

    def test_refuses_what_is_too_deep_to_write(self) -> None:
        """A body that can be read but not written again is refused, never a fault."""
        with pytest.raises(InvalidInput):
            parse_claim(request_of(b'{"a":' + b"[" * 700 + b"]" * 700 + b"}"))

    @pytest.mark.parametrize("key", [b"", b"a b", b"sig:x", b"\xff", b"a" * 129])
    def test_refuses_odd_keys(self, key: bytes) -> None:
        """A key is a short word; none can look like one made of a signature."""
        request = request_of({"a": 1})
        request.headers = {**request.headers, b"idempotency-key": key}
        with pytest.raises(InvalidInput):
            parse_claim(request)

    def test_knows_the_same_request(self) -> None:
        """Spacing, the prefix, and nothing said in three ways make no difference; another path or
        body does.
        """
        prints = [
            parse_claim(request_of(body, path=path)).fingerprint
            for body, path in [
                (b'{"a":1}', "/numbers/rent"),
                (b'{ "a": 1.0 }', "/api/v1/numbers/rent"),
                (b"", "/numbers/x/cancel"),
                (b"null", "/api/v1/numbers/x/cancel"),
                (b"{}", "/numbers/x/cancel"),
                (b'{"a":2}', "/numbers/rent"),
                (b'{"a":1}', "/numbers/x/extend"),
            ]
        ]
        assert prints[0] == prints[1]
        assert len(set(prints[2:5])) == 1
        assert len(set(prints)) == 4


class TestOthers:
    """Ids, keys and forms."""

    @pytest.mark.parametrize("text", ["num_1a2B", "x", "a" * 64])
    def test_takes_ids(self, text: str) -> None:
        """A rental is named by a word."""
        assert parse_rental_id(request_of(params=(text,))) == text

    @pytest.mark.parametrize("text", ["", "a-b", "a b", "a/b", "ñ", "a" * 65, "a\0"])
    def test_finds_nothing_behind_what_is_no_id(self, text: str) -> None:
        """An impossible rental id is not found, and never reaches the database."""
        with pytest.raises(NotFound):
            parse_rental_id(request_of(params=(text,)))

    def test_finds_the_key(self) -> None:
        """The public half of the key is in its own header."""
        request = request_of()
        assert api_key_of(request) is None
        request.headers = {b"x-api-key": b"pk_live_x"}
        assert api_key_of(request) == b"pk_live_x"

    def test_reads_an_application(self) -> None:
        """Name and email are needed; empty texts are none."""
        form = parse_application(
            read(name="Acme", email="a@example.com", phone="", webhookUrl=None, other=1)
        )
        assert (form.name, form.email, form.phone, form.webhook_url) == (
            "Acme",
            "a@example.com",
            None,
            None,
        )
        for missing in (
            {"email": "a@example.com"},
            {"name": "Acme"},
            {"name": 5, "email": "a"},
            {"name": "a\nb", "email": "a"},
        ):
            with pytest.raises(InvalidInput):
                parse_application(read(**missing))
