"""Tests of the partner API's signatures:

JSON as JavaScript writes it, and what may and may not have been signed.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdesk.dialects import Request
from numdesk.dialects.partner.signing import parse, sign, stringify, verify
from numdesk.domain.customers.callers import Caller, CustomerState
from numdesk.domain.errors import NotAuthenticated

NOW = datetime(2026, 3, 1, 12, 0, 0, 123_000, tzinfo=UTC)
SECRET = b"sk_test_secret"
CALLER = Caller(
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
    secret=SECRET,
)

#: Texts, and what Node 20 prints for JSON.stringify(JSON.parse(text)).
WRITTEN = [
    ("27.00", "27"),
    ("-0", "0"),
    ("-0.0", "0"),
    ("1e21", "1e+21"),
    ("1e20", "100000000000000000000"),
    ("123456789012345680000", "123456789012345680000"),
    ("12345678901234567890123", "1.2345678901234568e+22"),
    ("9007199254740993", "9007199254740992"),
    ("1E400", "null"),
    ("-1e400", "null"),
    ("1e-400", "0"),
    ("1e-6", "0.000001"),
    ("1e-7", "1e-7"),
    ("-1.5e-9", "-1.5e-9"),
    ("0.1", "0.1"),
    ("5e-324", "5e-324"),
    ("1.7976931348623157e308", "1.7976931348623157e+308"),
    ("1000.50", "1000.5"),
    ("9" * 5000, "null"),
    (' { "a" : [ 1 , true , null ] } ', '{"a":[1,true,null]}'),
    (r'"\u00e9\/\u2028\u007f"', '"\u00e9/\u2028\x7f"'),
    (r'"\u0000\u001F\b\f\n\r\t\"\\"', r'"\u0000\u001f\b\f\n\r\t\"\\"'),
    (r'"\ud83d\ude00"', '"😀"'),
    (r'"\uDE00\uD83D"', r'"\ude00\ud83d"'),
    ('{"b":1,"a":2,"b":3}', '{"b":3,"a":2}'),
    ('{"b":1,"10":2,"9":3,"a":4,"0":5}', '{"0":5,"9":3,"10":2,"b":1,"a":4}'),
    ('{"b":1,"01":2,"-1":3,"1.0":4}', '{"b":1,"01":2,"-1":3,"1.0":4}'),
    ('{"4294967295":1,"4294967294":2}', '{"4294967294":2,"4294967295":1}'),
    ('{"__proto__":1,"":2}', '{"__proto__":1,"":2}'),
]
NO_JSON = [
    "",
    " ",
    "{",
    "[1,]",
    '{"a":1,}',
    "01",
    "1.",
    "+1",
    ".5",
    "NaN",
    "Infinity",
    "-Infinity",
    "'a'",
    '"\x01"',
    "1 2",
    "\ufeff1",
    "[" * 100_000,
]

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.integers(-(2**53), 2**53),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.integers(0, 20).map(str), inner, max_size=4)
    ),
)


def request_of(
    body: bytes = b"", *, method: str = "POST", target: str = "/api/v1/numbers/rent"
) -> Request:
    """Return a request as the door hands it on."""
    path, _, query = target.partition("?")
    scope = {
        "client": None,
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
    }
    request = Request(scope, {}, (), "id")
    request.body = body
    return request


def signed(
    request: Request, text: str | bytes, *, at: str | None = None, secret: bytes = SECRET
) -> Request:
    """Return the request with a signature over timestamp, method and `text`, the URL and body that
    its client signed.
    """
    said = (str(round(NOW.timestamp() * 1000)) if at is None else at).encode()
    signature = sign(
        secret,
        said + request.method.encode() + (text if isinstance(text, bytes) else text.encode()),
    )
    request.headers = {b"x-timestamp": said, b"x-signature": signature.encode()}
    return request


def cause_of(request: Request) -> str:
    """Return why the request is refused."""
    with pytest.raises(NotAuthenticated) as caught:
        verify(request, CALLER, NOW)
    return caught.value.cause


class TestJavaScriptJson:
    """JSON the way the clients' JSON.parse and JSON.stringify have it."""

    @pytest.mark.parametrize(("text", "written"), WRITTEN, ids=[text[:30] for text, _ in WRITTEN])
    def test_is_written_as_node_writes_it(self, text: str, written: str) -> None:
        """Numbers, strings and the order of keys come out as in JavaScript."""
        assert stringify(parse(text)) == written

    @pytest.mark.parametrize("text", NO_JSON, ids=[text[:20] for text in NO_JSON])
    def test_is_refused_where_node_refuses_it(self, text: str) -> None:
        """A text that is not JSON (or nested too deep) is a ValueError, never another fault."""
        with pytest.raises(ValueError, match=r"."):
            parse(text)

    def test_is_refused_when_it_is_no_text(self) -> None:
        """Bytes that are not UTF-8 are not JSON."""
        with pytest.raises(ValueError, match=r"utf-8"):
            parse(b'"\xff"')

    def test_is_not_written_too_deep(self) -> None:
        """Depth that Python can hold but not write is a ValueError as well."""
        deep: Any = 1
        for _ in range(100_000):
            deep = [deep]
        with pytest.raises(ValueError, match=r"deep"):
            stringify(deep)

    @given(JSON)
    def test_does_not_change_when_written_again(self, value: Any) -> None:
        """What was written is read and written as the same text, and says the same."""
        text = stringify(value)
        assert stringify(parse(text)) == text
        assert parse(text) == json.loads(json.dumps(value), parse_int=float)


