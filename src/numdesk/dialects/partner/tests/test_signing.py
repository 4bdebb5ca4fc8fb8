"""Tests of the partner API's signatures:

JSON as JavaScript writes it, and what may and may not have been signed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from numdesk.dialects import Request
from numdesk.dialects.partner.signing import sign, verify
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
