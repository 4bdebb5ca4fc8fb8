"""Tests of the contract between dialects and the rest: found by folder, no route claimed twice."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.dialects.toy import Toy, done

from numdesk.dialects import RouteClaimedTwice, call_table, check_routes, find_dialects, retry_after


class TestFindDialects:
    """The search for folders."""

    def test_finds_every_folder(self) -> None:
        """The smscode API is there, and each dialect stands once."""
        slugs = [dialect.slug for dialect in find_dialects()]
        assert "smscode" in slugs
        assert len(set(slugs)) == len(slugs)


class TestCheckRoutes:
    """Claims on paths."""

    def test_refuses_two_claims_on_one_call(self) -> None:
        """The same method and path twice stops the start, whatever the parameters are called."""
        one = Toy(done).dialect()
        same = replace(
            one, slug="other", routes=(replace(one.routes[1], path="/toy/things/{name}"),)
        )
        with pytest.raises(RouteClaimedTwice, match="smscode and other"):
            check_routes([one, same])

    def test_lets_methods_share_a_path(self) -> None:
        """GET and POST of one path are two calls."""
        one = Toy(done).dialect()
        check_routes([one, replace(one, routes=(replace(one.routes[1], method="POST"),))])


class TestHelp:
    """What dialects share."""

    def test_prints_the_table_of_calls(self) -> None:
        """Each route is one row."""
        table = call_table(Toy(done).dialect())
        assert "| `GET /toy/things/{id}` | read | all 1000 | a toy |" in table
        assert len(table.splitlines()) == 2 + len(Toy(done).dialect().routes)

    @pytest.mark.parametrize(
        ("seconds", "text"), [(0, b"1"), (0.2, b"1"), (1.2, b"2"), (60, b"60")]
    )
    def test_never_says_zero_seconds(self, seconds: float, text: bytes) -> None:
        """Retry-After is a whole number of at least one."""
        assert retry_after(seconds) == (b"retry-after", text)
