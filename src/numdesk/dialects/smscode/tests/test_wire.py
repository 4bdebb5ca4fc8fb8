"""Tests of what the smscode API takes in."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdesk.dialects import Request
from numdesk.dialects.smscode.wire import (
    STATUS,
    V1,
    V2,
    Version,
    parse_create,
    parse_order,
    parse_order_path,
    parse_reactivate,
    states_of,
    token_of,
)
from numdesk.domain.errors import InvalidInput, NotFound
from numdesk.domain.fx import PriceCap
from numdesk.domain.orders.lifecycle import State
from numdesk.domain.stock.routing import Policy, Wish


def request_of(
    body: object = b"",
    *,
    query: bytes = b"",
    params: tuple[str, ...] = (),
    headers: dict[bytes, bytes] | None = None,
) -> Request:
    """Return a request with this body (JSON unless it is bytes)."""
    scope = {"client": None, "method": "POST", "path": "/", "query_string": query}
    request = Request(scope, headers or {}, params, "id")
    request.body = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return request


class TestParseCreate:
    """The body of a create."""

    def test_takes_every_field(self) -> None:
        """All routing fields become the wish, the provider in lower case."""
        body = {
            "catalog_product_id": 7,
            "quantity": 3,
            "policy": "best_success",
            "operator_id": 5,
            "min_price": 100,
            "max_price": 200,
            "prefer_provider": "AcMe",
        }
        order = parse_create(request_of(body, headers={b"idempotency-key": b"k-1"}), V1)
        wish = Wish(Policy.BEST_SUCCESS, 5, PriceCap(units=100), PriceCap(units=200), "acme")
        assert (
            order.key,
            order.offer_id,
            order.catalogue_id,
            order.quantity,
            order.wish,
            order.show,
        ) == ("k-1", None, 7, 3, wish, None)

    def test_reads_caps_as_dollars_in_v2(self) -> None:
        """A cap of v2 is an exact decimal, and the order needs the rate."""
        order = parse_create(request_of({"catalog_product_id": 7, "max_price": "0.50"}), V2)
        assert order.wish.max_price == PriceCap(shown=Decimal("0.50"))
        assert order.show == "USD/IDR"

    @pytest.mark.parametrize(
        "text",
        [
            ".5",
            "5.",
            "+1",
            "1e3",
            " 1",
            "1 ",
            "1,5",
            "0",
            "0.000",
            "-1",
            "NaN",
            "Infinity",
            "",
            "١",
            "1" * 16,
        ],
    )
    def test_refuses_a_cap_that_is_no_plain_positive_decimal(self, text: str) -> None:
        """Nothing but plain positive decimals of a sane length passes for dollars."""
        with pytest.raises(InvalidInput):
            parse_create(request_of({"catalog_product_id": 7, "max_price": text}), V2)

    @pytest.mark.parametrize(
        ("version", "cap"),
        [(V1, "15000"), (V1, 15000.0), (V1, True), (V2, 1), (V2, 0.5), (V2, True), (V1, 2**63)],
    )
    def test_refuses_the_other_versions_caps(self, version: Version, cap: object) -> None:
        """A number is never taken for dollars nor a text for rupiah: the one read as the other
        would be no bound.
        """
        with pytest.raises(InvalidInput):
            parse_create(request_of({"catalog_product_id": 7, "max_price": cap}), version)

    @pytest.mark.parametrize("key", [b"", b"a b", b"a" * 129, b"\xff", "ключ".encode(), b"a\n"])
    def test_refuses_a_malformed_key(self, key: bytes) -> None:
        """An idempotency key is 1 to 128 letters, digits, hyphens and underscores."""
        with pytest.raises(InvalidInput):
            parse_create(request_of({"product_id": 1}, headers={b"idempotency-key": key}), V1)

    @given(
        st.dictionaries(
            st.sampled_from(
                [
                    "product_id",
                    "catalog_product_id",
                    "quantity",
                    "policy",
                    "operator_id",
                    "min_price",
                    "max_price",
                    "prefer_provider",
                ]
            ),
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(max_size=20)
            | st.lists(st.integers(), max_size=2)
            | st.sampled_from(["cheapest", "0.5", 1, 2, "local"]),
        ),
        st.sampled_from([V1, V2]),
    )
    def test_parses_or_refuses_whatever_comes(self, body: dict[str, Any], version: Version) -> None:
        """Any object is either an order that names one product and a sane quantity, or is
        refused.
        """
        try:
            order = parse_create(request_of(body), version)
        except InvalidInput:
            return
        assert (order.offer_id is None) != (order.catalogue_id is None)
        assert 1 <= order.quantity <= 100


class TestFingerprint:
    """What binds an idempotency key to a request."""

    def fingerprint(self, body: bytes, version: Version = V1) -> bytes:
        return parse_create(request_of(body), version).fingerprint

    def test_is_of_the_meaning_and_not_of_the_bytes(self) -> None:
        """Spaces, the order of fields, nulls, defaults and spellings of one number make no other
        request.
        """
        plain = self.fingerprint(b'{"catalog_product_id":1}')
        assert plain == self.fingerprint(
            b'{ "policy" : "cheapest", "quantity":1, "operator_id":null, "catalog_product_id" : 1 }'
        )
        assert self.fingerprint(
            b'{"catalog_product_id":1,"max_price":"0.5"}', V2
        ) == self.fingerprint(b'{"catalog_product_id":1,"max_price":"0.500"}', V2)
        assert self.fingerprint(
            b'{"catalog_product_id":1,"max_price":"100"}', V2
        ) == self.fingerprint(b'{"catalog_product_id":1,"max_price":"100.0"}', V2)

    def test_tells_requests_apart(self) -> None:
        """Every field, the version and the call make another request."""
        bodies = [
            b'{"product_id":1}',
            b'{"product_id":2}',
            b'{"catalog_product_id":1}',
            b'{"product_id":1,"quantity":2}',
            b'{"catalog_product_id":1,"max_price":5}',
            b'{"catalog_product_id":1,"min_price":5}',
            b'{"catalog_product_id":1,"operator_id":5}',
            b'{"catalog_product_id":1,"policy":"best_success"}',
            b'{"catalog_product_id":1,"prefer_provider":"a"}',
        ]
        prints = [self.fingerprint(body) for body in bodies]
        prints += [
            self.fingerprint(b'{"product_id":1}', V2),
            parse_reactivate(request_of({"id": 1}), V1).fingerprint,
        ]
        assert len(set(prints)) == len(prints)


class TestOrderIds:
    """Orders named by path or body."""

    @pytest.mark.parametrize(
        "text",
        ["0", "abc", "-1", "1.0", "2147483648", "99999999999999999999", "١", "1 ", "", "active"],
    )
    def test_finds_no_order_behind_what_is_no_id(self, text: str) -> None:
        """A path that cannot be an order's id is not found, and never reaches the database (0 does,
        and finds nothing).
        """
        if text == "0":
            assert parse_order_path(request_of(params=("0",))) == 0
            return
        with pytest.raises(NotFound):
            parse_order_path(request_of(params=(text,)))

    @pytest.mark.parametrize(
        ("body", "refusal"),
        [
            ({}, InvalidInput),
            ({"id": None}, InvalidInput),
            ({"id": "1"}, InvalidInput),
            ({"id": 1.0}, InvalidInput),
            ({"id": 0}, NotFound),
            ({"id": -1}, NotFound),
            ({"id": 2**31}, NotFound),
        ],
    )
    def test_refuses_what_is_no_id(self, body: dict[str, Any], refusal: type[Exception]) -> None:
        """A missing or mistyped id is invalid, one that no order can have is not found."""
        with pytest.raises(refusal):
            parse_order(request_of(body))


class TestStatus:
    """The words for an order."""

    def test_takes_a_status_in_any_case(self) -> None:
        """Each of the five words selects the states that are shown by it; no word selects all."""
        assert states_of({"status": "otp_Received"}) == {State.RECEIVED}
        assert states_of({"status": "ACTIVE"}) == {State.PENDING, State.ACTIVE, State.RESENT}
        assert states_of({}) is None
        with pytest.raises(InvalidInput):
            states_of({"status": "PENDING"})

    def test_shows_every_state_by_one_of_five_words(self) -> None:
        """The status table is total and speaks the vendor's words only."""
        assert set(STATUS) == set(State)
        assert set(STATUS.values()) == {
            "ACTIVE",
            "OTP_RECEIVED",
            "COMPLETED",
            "CANCELED",
            "EXPIRED",
        }


class TestToken:
    """The credential."""

    @pytest.mark.parametrize(
        ("header", "token"),
        [
            (b"Bearer abc", b"abc"),
            (b"bearer  abc ", b"abc"),
            (b"Basic abc", None),
            (b"abc", None),
            (b"", None),
        ],
    )
    def test_is_the_bearer_token(self, header: bytes, token: bytes | None) -> None:
        """The scheme is case-insensitive, and no other scheme brings a token."""
        assert token_of(request_of(headers={b"authorization": header})) == token

    def test_is_not_there_without_a_header(self) -> None:
        """No header, no token."""
        assert token_of(request_of()) is None
