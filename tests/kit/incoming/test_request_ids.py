"""Ids of requests: the client's own where harmless, else unique ones of this process."""

import pytest

from numdesk.kit.incoming.request_ids import RequestIds


class TestRequestIds:
    """The id of each request."""

    def test_differ_in_one_process_and_between_two(self) -> None:
        """No two requests share an id, whichever process answers them."""
        ids = [one.new() for one in (RequestIds(), RequestIds()) for _ in range(3)]
        assert len(set(ids)) == 6

    def test_are_the_clients_where_harmless(self) -> None:
        """A client can find its request in our log."""
        assert RequestIds().accept({b"x-request-id": b"order-7-of-may"}) == "order-7-of-may"

    @pytest.mark.parametrize("offered", [b"", b"a b", b"\xff", b"x" * 1000, b"a\nb"])
    def test_are_ours_otherwise(self, offered: bytes) -> None:
        """An id that could forge a line of the log is replaced."""
        given = RequestIds().accept({b"x-request-id": offered})
        assert given != offered.decode("latin-1")
        assert given.isascii()
        assert given.isprintable()
