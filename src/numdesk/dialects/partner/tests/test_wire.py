"""Tests of what clients of the partner API send: both spellings of everything, durations, keys, and
what is refused by name.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from numdesk.dialects import Request
from numdesk.dialects.partner.money import cents_of
from numdesk.dialects.partner.wire import (
    AmbiguousDuration,
    api_key_of,
    meant,
    parse_application,
    parse_claim,
    parse_length,
    parse_period,
    parse_rental_id,
    parse_selection,
    parse_topup,
    read_object,
)
from numdesk.domain.customers.callers import Caller, CustomerState
from numdesk.domain.errors import InvalidInput, NotFound
from numdesk.domain.rentals.lifecycle import RentType
from numdesk.domain.rentals.refusals import PeriodNotOffered
from numdesk.usecases.idempotency import Signature

OFFERED = (1, 3, 7, 30)


def request_of(
    body: bytes | dict[str, Any] = b"",
    *,
    path: str = "/api/v1/numbers/rent",
    params: tuple[str, ...] = (),
    options: dict[str, Any] | None = None,
) -> Request:
    """Return a signed request of a customer with these options."""
    scope = {
        "client": None,
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
    }
    request = Request(scope, {b"x-signature": b"AB" * 32}, params, "id")
    request.body = body if isinstance(body, bytes) else json.dumps(body).encode()
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
        options=options or {},
    )
    return request


def read(**fields: Any) -> dict[str, Any]:
    """Return the fields as they are read from a body."""
    return read_object(request_of(fields))


def field_of(refusal: pytest.ExceptionInfo[InvalidInput]) -> str:
    """Return the field that a refusal names."""
    return refusal.value.field


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


class TestLength:
    """For how long."""

    @pytest.mark.parametrize(
        ("fields", "units"),
        [
            ({"period": "7"}, (7,)),
            ({"period": 7}, (7,)),
            ({"period": 7.0, "duration": 7}, (7,)),
            ({"period": "7", "duration": 10080}, (7,)),
            ({"period": "1", "duration": 24, "durationUnit": "hours"}, (1,)),
            ({"duration": 24}, (1, 24)),
            ({"duration": 10080}, (7,)),
            ({"duration": 1440}, (1, 60)),
            ({"duration": 720}, (30,)),
            ({"duration": 7}, (7,)),
            ({"duration": 7, "durationUnit": "Days"}, (7,)),
            ({"duration": 1, "durationUnit": "day"}, (1,)),
            ({"duration": 0.5}, ()),
            ({"duration": 100}, ()),
        ],
    )
    def test_reads_days(self, fields: dict[str, Any], units: tuple[int, ...]) -> None:
        """A period is days; a duration is each of its readings that a period could be."""
        assert parse_length(read(**fields), RentType.LONG) == units

    @pytest.mark.parametrize(
        ("fields", "units"),
        [
            ({}, (1,)),
            ({"period": "1"}, (1,)),
            ({"duration": 60}, (1,)),
            ({"duration": 1}, (1,)),
            ({"duration": 24}, ()),
        ],
    )
    def test_reads_hours(self, fields: dict[str, Any], units: tuple[int, ...]) -> None:
        """Short rentals are counted in hours, and one hour is what is meant when nothing is
        said.
        """
        assert parse_length(read(**fields), RentType.SHORT) == units

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({}, "period"),
            ({"period": None}, "period"),
            ({"period": ""}, "period"),
            ({"period": "0"}, "period"),
            ({"period": "-1"}, "period"),
            ({"period": "07"}, "period"),
            ({"period": "٧"}, "period"),
            ({"period": "7 days"}, "period"),
            ({"period": 7.5}, "period"),
            ({"period": True}, "period"),
            ({"period": [7]}, "period"),
            ({"period": 10**400}, "period"),
            ({"period": "9" * 5000}, "period"),
            ({"period": "7", "duration": 3}, "duration"),
            ({"period": "7", "duration": 7, "durationUnit": "hours"}, "duration"),
            ({"duration": "24"}, "duration"),
            ({"duration": 0}, "duration"),
            ({"duration": -24}, "duration"),
            ({"duration": 1e300}, "duration"),
            ({"duration": 10**400}, "duration"),
            ({"duration": 25, "durationUnit": "hours"}, "duration"),
            ({"duration": 24, "durationUnit": "weeks"}, "durationUnit"),
            ({"duration": 24, "durationUnit": 5}, "durationUnit"),
        ],
        ids=lambda value: repr(value)[:40],
    )
    def test_refuses_by_name(self, fields: dict[str, Any], field: str) -> None:
        """A missing length, or two different ones, is named."""
        with pytest.raises(InvalidInput) as refusal:
            parse_length(read(**fields), RentType.LONG)
        assert field_of(refusal) == field

    def test_means_the_one_that_is_offered(self) -> None:
        """24 is a day of hours where no 24 days are on offer; none or several are refused, each in
        its way, with what there is.
        """
        assert meant((1, 24), OFFERED) == 1
        with pytest.raises(AmbiguousDuration) as several:
            meant((1, 24), (1, 7, 24))
        assert (several.value.readings, several.value.offered) == ((1, 24), (1, 7, 24))
        for readings in ((), (2,)):
            with pytest.raises(PeriodNotOffered) as none:
                meant(readings, OFFERED)
            assert not isinstance(none.value, AmbiguousDuration)
            assert none.value.offered == OFFERED

    def test_needs_no_price_list_for_a_period(self) -> None:
        """A period alone says it all; with a duration more has to be known."""
        assert parse_period(read(period="7")) == 7
        assert parse_period(read(period="7", duration=7)) is None
        assert parse_period(read()) is None


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
        """Cut off, not an object, too deep: bodies with different fixes have different sentences."""
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