class TestVerify:
    """Whose signature is good."""

    @pytest.mark.parametrize(
        ("target", "url", "form"),
        [
            ("/api/v1/wallet/balance", "/wallet/balance", "short"),
            ("/api/v1/wallet/balance", "/api/v1/wallet/balance", "full"),
            ("/wallet/balance", "/wallet/balance", "short"),
            ("/wallet/balance", "/api/v1/wallet/balance", "full"),
            ("/api/v1/numbers/active?page=2&limit=5", "/numbers/active?page=2&limit=5", "short"),
            (
                "/api/v1/numbers/active?page=2&limit=5",
                "/api/v1/numbers/active?page=2&limit=5",
                "full",
            ),
            (
                "/api/v1/numbers/services?country=Espa%C3%B1a",
                "/api/v1/numbers/services?country=España",
                "full",
            ),
            (
                "/api/v1/numbers/services?country=Espa%C3%B1a",
                "/api/v1/numbers/services?country=Espa%C3%B1a",
                "full",
            ),
            ("/api/v1/numbers/services?country=a%20b", "/numbers/services?country=a b", "short"),
        ],
    )
    @pytest.mark.parametrize("body", [b"", b"null", b"{}", b" \n "])
    def test_takes_both_readings_of_the_path(
        self, target: str, url: str, form: str, body: bytes
    ) -> None:
        """Full and short paths, as typed and as sent, are good, and which it was is noted; no body
        is signed as {}.
        """
        request = signed(request_of(body, method="GET", target=target), url + "{}")
        verify(request, CALLER, NOW)
        assert request.form == form

    @pytest.mark.parametrize(
        ("sent", "text"),
        [
            (b'{"period":"7"}', '{"period":"7"}'),
            (b'{ "period": "7", "amount": 27.00 }', '{"period":"7","amount":27}'),
            (b'{ "period": "7" }', '{ "period": "7" }'),
            (rb'{"name":"\u00e9"}', '{"name":"é"}'),
            (b'{"a":1,"a":2}', '{"a":2}'),
        ],
    )
    def test_takes_both_readings_of_the_body(self, sent: bytes, text: str) -> None:
        """The text as it was sent is good, and as JSON.stringify would write it."""
        verify(signed(request_of(sent), "/numbers/rent" + text), CALLER, NOW)

    @pytest.mark.parametrize(
        ("request_", "text"),
        [
            (request_of(b'{"a":1}'), "/numbers/rent{}"),
            (request_of(b'{"a":1}'), "/numbers/rent"),
            (request_of(b""), "/numbers/rent"),
            (request_of(b"null"), "/numbers/rentnull"),
            (request_of(b'{"a":1}'), '/numbers/rent{"a":2}'),
            (request_of(b"{}"), "/api/v1/api/v1/numbers/rent{}"),
            (request_of(method="GET", target="/api/v1/numbers/active?page=2"), "/numbers/active{}"),
            (
                request_of(method="GET", target="/api/v1/numbers/active?page=2"),
                "/numbers/active?page=3{}",
            ),
            (
                request_of(method="GET", target="/numbers/services?country=a%26rentType%3DLONG"),
                "/numbers/services?country=a&rentType=LONG{}",
            ),
            (request_of(method="POST", target="/numbers/a%2Fextend"), "/numbers/a/extend{}"),
        ],
    )
    def test_refuses_what_names_another_request(self, request_: Request, text: str) -> None:
        """No path without its query, no empty body for a full one, no decoding that cuts the URL
        differently.
        """
        assert cause_of(signed(request_, text)) == "signature"

    def test_refuses_another_method(self) -> None:
        """A signature over GET does not cover POST."""
        request = request_of()
        text = b"/numbers/rent{}"
        said = str(round(NOW.timestamp() * 1000)).encode()
        request.headers = {
            b"x-timestamp": said,
            b"x-signature": sign(SECRET, said + b"GET" + text).encode(),
        }
        assert cause_of(request) == "signature"

    @pytest.mark.parametrize(
        "signature", [b"", b"0" * 64, b"sha256=" + b"0" * 64, b"\xff" * 64, b"z" * 64]
    )
    def test_refuses_what_is_no_signature(self, signature: bytes) -> None:
        """Missing, wrong and odd signatures are told by one cause."""
        request = signed(request_of(), "/numbers/rent{}")
        request.headers = {**request.headers, b"x-signature": signature}
        assert cause_of(request) == "signature"

    def test_compares_every_candidate(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Good or bad, first or last, the same comparisons are made, at most eight, so that time
        tells nothing.
        """
        compared: list[bytes] = []

        def compare(one: bytes, other: bytes) -> bool:
            compared.append(one)
            return one == other

        monkeypatch.setattr("numdesk.dialects.partner.signing.hmac.compare_digest", compare)
        target, counts = "/api/v1/numbers/rent?a=%20b", []
        for text in ('/numbers/rent?a= b{"a":1}', '/api/v1/numbers/rent?a=%20b{ "a": 1 }', "wrong"):
            compared.clear()
            request = signed(request_of(b'{ "a": 1 }', target=target), text)
            if text == "wrong":
                assert cause_of(request) == "signature"
            else:
                verify(request, CALLER, NOW)
            counts.append(len(compared))
        assert counts == [8, 8, 8]

    def test_takes_a_signature_in_capitals(self) -> None:
        """Hexadecimal digits are accepted in both cases."""
        request = signed(request_of(), "/numbers/rent{}")
        request.headers = {
            **request.headers,
            b"x-signature": request.headers[b"x-signature"].upper(),
        }
        verify(request, CALLER, NOW)

    def test_refuses_a_key_without_a_secret(self) -> None:
        """A key without a secret signs nothing, not even with an empty one."""
        request = signed(request_of(), "/numbers/rent{}", secret=b"")
        with pytest.raises(NotAuthenticated):
            verify(
                request,
                Caller(
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
                ),
                NOW,
            )

    @pytest.mark.parametrize(
        ("seconds", "is_good"), [(0, True), (-299, True), (299, True), (-301, False), (301, False)]
    )
    def test_checks_the_clients_clock(self, seconds: int, is_good: bool) -> None:
        """Five minutes off are forgiven, in either direction."""
        at = str(round((NOW + timedelta(seconds=seconds)).timestamp() * 1000))
        request = signed(request_of(), "/numbers/rent{}", at=at)
        if is_good:
            verify(request, CALLER, NOW)
        else:
            assert cause_of(request) == "timestamp"

    def test_takes_seconds(self) -> None:
        """Ten digits are seconds."""
        verify(signed(request_of(), "/numbers/rent{}", at=str(int(NOW.timestamp()))), CALLER, NOW)

    @pytest.mark.parametrize(
        "at",
        [
            "",
            "now",
            "1.5",
            "-1772366400123",
            "17723664001234",
            "１７７２３６６４００１２３",
            " 177236640012",
        ],
    )
    def test_refuses_other_times(self, at: str) -> None:
        """Anything but ten or thirteen digits is not a time."""
        assert cause_of(signed(request_of(), "/numbers/rent{}", at=at)) == "timestamp"

    def test_accepts_a_signed_body_that_is_not_json(self) -> None:
        """A signed broken text passes, so that the answer can say what is wrong with it."""
        verify(signed(request_of(b'{"a":'), '/numbers/rent{"a":'), CALLER, NOW)
        verify(signed(request_of(b"\xff"), b"/numbers/rent\xff"), CALLER, NOW)
