"""Tests of the partner API's parameters: strict, and pages within bounds."""

from __future__ import annotations

import pytest

from numdesk.dialects import Request
from numdesk.dialects.partner.query import is_ascending, page_of, parse_query, states_of
from numdesk.domain.errors import InvalidInput
from numdesk.domain.rentals.lifecycle import RentalState


def query_of(text: str) -> dict[str, str]:
    """Return the parameters of a request with this query."""
    scope = {"client": None, "method": "GET", "path": "/", "query_string": text.encode("latin-1")}
    return parse_query(Request(scope, {}, (), "id"))


class TestQuery:
    """The parameters."""

    def test_are_decoded(self) -> None:
        """Percent signs and plus signs are read as forms write them."""
        assert query_of("country=Espa%C3%B1a+x&rentType=LONG&empty=") == {
            "country": "España x",
            "rentType": "LONG",
            "empty": "",
        }
        assert query_of("") == {}

    @pytest.mark.parametrize(
        "text", ["a=%ff", "a=1&a=2", "a=\xff", "&".join(f"a{n}=1" for n in range(60))]
    )
    def test_refuses_what_is_malformed(self, text: str) -> None:
        """Bytes that are not text, and repeated names, are refused."""
        with pytest.raises(InvalidInput):
            query_of(text)


class TestPages:
    """Pages of a list."""

    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            ("", (1, 50)),
            ("page=3", (3, 50)),
            ("limit=5", (1, 5)),
            ("limit=100", (1, 100)),
            ("limit=5000", (1, 100)),
            ("page=100000", (100_000, 50)),
        ],
    )
    def test_have_bounds(self, text: str, wanted: tuple[int, int]) -> None:
        """The first fifty unless told otherwise; never more than a hundred."""
        assert page_of(query_of(text)) == wanted

    @pytest.mark.parametrize("name", ["page", "limit"])
    @pytest.mark.parametrize(
        "value", ["0", "-1", "", "1.0", "x", "%D9%A1", "9" * 5000, "1e3", "+1", "null"]
    )
    def test_refuse_what_is_no_number(self, name: str, value: str) -> None:
        """Only whole numbers from one up count."""
        with pytest.raises(InvalidInput) as refusal:
            page_of(query_of(f"{name}={value}"))
        assert refusal.value.field == name

    def test_end_somewhere(self) -> None:
        """A page beyond the limit is refused before the database counts to it."""
        with pytest.raises(InvalidInput):
            page_of(query_of("page=100001"))


class TestFilters:
    """Order and states."""

    def test_order_is_newest_first(self) -> None:
        """Unless the oldest are asked for, in any case of letters."""
        assert not is_ascending(query_of(""))
        assert not is_ascending(query_of("order=DESC"))
        assert is_ascending(query_of("order=Asc"))
        with pytest.raises(InvalidInput):
            is_ascending(query_of("order=up"))

    def test_states_have_words(self) -> None:
        """The vendor's two words and our narrower ones select states, in any case."""
        assert states_of({}, "active") == {RentalState.ACTIVE}
        assert states_of({"status": "INACTIVE"}, "active") == {
            RentalState.EXPIRED,
            RentalState.CANCELED,
        }
        assert states_of({"status": "cancelled"}, "active") == {RentalState.CANCELED}
        assert states_of({"status": "all"}, "active") == set(RentalState)
        with pytest.raises(InvalidInput):
            states_of({"status": "gone"}, "active")
